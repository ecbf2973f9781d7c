import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll(".log-text")].some(({ textContent }) => textContent === wanted),
    text,
  );
}

describe.runIf(hasBrowser)("a log that is being written", () => {
  useBrowser();

  test("is gone on with at its end when it comes faster than the page can read", async () => {
    const gate = new Gate();
    // Each line is dear to read and cheap to send.
    const line = `${"\\033[31m#\\033[0m ".repeat(20)}%d`;
    const repository = new TestRepository(
      steps(
        `echo first; ${gate.wait}; awk 'BEGIN { for (i = 1; i <= 150000; i++) printf "${line}\\n", i }'; echo last`,
      ),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    await shows(page, "first");
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: 6 });
    gate.open();
    await page.locator(".log-state", { hasText: "MiB passed over" }).waitFor();
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: 1 });
    await shows(page, "last");
    await page.locator(".log-lines", { hasText: "150,002 lines" }).waitFor();
    expect(await page.locator(".log-text", { hasText: "first" }).count()).toBe(0);
    await page.locator(".log-scroller").press("Home");
    await shows(page, "first");
  }, 120_000);

  test("says how long its open groups have taken so far, and how long they took", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps(`echo '::group::Install'; ${gate.wait}; echo one; echo '::endgroup::'; echo end`),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1#0`);
    const note = (pattern: string): Promise<unknown> =>
      page.waitForFunction(
        (wanted) =>
          new RegExp(wanted).test(
            document.querySelector<HTMLElement>(".log-group-note")?.dataset["note"] ?? "",
          ),
        pattern,
      );
    await note(String.raw`^running, [1-9]\d* s$`);
    gate.open();
    await shows(page, "end");
    await note(String.raw`^2 lines, \d+\.\d s$`);
    expect(await page.locator(".log-group-note").count()).toBe(1);
  }, 120_000);
});
