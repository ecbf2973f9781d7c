import { describe, expect, test } from "vitest";
import { hasBrowser, openPage, useBrowser } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";

describe.skipIf(!hasBrowser)("the page of a build (needs Chromium: set WINDSOCK_CHROMIUM)", () => {
  useBrowser();

  test("tells what was built, why, how it went, and its steps against time", async () => {
    const gate = new Gate();
    const repository = new TestRepository();
    const sha = repository.commitSteps("Say hello", "sleep 0.2", `${gate.wait}; exit 3`, "true");
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1`);
    const step = (name: string): ReturnType<typeof page.locator> =>
      page.locator(".timeline button", { hasText: new RegExp(`^.${name}`) });
    await step("step-2").locator(".past").waitFor();
    expect(await page.title()).toBe("▶ #1 running · project · AutoBuild");
    const running = await page.locator("#favicon").getAttribute("href");
    gate.open();
    await page.getByText(/^failed: step step-2 exited with 3 · [\d.]+ s$/).waitFor();
    expect(await page.title()).toBe("✗ #1 failed · project · AutoBuild");
    expect(await page.locator("#favicon").getAttribute("href")).not.toBe(running);
    expect(await page.locator("#build-title").textContent()).toBe("#1 Say hello");
    const facts = await page.locator(".facts > div:visible").allInnerTexts();
    expect(facts.map((fact) => fact.replace("\n", ": "))).toEqual([
      "Repository: project",
      "Branch: main",
      `Commit: ${sha.slice(0, 12)}`,
      "Author: Ann",
      "Trigger: a new commit",
      expect.stringMatching(/^Queued: \d+ \w+, \d\d:\d\d:\d\d$/),
      expect.stringMatching(/^Started: /),
      expect.stringMatching(/^Ended: /),
    ]);
    expect(await page.locator(".timeline button").allTextContents()).toEqual([
      expect.stringMatching(/^✓step-1[\d.]+ s, passed$/),
      expect.stringMatching(/^✗step-2[\d.]+ s, exited with 3$/),
      "–step-3skipped, skipped",
    ]);
    // The second begins where the first ends.
    const [first, second] = await page
      .locator(".timeline .past")
      .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect()));
    expect(second!.left).toBeGreaterThanOrEqual(first!.right - 2);
    expect(first!.width).toBeGreaterThan(10);
    expect(await step("step-3").isDisabled()).toBe(true);
  });

  test("has an address, as it had one before; and says when there is no such build", async () => {
    const repository = new TestRepository(steps("echo first build"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    repository.commitSteps("Second", "echo second build");
    await program.buildEnded(2);
    const page = await openPage(`${program.url}/#build-1`);
    await page.getByText("first build", { exact: false }).first().waitFor();
    expect(page.url()).toBe(`${program.url}/builds/1`);
    await page.getByRole("link", { name: "Newer →" }).click();
    await page.waitForURL(`${program.url}/builds/2`);
    await page.locator("#build-title", { hasText: "#2 Second" }).waitFor();
    await page.goBack();
    await page.locator("#build-title", { hasText: "#1 first" }).waitFor();
    await page.keyboard.press("n");
    await page.waitForURL(`${program.url}/builds/2`);
    await page.getByRole("link", { name: "Live" }).click();
    await page.waitForURL(`${program.url}/`);
    await page.locator("#status", { hasText: "second build" }).waitFor();

    const none = await openPage(`${program.url}/builds/77`);
    await none.getByText("There is no build 77.").waitFor();
    await none.getByRole("link", { name: "AutoBuild" }).click();
    await none.locator("#status", { hasText: "second build" }).waitFor();
    expect(await none.getByText("There is no build 77.").isHidden()).toBe(true);
  });

  test("builds again and goes there, and cancels, by buttons and by keys", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo begin; ${gate.wait}`));
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1`);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("cancelled: cancelled by somebody on the page").first().waitFor();
    await page.getByRole("button", { name: "Build again" }).click();
    await page.waitForURL(`${program.url}/builds/2`);
    await page.locator(".facts", { hasText: "again, after build 1" }).waitFor();
    await page.getByText("running step-1").first().waitFor();
    await page.keyboard.press("X");
    await page.getByText("cancelled: cancelled by").first().waitFor();
    gate.open();
    await page.keyboard.press("r");
    await page.waitForURL(`${program.url}/builds/3`);
    expect(await program.buildEnded(3)).toMatchObject({ state: "passed", causeBuildId: 2 });
  });
});
