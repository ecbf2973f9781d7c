import { describe, expect, test } from "vitest";
import { expectAccessible } from "../support/axe.ts";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

describe.runIf(hasBrowser)("output that nobody meant to be read", () => {
  useBrowser();

  test("breaks nothing: a line of 10 MB, noise, sequences without end", async () => {
    const repository = new TestRepository(
      steps(
        "head -c 10000000 /dev/zero | tr '\\0' x; echo; head -c 300000 /dev/urandom; printf '\\033[999999999A\\033[?1049h\\033[99999B\\033]0;no end\\n'; for i in $(seq 120); do echo; done; printf '\\033[0m\\033[31merror: red\\033[0m \\033[38;5;22mdark green\\033[0m \\033[2mdim\\033[0m <script>alert(1)</script>\\nlast\\n'",
      ),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    await page.locator(".log-text", { hasText: /^last$/ }).waitFor();
    await page.locator(".log-state", { hasText: "complete" }).waitFor();
    await expectAccessible(page);
    await page.locator(".log-scroller").focus();
    await page.keyboard.press("Home");
    await page
      .locator(".log-text", { hasText: /^x{4096}$/ })
      .first()
      .waitFor();
    await page.keyboard.press("w");
    await page.keyboard.press("End");
    await page.locator(".log-text", { hasText: /^last$/ }).waitFor();
    expect(await page.locator(".log-text script").count()).toBe(0);
  }, 120_000);
});
