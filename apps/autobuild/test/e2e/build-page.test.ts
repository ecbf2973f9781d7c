import { describe, expect, test } from "vitest";
import { repeatOf } from "../../src/build/build.ts";
import { openDatabase } from "../../src/store/database.ts";
import { Store } from "../../src/store/store.ts";
import { expectAccessible, expectToFit } from "../support/axe.ts";
import { hasBrowser, narrow, openPage, useBrowser } from "../support/browser.ts";
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
      "Trigger: a push, found at a regular look",
      expect.stringMatching(/^Started: \d+ \w+, \d\d:\d\d:\d\d$/),
      expect.stringMatching(/^Ended: /),
    ]);
    expect(await page.locator(".timeline button").allTextContents()).toEqual([
      expect.stringMatching(/^✓step-1[\d.]+ s, passed$/),
      expect.stringMatching(/^✗step-2(?:< )?[\d.]+ s, exited with 3$/),
      "–step-3skipped, skipped",
    ]);
    // The second begins where the first ends.
    const [first, second] = await page
      .locator(".timeline .past")
      .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect()));
    expect(second!.left).toBeGreaterThan(first!.left + first!.width / 2);
    expect(first!.width).toBeGreaterThan(10);
    expect(await step("step-3").isDisabled()).toBe(true);
  }, 120_000);

  test("shows the tests that failed first, and what was kept, when there is some", async () => {
    const report = `<testsuite name='s'><testcase classname='s' name='good'/><testcase classname='s' name='bad &lt;b&gt;' file='a.ts' line='7'><failure message='expected 1, got 2'>at a.ts:7</failure></testcase></testsuite>`;
    const repository = new TestRepository({
      "report.xml": report,
      ".autobuild.json": JSON.stringify({
        steps: [
          { name: "pack", run: "printf abc > file.txt", artifacts: ["file.txt"] },
          { name: "test", run: "exit 1", reports: ["report.xml"] },
        ],
      }),
    });
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1`);
    const tests = page.getByRole("tab", { name: "Tests: 1 of 2 failed" });
    await tests.waitFor();
    expect(await tests.getAttribute("aria-selected")).toBe("true");
    const failed = page.locator("#panel-tests > .tests > li");
    expect((await failed.innerText()).split("\n").map((line) => line.trim())).toEqual(
      expect.arrayContaining(["s › bad <b>", "test · a.ts:7", "expected 1, got 2"]),
    );
    await expectAccessible(page);
    await page.getByText("1 passed, 0 skipped").click();
    await page.getByText("s › good").waitFor();

    await tests.focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("#build .log").waitFor();
    expect(page.url()).toBe(`${program.url}/builds/1#log`);
    await page.keyboard.press("ArrowRight");
    await expectAccessible(page);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "file.txt" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("file.txt");
    expect(await page.locator("#panel-artifacts td").allInnerTexts()).toEqual([
      "file.txt",
      "3 B",
      "pack",
      "ba7816bf8f01",
    ]);
    // A build without any has no tabs for them.
    repository.commitSteps("Second", "true");
    await program.buildEnded(2);
    await page.goto(`${program.url}/builds/2`);
    await page.getByRole("tab", { name: "About" }).waitFor();
    expect(await page.getByRole("tab").allInnerTexts()).toEqual(["Log", "About"]);
  }, 60_000);

  test("tells all about itself: the whole message, what led to it, where it ran and with what", async () => {
    const repository = new TestRepository(steps("git --version; exit 1"));
    repository.git("commit", "--amend", "-m", "Say <b>hello</b>\n\nBecause one does.\n  - always");
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1`);
    await page.getByRole("button", { name: "Build again" }).click();
    await page.waitForURL(`${program.url}/builds/2`);
    await program.buildEnded(2);
    await page
      .locator(".facts", { hasText: "again, after build 1, by somebody on the page" })
      .waitFor();
    await page.getByRole("tab", { name: "About" }).click();
    expect(page.url()).toBe(`${program.url}/builds/2#about`);
    const about = page.locator("#panel-about");
    expect(await about.locator(".message").innerText()).toBe(
      "Say <b>hello</b>\n\nBecause one does.\n  - always",
    );
    await about.getByText("When and where it ran").waitFor();
    const said = await about.locator("dl > div").allInnerTexts();
    const facts = Object.fromEntries(said.map((fact) => fact.split(/\n+/, 2)));
    expect(facts).toMatchObject({
      Author: "Ann",
      Repeats: "#1",
      Machine: expect.stringMatching(/./),
      Size: expect.stringMatching(/^\d+ cores, [\d.]+ \wiB of memory$/),
      Tools: expect.stringMatching(/^git \d/),
      Runner: expect.stringMatching(/^Node \d/),
    });
    expect(await about.getByText("PATH", { exact: true }).count()).toBe(1);
    await expectAccessible(page);
    await page.setViewportSize(narrow);
    await expectToFit(page);
    await about.getByRole("link", { name: "#1" }).click();
    await page.waitForURL(`${program.url}/builds/1`);
  }, 60_000);

  test("tells what is wrong with a configuration in a line, and leaves the rest to its log", async () => {
    const repository = new TestRepository({
      ".autobuild.yml": "steps:\n  - name: one\n    runs: x\n",
    });
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1`);
    await page.getByText("> 3 |     runs: x").waitFor();
    expect(await page.locator(".build-head .state").innerText()).toMatch(
      /^failed: \.autobuild\.yml:3:5: .* Did you mean "run"\? … · [<\d. ]+ s$/,
    );
  }, 60_000);

  test("retries what failed of the repository, and says why there is nothing to retry", async () => {
    const repository = new TestRepository(steps("exit 1"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    repository.git("switch", "--quiet", "--create", "topic");
    repository.commitSteps("Topic", "exit 2");
    await program.buildEnded(2);
    repository.git("switch", "--quiet", "--create", "good");
    repository.commitSteps("Good", "true");
    await program.buildEnded(3);
    const page = await openPage(`${program.url}/builds/3`);
    const retry = page.getByRole("button", { name: "Retry failed" });
    await page.getByRole("button", { name: "Retry failed: 2 branches" }).click();
    expect(await program.buildEnded(4)).toMatchObject({ cause: "rebuild" });
    expect(await program.buildEnded(5)).toMatchObject({ cause: "rebuild" });
    await page.getByRole("button", { name: "Retry failed: 2 branches" }).waitFor();
    // Both are mended.
    for (const branch of ["main", "topic"]) {
      repository.git("switch", "--quiet", branch);
      repository.commitSteps(`Mend ${branch}`, "true");
    }
    await program.buildEnded(7);
    await page.locator("#retry-failed[aria-disabled=true]").waitFor();
    expect(await retry.getAttribute("title")).toMatch(/^Nothing to retry: /);
    await retry.focus();
    await page.keyboard.press("Enter");
    await page
      .getByText("Nothing to retry: the last build of every branch of project passed")
      .waitFor();
  }, 60_000);

  test("marks the step whose log is shown, also where nobody chose it", async () => {
    const repository = new TestRepository(steps("true", "exit 1", "true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1`);
    const marked = page.locator(".timeline button[aria-pressed=true] .name");
    await marked.waitFor();
    expect(await marked.allInnerTexts()).toEqual(["step-2"]);
    await page.goto(`${program.url}/builds/1#setup`);
    await expect.poll(() => marked.count()).toBe(0);
  }, 60_000);

  test("shows nothing that is not so while its scripts are on their way", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/wall`);
    let withheld = 0;
    await page.route("**/*.js", (route) => {
      withheld += 1;
      return route.abort();
    });
    for (const path of ["/", "/builds/1", "/wall"]) {
      await page.goto(program.url + path);
      expect([path, await page.locator("#log-title").isVisible()]).toEqual([path, false]);
    }
    expect(withheld).toBeGreaterThanOrEqual(3);
  }, 60_000);

  test("a step leads to its log", async () => {
    const repository = new TestRepository(steps("seq 300", "seq 301 600"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(`${program.url}/builds/1#0`);
    const shown = page.locator(".log-text");
    await shown.getByText("300", { exact: true }).waitFor();
    await page.locator(".timeline button", { hasText: "step-2" }).click();
    await shown.getByText("600", { exact: true }).waitFor();
    expect(await shown.getByText("300", { exact: true }).count()).toBe(0);
    expect(page.url()).toBe(`${program.url}/builds/1#1`);
    expect(await page.locator(".timeline button[aria-pressed=true] .name").innerText()).toBe(
      "step-2",
    );
  }, 60_000);

  test("shows each attempt of a step, and which steps decided how long it took", async () => {
    const repository = new TestRepository(steps("true"));
    const first = await Program.start([repository.folder]);
    await first.buildEnded(1);
    await first.stop();
    const { dataDir } = first;
    writeBuild(dataDir);
    const program = await Program.start([repository.folder], { dataDir });
    const page = await openPage(`${program.url}/builds/2`);
    const flaky = page.locator(".timeline button", { hasText: "flaky" });
    await flaky.getByText("2 attempts").waitFor();
    expect(await page.locator(".build-head .state").innerText()).toMatch(/^passed, flaky · /);
    const bars = await flaky
      .locator(".past")
      .evaluateAll((all) => all.map((bar) => (bar as HTMLElement).dataset["state"]));
    expect(bars).toEqual(["failed", "passed"]);
    expect(
      await page
        .locator(".timeline li")
        .evaluateAll((all) => all.map((item) => (item as HTMLElement).dataset["critical"])),
    ).toEqual(["false", "true", "true"]);
    expect(await page.locator(".timeline li").nth(1).innerText()).toContain(
      "passed, flaky, on the chain that decides how long it takes",
    );
  }, 60_000);

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
    const answer = await none.goto(`${program.url}/bulids/1`);
    expect(answer?.status()).toBe(404);
    await none.getByText("There is no page /bulids/1.").waitFor();
    await none.locator("#branches .rows a").waitFor();
    expect((await none.locator("#build-title").innerText()).trim()).toBe("No such page");
    expect(await none.getByRole("button", { name: "Build again" }).count()).toBe(0);
    expect(await none.title()).toBe("AutoBuild");
    await expectAccessible(none);
  }, 60_000);

  test("builds again and goes there, and cancels, by buttons and by keys", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo begin; ${gate.wait}`));
    const program = await Program.start([repository.folder]);
    const page = await openPage(`${program.url}/builds/1`);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page
      .getByText(/^cancelled by somebody on the page · /)
      .first()
      .waitFor();
    await page.getByRole("button", { name: "Build again" }).click();
    await page.waitForURL(`${program.url}/builds/2`);
    await page.locator(".facts", { hasText: "again, after build 1" }).waitFor();
    await page.getByText("running step-1").first().waitFor();
    await page.keyboard.press("X");
    await page
      .getByText(/^cancelled by somebody on the page · /)
      .first()
      .waitFor();
    gate.open();
    await page.keyboard.press("r");
    await page.waitForURL(`${program.url}/builds/3`);
    expect(await program.buildEnded(3)).toMatchObject({ state: "passed", causeBuildId: 2 });
  }, 60_000);
});

/** Writes down a build with steps beside each other, of which one passed at its second attempt. */
function writeBuild(dataDir: string): void {
  const database = openDatabase(dataDir);
  const store = new Store(database);
  const { id } = store.insertBuild(repeatOf(store.build(1)!, "rebuild", 0));
  store.startBuild(id, "", 0);
  const end = { state: "passed", reason: null, logBytes: 0, sha256: "" } as const;
  const plan = [
    { name: "quick", needs: [], startMs: 0, durationMs: 100 },
    { name: "flaky", needs: [], startMs: 0, durationMs: 900 },
    { name: "last", needs: ["quick", "flaky"], startMs: 900, durationMs: 100 },
  ];
  store.insertSteps(
    id,
    plan.map((step) => ({ ...step, command: "true" })),
  );
  for (const [position, { startMs, durationMs, name }] of plan.entries()) {
    store.startStep(id, position, startMs);
    store.attempts.start(id, position, 1, startMs);
    if (name === "flaky") {
      store.attempts.end(id, position, 1, { ...end, state: "failed", durationMs: 400 });
      store.attempts.start(id, position, 2, 500);
      store.attempts.end(id, position, 2, { ...end, durationMs: 400 });
    } else store.attempts.end(id, position, 1, { ...end, durationMs });
    store.endStep(id, position, { state: "passed", reason: null, durationMs });
  }
  store.endBuild(id, {
    state: "passed",
    reason: null,
    finishedMs: 1000,
    durationMs: 1000,
    logBytes: 0,
  });
  database.close();
}
