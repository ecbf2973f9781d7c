import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { FaultProxy } from "windsock/testing";
import { repeatOf } from "../../src/build/build.ts";
import { openDatabase } from "../../src/store/database.ts";
import { Store } from "../../src/store/store.ts";
import {
  consoleText,
  hasBrowser,
  logEnds,
  narrow,
  openPage,
  useBrowser,
  wide,
} from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

describe.skipIf(!hasBrowser)("the page (needs Chromium: set WINDSOCK_CHROMIUM)", () => {
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

  test("shows a build's state, commit, author, steps and duration, in the tab too", async () => {
    const gate = new Gate();
    const repository = new TestRepository();
    const sha = repository
      .commitSteps("Say hello", "true", `${gate.wait}; exit 3`, "true")
      .slice(0, 7);
    const program = await Program.start([repository.folder]);
    const page = await openPage(program.url);
    const row = page.locator("#builds a").first();
    await page.getByText("running step-2").first().waitFor();
    expect(await page.title()).toBe("▶ running · project · AutoBuild");
    const running = await icon(page);
    expect(await row.getAttribute("aria-current")).toBe("true");

    gate.open();
    await page.getByText("failed: step step-2 exited with 3").first().waitFor();
    expect(await page.locator("#log-title").textContent()).toBe("#1 Say hello");
    expect(await page.locator("#log-facts").textContent()).toBe(
      `project main · ${sha} · Ann · committed just now`,
    );
    expect(await page.locator("#log-state").textContent()).toMatch(/exited with 3 · [\d.]+ s$/);
    expect(await row.innerText()).toMatch(
      new RegExp(`Say hello\\s+[\\d.]+ s\\s+#1 failed in step-2 · main · ${sha} · Ann · just now`),
    );
    const shown = await page.locator("#steps button").allTextContents();
    expect(shown).toEqual([
      expect.stringMatching(/^✓step-1 (?:< )?[\d.]+ s, passed$/),
      expect.stringMatching(/^✗step-2 (?:< )?[\d.]+ s, exited with 3$/),
      "–step-3, skipped",
    ]);
    expect(await page.title()).toBe("✗ failed · project · AutoBuild");
    expect(await icon(page)).not.toBe(running);
    await page.getByRole("status").getByText("Build 1 of project failed in step-2").waitFor();
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

    // A step leads to its first line.
    await page.locator("#steps button").click();
    await page.locator("#to-end").waitFor();
    await page.waitForFunction(() => document.getElementById("scroller")!.scrollTop < 200);
  });

  test("goes to older builds, back and forward, and to what is live", async () => {
    const repository = new TestRepository(steps("echo first build"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    repository.commitSteps("Second", "echo second build");
    await program.buildEnded(2);
    const page = await openPage(program.url);
    await seen(page, "second build");
    expect(await page.locator("#live").isVisible()).toBe(true);

    await page.locator("#builds a").nth(1).click();
    await seen(page, "first build");
    expect(await consoleText(page)).toBe(program.logOf(1));
    expect(page.url()).toBe(`${program.url}/#build-1`);
    expect(await page.locator("#live").isVisible()).toBe(false);
    await page.goBack();
    await seen(page, "second build");
    await page.goForward();
    await seen(page, "first build");
    await page.getByText("Back to live").click();
    await seen(page, "second build");

    // The address can be handed on.
    const other = await openPage(`${program.url}/#build-1`);
    await seen(other, "first build");
    expect(await other.locator("#log-title").textContent()).toBe("#1 first");
    const none = await openPage(`${program.url}/#build-77`);
    await none.getByText("There is no build 77.").waitFor();
    await none.getByText("Back to live").click();
    await seen(none, "second build");
    expect(await none.getByText("There is no build 77.").count()).toBe(0);
  });

  test("builds again and goes there, and cancels", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo begin; ${gate.wait}`));
    const program = await Program.start([repository.folder]);
    const page = await openPage(program.url);
    await seen(page, "begin");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("cancelled: cancelled by somebody on the page").first().waitFor();
    gate.open();
    await page.getByRole("button", { name: "Build again" }).click();
    await page.waitForURL(`${program.url}/#build-2`);
    await logEnds(page, "=== build 2 passed");
    expect(await page.locator("#log-facts").textContent()).toContain("again, after build 1");
  });

  test("lists builds without end, page by page, and finds one that is not listed", async () => {
    const repository = new TestRepository(steps("true"));
    const first = await Program.start([repository.folder]);
    await first.buildEnded(1);
    await first.stop();
    const { dataDir } = first;
    addBuilds(dataDir, 54);
    const program = await Program.start([repository.folder], { dataDir });
    const page = await openPage(`${program.url}/#build-1`);
    await logEnds(page, "=== build 1 passed");
    expect(await page.locator("#log-title").textContent()).toBe("#1 first");
    expect(await page.locator("#builds li").count()).toBe(50);
    await page.getByText("Show older builds").click();
    await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 55);
    expect(await page.getByText("Show older builds").isHidden()).toBe(true);
    expect(await page.locator("#trend a").count()).toBe(30);

    const bar = page.locator("#trend a").last();
    expect(await bar.getAttribute("title")).toBe("Build 55 failed, 53 s");
    await bar.click();
    await page.waitForURL(`${program.url}/#build-55`);
    await page.goBack();

    // A new server tells of the newest fifty; the one that is shown is asked for again.
    const port = program.port!;
    await program.stop();
    await page.locator("#connection", { hasText: "offline" }).waitFor();
    await Program.start([repository.folder], { dataDir, port });
    await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 50);
    await page.locator("#log-state", { hasText: /^passed · / }).waitFor();
  }, 90_000);

  test("with several repositories shows which, and one of them alone if asked", async () => {
    const [one, two] = [new TestRepository(steps("echo one")), new TestRepository(steps("exit 1"))];
    const program = await Program.start([one.folder, two.folder]);
    await program.buildEnded(2);
    const page = await openPage(program.url);
    await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 2);
    const buttons = page.getByRole("group", { name: "Repositories" }).getByRole("button");
    expect(await buttons.count()).toBe(3);
    await buttons.nth(2).click();
    await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 1);
    expect(await buttons.nth(2).getAttribute("aria-pressed")).toBe("true");
    expect(await page.locator("#builds a").innerText()).toContain("failed in step-1");
    await buttons.first().click();
    await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 2);
  });

  test("is honest when the server is away, and catches up without a reload", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo begin; ${gate.wait}`));
    const killed = await Program.start([repository.folder]);
    const live = await openPage(killed.url);
    const old = await openPage(`${killed.url}/#build-1`);
    for (const page of [live, old]) {
      await seen(page, "begin");
      await page.locator("#connection", { hasText: /^live$/ }).waitFor();
      await page.evaluate(() => Object.assign(window, { wasHere: true }));
    }
    const port = killed.port!;
    killed.child.kill("SIGKILL");
    await killed.ended();
    for (const page of [live, old])
      await page
        .locator("#connection", { hasText: /^offline since \d\d:\d\d:\d\d, retrying$/ })
        .waitFor();
    expect(await live.locator("#live").isVisible()).toBe(false);
    // Nobody knows how long the build has been running: the page's clock stands still.
    const before = await live.locator("#log-state").textContent();
    await live.clock.install();
    await live.clock.fastForward("01:00");
    await live.getByRole("button", { name: "Cancel" }).click();
    await live.getByText("There is no connection to the server now").waitFor();
    expect(await live.locator("#log-state").textContent()).toBe(before);

    gate.open();
    const program = await Program.start([repository.folder], { dataDir: killed.dataDir, port });
    await program.buildEnded(2);
    for (const page of [live, old]) {
      await page.locator("#connection", { hasText: /^live$/ }).waitFor();
      await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 2);
      expect(await page.evaluate(() => "wasHere" in window)).toBe(true);
    }
    await logEnds(live, "=== build 2 passed");
    expect(await consoleText(live)).toBe(program.logOf(2));
    await logEnds(old, "=== build 1 lost");
    expect(await consoleText(old)).toBe(program.logOf(1));
    expect(await old.locator("#log-state").textContent()).toMatch(
      /^lost: AutoBuild ended while it ran/,
    );
  }, 60_000);

  test("notices that the network broke without a word", async () => {
    const repository = new TestRepository(steps("echo begin"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const proxy = await FaultProxy.open(program.port!);
    onTestFinished(() => proxy.close());
    const page = await openPage("about:blank");
    let pongs = 0;
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => (pongs += payload === '{"type":"pong"}' ? 1 : 0)),
    );
    await page.clock.install();
    await page.goto(proxy.url);
    await seen(page, "begin");
    // Asked in vain, and 10 s later not believed any more.
    proxy.set("down", { isFrozen: true });
    await page.clock.fastForward("00:15");
    expect(await page.locator("#connection").textContent()).toBe("live");
    await page.clock.fastForward("00:10");
    await page.locator("#connection", { hasText: "offline since" }).waitFor();

    repository.commitSteps("second", "echo meanwhile");
    await program.buildEnded(2);
    proxy.set("down", {});
    await page.clock.fastForward("00:15");
    await page.locator("#connection", { hasText: /^live$/ }).waitFor();
    await seen(page, "meanwhile");
    // Asked and answered, it stays what it is.
    const before = pongs;
    await page.clock.fastForward("00:15");
    await until("the answer is there", () => pongs > before);
    await page.clock.fastForward("00:10");
    expect(await page.locator("#connection").textContent()).toBe("live");
  });

  test("can be used by keyboard alone, and shows where it is", async () => {
    const repository = new TestRepository(steps("seq 300"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    repository.commitSteps("Second", "seq 400");
    await program.buildEnded(2);
    const page = await openPage(program.url);
    await seen(page, "400");
    const order: string[] = [];
    for (;;) {
      await page.keyboard.press("Tab");
      const [name, isVisible] = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return ["", true] as const;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        const { width, height } = element.getBoundingClientRect();
        const isSeen =
          outlineStyle === "solid" &&
          Number.parseFloat(outlineWidth) >= 2 &&
          width > 0 &&
          height > 0;
        return [
          element.id === "" ? (element.textContent ?? "").trim() : element.id,
          isSeen,
        ] as const;
      });
      if (name === "" || order.length > 20) break;
      expect([name, isVisible]).toEqual([name, true]);
      order.push(name);
    }
    expect(
      order.map((name) => name.replace(/[\d.]+ s.*/, "").replace(/^.*(Second|first).*/, "$1")),
    ).toEqual([
      "skip",
      "Second",
      "first",
      "raw-link",
      "wrap",
      "rebuild",
      expect.stringContaining("step-1"),
      "scroller",
    ]);

    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("scroller");
    await page.locator("#builds a").nth(1).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${program.url}/#build-1`);
    await logEnds(page, "=== build 1 passed");
    await page.locator("#live-link").focus();
    await page.keyboard.press("Enter");
    await seen(page, "400");
    await page.locator("#wrap").focus();
    await page.keyboard.press("Space");
    expect(await page.locator("#wrap").getAttribute("aria-pressed")).toBe("false");
    await page.locator("#rebuild").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`${program.url}/#build-3`);
  });

  test.each([
    ["wide", wide],
    ["narrow", narrow],
  ])(
    "has nothing that axe finds on a %s screen, in any state",
    async (_name, viewport) => {
      const gate = new Gate();
      const repository = new TestRepository(
        steps("printf '\\033[31mred \\033[90mgrey \\033[2mdim\\n'", "exit 1"),
      );
      const program = await Program.start([repository.folder, "http://127.0.0.1:9/nowhere.git"]);
      await program.buildEnded(1);
      repository.commitSteps(
        "A subject that is as long as somebody who does not read it before pushing makes it",
        "seq 200",
        gate.wait,
      );
      await program.buildRuns(2);
      const page = await openPage(program.url, viewport);
      await page.getByText("nowhere cannot be reached").waitFor();
      await seen(page, "200");
      await clean(page);
      if (viewport === narrow) {
        await page.getByRole("button", { name: /^Builds/ }).click();
        await page.locator("#builds a").first().waitFor();
        await clean(page);
        await smallTargets(page);
      }
      await page.locator("#builds a").nth(1).click();
      await seen(page, "red grey dim");
      await clean(page);
      // Nothing is wider than the screen.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(viewport.width);
      await program.stop();
      await page.locator("#connection", { hasText: "offline" }).waitFor();
      await clean(page);
    },
    60_000,
  );

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
    const again = await openPage(`${program.url}/#build-1`);
    await logEnds(again, "=== build 1 passed");
    expect((await consoleText(again)).split("\n").length).toBeLessThanOrEqual(5001);
  }, 60_000);

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

  test("moves nothing for those who asked for less motion", async () => {
    const gate = new Gate();
    const program = await Program.start([new TestRepository(steps(gate.wait)).folder]);
    const page = await openPage(program.url);
    await page.locator("#log-mark[data-state=running]").waitFor();
    const animation = (): Promise<string> =>
      page.locator("#log-mark").evaluate((mark) => getComputedStyle(mark).animationName);
    expect(await animation()).toBe("beat");
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(await animation()).toBe("none");
  });
});

/** Writes down that the first build was repeated so often, which takes no time. */
function addBuilds(dataDir: string, count: number): void {
  const database = openDatabase(dataDir);
  const store = new Store(database);
  const build = store.build(1)!;
  for (let index = 0; index < count; index++) {
    const { id } = store.insertBuild(repeatOf(build, "rebuild", build.queuedMs));
    store.startBuild(id, "", build.queuedMs);
    const end = { finishedMs: build.queuedMs, durationMs: 1000 * index, logBytes: 0 };
    store.endBuild(id, { state: index % 2 === 0 ? "passed" : "failed", reason: null, ...end });
  }
  database.close();
}

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

function icon(page: Page): Promise<string | null> {
  return page.locator("#favicon").getAttribute("href");
}

async function clean(page: Page): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
  expect(found).toEqual([]);
}

/** What a thumb must hit is at least 44 pixels high. */
async function smallTargets(page: Page): Promise<void> {
  const small = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, #builds a, #log-actions a")]
      .filter((element) => element.offsetParent !== null && element.offsetHeight < 44)
      .map((element) => `${element.id} ${element.textContent}: ${element.offsetHeight}`),
  );
  expect(small).toEqual([]);
}
