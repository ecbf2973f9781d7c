import { createRequire } from "node:module";
import { chromium, type Browser, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { find, PROGRAMS } from "../../../scripts/system-programs.ts";

/** The Chromium that the tests start. Undefined where there is none: they skip themselves. */
export const chromiumPath: string | undefined =
  process.env["WINDSOCK_CHROMIUM"] || find(PROGRAMS[0]?.commands ?? []);

export const screens = [
  { name: "desktop", width: 1280, height: 800 },
  { name: "phone", width: 390, height: 844 },
] as const;

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath ?? "",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page of its own whose script errors are collected. Closed after the test. */
export async function openPage(
  browser: Browser,
  url: string,
  screen: { readonly width: number; readonly height: number } = screens[0],
): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const page = await browser.newPage({ viewport: screen });
  onTestFinished(() => page.close());
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}

/** Every rule of axe, on what the page shows now. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.addScriptTag({ path: createRequire(import.meta.url).resolve("axe-core/axe.min.js") });
  const violations: { id: string; nodes: { html: string }[] }[] = await page.evaluate(
    "axe.run().then((result) => result.violations)",
  );
  expect(
    violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html)
          .join(", ")}`,
    ),
  ).toEqual([]);
}
