import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

/** Expects that axe finds nothing, in dark and in light. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe);
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    });
    expect([colorScheme, ...found]).toEqual([colorScheme]);
  }
  await page.emulateMedia({ colorScheme: null });
}

/** Expects the contrast that WCAG calls enhanced, 7 to 1, in dark and in light. */
export async function expectEnhancedContrast(page: Page): Promise<void> {
  await page.evaluate(axe);
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const found = await page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: {
          run(
            context: object,
            options: object,
          ): Promise<{
            violations: { nodes: { html: string; any: { message: string }[] }[] }[];
          }>;
        };
      };
      // What a program prints dim is its own choice.
      const { violations } = await axe.run(
        { exclude: [".log-text"] },
        {
          runOnly: ["color-contrast-enhanced"],
          rules: { "color-contrast-enhanced": { enabled: true } },
        },
      );
      return violations.flatMap(({ nodes }) =>
        nodes.map(({ html, any }) => `${html}: ${any[0]?.message}`),
      );
    });
    expect([colorScheme, ...found]).toEqual([colorScheme]);
  }
  await page.emulateMedia({ colorScheme: null });
}

/** Expects nothing that is wider than the screen, and that what a thumb must hit is at least 44 pixels high. */
export async function expectToFit(page: Page): Promise<void> {
  const found = await page.evaluate(() => {
    const isSeen = (element: HTMLElement): boolean =>
      element.offsetParent !== null && getComputedStyle(element).clipPath === "none";
    const small = [
      ...document.querySelectorAll<HTMLElement>("button, nav a, li > a, .button, .back"),
    ]
      .filter((element) => isSeen(element) && element.offsetHeight < 44)
      .map((element) => `${element.id} ${element.textContent}: ${element.offsetHeight}`);
    return { width: document.documentElement.scrollWidth - innerWidth, small };
  });
  expect(found).toEqual({ width: 0, small: [] });
}
