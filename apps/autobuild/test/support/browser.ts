import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { giveUpAfterMs } from "./until.ts";

const executablePath = process.env["WINDSOCK_CHROMIUM"] ?? "";

/** Whether there is a browser to test with. */
export const hasBrowser = executablePath !== "";

export const wide = { width: 1280, height: 800 } as const;
export const narrow = { width: 390, height: 844 } as const;

let browser: Browser | undefined;

/** Has a Chromium started for the tests of a file, and ended after them. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
  });
}

/**
 * Opens a page of its own context, closed when the test has finished.
 *
 * A dialog, an error of a script and a violation of the page's policy fail the test.
 */
export async function openPage(
  url: string,
  viewport: { readonly width: number; readonly height: number } = wide,
): Promise<Page> {
  if (browser === undefined) throw new Error("Expected `useBrowser()` in this file.");
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(giveUpAfterMs);
  const faults: string[] = [];
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", ({ message }) => faults.push(`error: ${message}`));
  page.on("console", (message) => {
    // A server that is away is told by the browser as an error of the page.
    const isOfNetwork = /ERR_|WebSocket connection|Failed to load resource/.test(message.text());
    if (message.type() === "error" && !isOfNetwork) faults.push(`console: ${message.text()}`);
  });
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });
  await page.goto(url);
  return page;
}

/** What is in the console, as a reader sees it. */
export function consoleText(page: Page): Promise<string> {
  return page.evaluate(() => document.getElementById("status")?.textContent ?? "");
}

/** Waits until the last line of the console begins like this. */
export async function logEnds(page: Page, beginning: string): Promise<void> {
  await page.waitForFunction(
    (text) => [...document.querySelectorAll("#status .own")].at(-1)?.textContent.startsWith(text),
    beginning,
  );
}
