import type { Locator, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { expectEnhancedContrast } from "../support/axe.ts";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

describe.skipIf(!hasBrowser)(
  "what a system prefers (needs Chromium: set WINDSOCK_CHROMIUM)",
  () => {
    useBrowser();

    test("more contrast, forced colours and less motion are kept to, on every page", async () => {
      const gate = new Gate();
      const repository = new TestRepository(steps("sleep 0.3", "exit 1", "true"));
      const program = await Program.start([repository.folder]);
      await program.buildEnded(1);
      repository.git("switch", "--quiet", "--create", "next");
      repository.commitSteps("Wait", gate.wait);
      const page = await openPage(program.url);
      await page.locator("#branches [data-state=running]").waitFor();

      const moving = () => page.evaluate(() => document.getAnimations().length);
      await page.emulateMedia({ reducedMotion: "no-preference" });
      expect(await moving()).toBeGreaterThan(0);
      await page.emulateMedia({ reducedMotion: "reduce" });
      expect(await moving()).toBe(0);

      for (const path of ["/", "/builds/1", "/builds/1#about", "/wall"]) {
        await page.goto(program.url + path);
        await page
          .locator(
            "[data-connection=live] :is(#overview, .tile) [data-state=failed], .tile[data-state=failed]",
          )
          .first()
          .waitFor({ state: "attached" });
        if (path === "/builds/1#about") await page.getByText("When and where it ran").waitFor();
        await page.emulateMedia({ contrast: "more" });
        await expectEnhancedContrast(page);
        await page.emulateMedia({ contrast: null, forcedColors: "active" });
      }

      // By their pictures: the colours that are forced are not those that styles tell.
      await page.emulateMedia({ contrast: null, forcedColors: "active" });
      await page.goto(`${program.url}/builds/1`);
      const step = (name: string): Locator => page.locator(".timeline button", { hasText: name });
      await step("step-2").locator(".past").waitFor();
      for (const colorScheme of ["dark", "light"] as const) {
        await page.emulateMedia({ colorScheme });
        const canvas = await coloursOf(page, page.locator(".build-head"), "corner");
        for (const name of ["step-1", "step-2"]) {
          const bar = await coloursOf(page, step(name).locator(".past"), "all");
          expect([name, bar.some((colour) => !canvas.includes(colour))]).toEqual([name, true]);
        }
        const chosen = await coloursOf(page, step("step-2"), "edge");
        expect(chosen).not.toEqual(await coloursOf(page, step("step-1"), "edge"));
        const tab = (name: string): Locator => page.getByRole("tab", { name });
        expect(await coloursOf(page, tab("Log"), "edge")).not.toEqual(
          await coloursOf(page, tab("About"), "edge"),
        );
        const row = (state: string): Locator =>
          page.locator(`#branches a[data-state=${state}]`).first();
        expect(await coloursOf(page, row("failed"), "edge")).not.toEqual(
          await coloursOf(page, row("running"), "edge"),
        );
      }
      gate.open();
    }, 90_000);
  },
);

/** The colours that a picture of an element has: within it, in its upper left corner, or in the middle of its left edge. */
async function coloursOf(
  page: Page,
  element: Locator,
  where: "all" | "corner" | "edge",
): Promise<string[]> {
  const picture = await element.screenshot({ animations: "disabled" });
  return page.evaluate(
    async ([url, place]) => {
      const image = new Image();
      image.src = url;
      await image.decode();
      const { width, height } = image;
      const context = new OffscreenCanvas(width, height).getContext("2d");
      if (context === null) throw new Error("Expected a canvas, got none.");
      context.drawImage(image, 0, 0);
      const middle = Math.floor(height / 2);
      const area = {
        all: [0, 0, width, height],
        corner: [2, 2, 1, 1],
        edge: [0, middle, 1, 1],
      } as const;
      const [x, y, w, h] = area[place];
      const { data } = context.getImageData(x, y, w, h);
      const colours = new Set<string>();
      for (let at = 0; at < data.length; at += 4)
        colours.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`);
      return [...colours].toSorted();
    },
    [`data:image/png;base64,${picture.toString("base64")}`, where] as const,
  );
}
