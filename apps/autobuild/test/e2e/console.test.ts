import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { consoleText, hasBrowser, logEnds, openPage, useBrowser } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

describe.skipIf(!hasBrowser)("the console at / (needs Chromium: set WINDSOCK_CHROMIUM)", () => {
  useBrowser();

  test("shows lines while the build runs, and to who comes late what was before", async () => {
    const [first, second] = [new Gate(), new Gate()];
    const repository = new TestRepository();
    const program = await Program.start([repository.folder]);
    const page = await openPage(program.url);
    await page.getByText("Nothing was built yet").waitFor();
    await page.getByText("No builds yet").waitFor();

    repository.commitSteps(
      "Begin",
      `echo one; ${first.wait}; echo two; ${second.wait}`,
      "echo three",
    );
    await seen(page, "one");
    expect(await consoleText(page)).not.toContain("\ntwo\n");
    first.open();
    await seen(page, "two");
    expect((await program.build(1))?.state).toBe("running");

    const late = await openPage(program.url);
    await seen(late, "two");
    expect(await consoleText(late)).toBe(await consoleText(page));
    second.open();
    await program.buildEnded(1);
    for (const one of [page, late]) {
      await seen(one, "three");
      await logEnds(one, "=== build 1 passed");
      expect(await consoleText(one)).toBe(program.logOf(1));
    }
  });

  test("follows the end until the reader scrolls up, and again from the button on", async () => {
    const gates = [new Gate(), new Gate(), new Gate()] as const;
    const repository = new TestRepository(
      steps(
        `seq 500; ${gates[0].wait}; seq 501 600; ${gates[1].wait}; seq 601 700; ${gates[2].wait}`,
      ),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(program.url);
    await seen(page, "500");
    await page.waitForFunction(isAtEnd);
    expect(await page.locator("#to-end").isHidden()).toBe(true);

    await page.locator("#scroller").hover();
    await page.mouse.wheel(0, -400);
    await page.locator("#to-end").waitFor();
    gates[0].open();
    await seen(page, "600");
    await page.getByText("Go to the end (100 new lines)").waitFor();
    // Had the view moved along, it would be at the end.
    await page.waitForFunction(() => {
      const { scrollTop, scrollHeight, clientHeight } = document.getElementById("scroller")!;
      return scrollHeight - scrollTop - clientHeight > 1000;
    });

    await page.locator("#to-end").click();
    await page.waitForFunction(isAtEnd);
    expect(await page.locator("#to-end").isHidden()).toBe(true);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("scroller");
    gates[1].open();
    await seen(page, "700");
    await page.waitForFunction(isAtEnd);

    // By keyboard, and back by scrolling down.
    await page.keyboard.press("PageUp");
    await page.locator("#to-end").waitFor();
    await page.keyboard.press("End");
    await page.locator("#to-end").waitFor({ state: "hidden" });
    gates[2].open();
    await logEnds(page, "=== build 1 passed");
    await page.waitForFunction(isAtEnd);
  }, 120_000);

  test("stays small with 50,000 lines, and says where the rest is", async () => {
    const repository = new TestRepository(
      steps(
        `awk 'BEGIN { for (i = 1; i <= 50000; i++) printf "\\033[32mline %d\\033[0m \\033[1mof\\033[0m 50000\\n", i }'`,
      ),
    );
    const program = await Program.start([repository.folder]);
    const page = await openPage(program.url);
    await program.buildEnded(1);
    await logEnds(page, "=== build 1 passed");
    const count = (): Promise<number> =>
      page.evaluate(() => document.getElementById("status")!.querySelectorAll("*").length);
    expect(await count()).toBeLessThanOrEqual(20 * 2001);
    const lines = (await consoleText(page)).split("\n");
    expect(lines.length).toBeLessThanOrEqual(5001);
    expect(lines).toContain("line 50000 of 50000");
    await page.getByText("Earlier lines are not shown here").waitFor();
    const link = page.getByRole("link", { name: "raw log" }).first();
    expect(await link.getAttribute("href")).toBe("/builds/1/log");

    // It answers: what is clicked happens.
    await page.locator("#wrap").click();
    expect(await page.locator("#wrap").getAttribute("aria-pressed")).toBe("false");
  }, 120_000);

  test("lets the browser find in it, and copy from it, as from any text", async () => {
    const repository = new TestRepository(
      steps("seq 1000 | sed 's/^/number /'; echo '  two   spaces\tand a tab'"),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(program.url);
    await logEnds(page, "=== build 1 passed");
    // Far up, where nothing is drawn.
    expect(
      await page.evaluate(() =>
        (window as unknown as { find(text: string): boolean }).find("number 17"),
      ),
    ).toBe(true);
    const copied = await page.evaluate(() => {
      getSelection()!.selectAllChildren(document.getElementById("status")!);
      return getSelection()!.toString();
    });
    expect(copied.trimEnd()).toBe(program.logOf(1).trimEnd());
  });

  test("shows colours, and of a progress bar its last state", async () => {
    const repository = new TestRepository(
      steps(
        "printf '\\033[1;31mFAIL\\033[0m \\033[38;5;12mblue\\033[39m plain\\n10%%\\r50%%\\r100%%\\n\\033]0;title\\007\\033[2Kclean\\n'",
      ),
    );
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(program.url);
    await logEnds(page, "=== build 1 passed");
    expect(await consoleText(page)).toContain("\nFAIL blue plain\n100%\nclean\n");
    expect(await page.locator("#status .c1.bold").textContent()).toBe("FAIL");
    expect(await page.locator("#status .c12").textContent()).toBe("blue");
  });
});

async function seen(page: Page, line: string): Promise<void> {
  await page.waitForFunction(
    (text) => document.getElementById("status")!.textContent.includes(`\n${text}\n`),
    line,
  );
}

function isAtEnd(): boolean {
  const { scrollTop, scrollHeight, clientHeight } = document.getElementById("scroller")!;
  return scrollHeight > clientHeight && scrollHeight - scrollTop - clientHeight < 2;
}
