import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { expectAccessible, expectToFit } from "../support/axe.ts";
import { hasBrowser, narrow, openPage, useBrowser, wide } from "../support/browser.ts";
import { Gate } from "../support/gate.ts";
import { addManyBuilds } from "../support/many-builds.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

describe.skipIf(!hasBrowser)("the overview (needs Chromium: set WINDSOCK_CHROMIUM)", () => {
  useBrowser();

  test("has a row for each branch, which follows what happens there", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps("echo fine"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(program.url);
    await row(page, "main").getByText("#1 passed").waitFor();
    expect(await page.title()).toBe("✓ passed · project · AutoBuild");

    repository.git("switch", "--quiet", "--create", "next");
    const sha = repository.commitSteps("Try it", "true", `${gate.wait}; exit 3`).slice(0, 7);
    await row(page, "next")
      .getByText(/^#\d running step-2$/)
      .waitFor();
    expect(await row(page, "next").locator(".bar").isVisible()).toBe(true);
    expect(await page.title()).toBe("▶ 1 running · AutoBuild");
    gate.open();
    await row(page, "next")
      .getByText(/^#\d failed in step-2$/)
      .waitFor();
    expect(await row(page, "next").innerText()).toMatch(
      new RegExp(
        `^✗\\s+next\\s+[\\d.]+ s\\s+Try it\\s+#\\d failed in step-2\\s+${sha} · Ann · just now$`,
      ),
    );
    expect(await page.title()).toBe("✗ 1 of 2 failing · AutoBuild");
    await page
      .getByRole("status")
      .getByText(/^Build \d of project failed in step-2$/)
      .waitFor();
    await page.waitForFunction(() => document.querySelectorAll("#branches .rows li").length === 2);

    repository.commitSteps("Try again", "exit 4");
    await row(page, "next")
      .getByText(/failing for 1 min, 2 in a row/)
      .waitFor();
    expect(await row(page, "next").locator(".spark path.failed").getAttribute("d")).not.toBe("");
    // The branch of HEAD stands first, whatever was built last.
    expect(await page.locator("#branches .branch").allTextContents()).toEqual(["next", "main"]);
  }, 120_000);

  test("drops branches that are removed, at once or when nothing of them runs any more, and repositories that are built no more", async () => {
    const gate = new Gate();
    const [repository, other] = [
      new TestRepository(steps("true")),
      new TestRepository(steps("true")),
    ];
    const program = await Program.start([repository.folder, other.folder]);
    await program.buildEnded(2);
    repository.git("switch", "--quiet", "--create", "gone");
    repository.commitSteps("Soon gone", "true");
    repository.git("switch", "--quiet", "--create", "going");
    repository.commitSteps("Runs on", gate.wait);
    const page = await openPage(program.url);
    await row(page, "gone").getByText("passed").waitFor();
    await row(page, "going").getByText("running").waitFor();
    repository.git("switch", "--quiet", "main");
    repository.git("branch", "-D", "gone", "going");
    await row(page, "gone").waitFor({ state: "detached" });
    expect(await row(page, "going").count()).toBe(1);
    gate.open();
    await row(page, "going").waitFor({ state: "detached" });
    const branches = page.locator("#branches .branch");
    expect(await branches.allTextContents()).toEqual(["main", "main"]);

    const { dataDir, port } = program;
    await program.stop();
    await Program.start([repository.folder], { dataDir, port: port! });
    await expect.poll(() => branches.allTextContents(), { timeout: 45_000 }).toEqual(["main"]);
  }, 90_000);

  test("removes a repository that was added, for whoever types its name, by keyboard alone", async () => {
    const given = new TestRepository(steps("true"));
    const added = new TestRepository(steps("echo kept"));
    const program = await Program.start([given.folder]);
    await program.buildEnded(1);
    const answer = await fetch(`${program.url}/api/repositories`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ source: added.folder }),
    });
    expect(answer.status).toBe(201);
    await program.buildEnded(2);
    const page = await openPage(program.url);
    // What AutoBuild was started with is not to be removed here.
    const button = page.getByRole("button", { name: "Remove project" });
    await button.waitFor();
    expect(await button.count()).toBe(1);
    await button.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Build project no more?" });
    await dialog.getByText(added.folder).waitFor();
    await expectAccessible(page);
    await page.keyboard.type("w projec");
    expect(await dialog.getByRole("button", { name: "Remove" }).isDisabled()).toBe(true);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect(new URL(page.url()).pathname).toBe("/");

    await page.setViewportSize(narrow);
    await button.focus();
    await page.keyboard.press("Enter");
    // What is typed before it is open goes to the page.
    await dialog.waitFor();
    await expectToFit(page);
    await page.keyboard.type("project");
    await page.keyboard.press("Enter");
    await button.waitFor({ state: "detached" });
    await page.getByRole("status").getByText("project is built no more").waitFor();
    expect((await program.builds()).repositories.map(({ label }) => label)).toEqual([given.folder]);
    expect((await fetch(`${program.url}/builds/2/log`)).status).toBe(200);
  }, 90_000);

  test("names what fails above a list that is longer than the screen, and says what was never built", async () => {
    const repositories = Array.from(
      { length: 6 },
      (_, index) => new TestRepository(index === 5 ? {} : steps(index === 4 ? "exit 1" : "true")),
    );
    const program = await Program.start(repositories.map(({ folder }) => folder));
    await program.buildEnded(5);
    const page = await openPage(program.url, { width: 1280, height: 420 });
    const nav = page.getByRole("navigation", { name: "What fails" });
    await nav.getByText("✗ 1 of 5 failing").waitFor();
    const link = nav.getByRole("link", { name: "project main" });
    expect(await link.getAttribute("title")).toBe("project main: failed in step-1");
    await expectAccessible(page);
    expect(await page.locator(".nothing-yet:visible").allTextContents()).toEqual([
      "No builds yet. Each new commit is built.",
    ]);

    // Its row is out of sight, and comes into sight with its build.
    const failed = page.locator("#branches a[data-state=failed]");
    const isInSight = (): Promise<boolean> =>
      failed.evaluate((one) => {
        const [own, all] = [one, one.closest("#overview")!].map((each) =>
          each.getBoundingClientRect(),
        );
        return own!.top >= all!.top && own!.bottom <= all!.bottom;
      });
    expect(await isInSight()).toBe(false);
    await link.click();
    await page.waitForURL(/\/builds\/\d$/);
    await expect.poll(isInSight).toBe(true);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(program.url);
    await nav.waitFor();
    await expectToFit(page);

    repositories[4]?.commitSteps("Mended", "true");
    await nav.waitFor({ state: "hidden" });
  }, 90_000);

  test("tells how long it will take, once two builds have told it", async () => {
    const gates = [new Gate(), new Gate()] as const;
    const repository = new TestRepository(steps("sleep 0.4"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    repository.commitSteps("Second", `sleep 0.4; ${gates[0].wait}`);
    await program.buildRuns(2);
    const page = await openPage(program.url);
    await row(page, "main").locator(".bar[data-known=false]").waitFor();
    gates[0].open();
    await program.buildEnded(2);
    repository.commitSteps("Third", `${gates[1].wait}`);
    await row(page, "main").locator(".bar[data-known=true]").waitFor();
    await row(page, "main")
      .getByText(/longer than usual/)
      .waitFor();
    gates[1].open();
    expect((await program.buildEnded(3)).state).toBe("passed");
  }, 90_000);

  test("tells what waits, and why", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(gate.wait));
    const program = await Program.start([repository.folder]);
    await program.buildRuns(1);
    const page = await openPage(program.url);
    repository.commitSteps("Second", "true");
    await page.getByRole("heading", { name: "Queue: 1" }).waitFor();
    await page.locator("#queued").getByText("#2 waiting for build 1 of the same branch").waitFor();
    await page.locator("#queued a").click();
    await page.getByText("This build is waiting for build 1").waitFor();
    gate.open();
    await page.locator("#queue").waitFor({ state: "hidden" });
    expect(await page.getByRole("heading", { name: /^Queue/ }).count()).toBe(0);
  }, 90_000);

  test("lists all builds page by page, and opens one that is not listed", async () => {
    const repository = new TestRepository(steps("true"));
    const first = await Program.start([repository.folder]);
    await first.buildEnded(1);
    await first.stop();
    const { dataDir } = first;
    const database = openDatabase(dataDir);
    addManyBuilds(database, { builds: 54, branches: 3, nowMs: Date.now() });
    database.close();
    const program = await Program.start([repository.folder], { dataDir });
    const page = await openPage(`${program.url}/builds/1`);
    await page.getByText("first", { exact: true }).first().waitFor();
    await page.getByText("All builds").click();
    expect(await page.locator("#builds li").count()).toBe(50);
    await page.getByText("Show older builds").click();
    await page.waitForFunction(() => document.querySelectorAll("#builds li").length === 55);
    expect(await page.getByText("Show older builds").isHidden()).toBe(true);
    await page.locator("#builds a").first().click();
    await page.waitForURL(`${program.url}/builds/55`);
  }, 120_000);

  test("is honest when the server is away, and catches up without a reload", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo begin; ${gate.wait}`));
    const killed = await Program.start([repository.folder]);
    const page = await openPage(killed.url);
    await row(page, "main").getByText("#1 running step-1").waitFor();
    await page.locator("#connection", { hasText: /^live$/ }).waitFor();
    await page.evaluate(() => Object.assign(window, { wasHere: true }));
    const { port } = killed;
    killed.child.kill("SIGKILL");
    await killed.ended();
    await page.locator("#connection", { hasText: /^reconnecting, trying/ }).waitFor();
    await page
      .getByText(/^As it was at \d\d:\d\d:\d\d$/)
      .first()
      .waitFor();

    gate.open();
    const program = await Program.start([repository.folder], {
      dataDir: killed.dataDir,
      ...(port !== undefined && { port }),
    });
    await program.buildEnded(1);
    // It would come by itself; who is told that the network is back tries at once.
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await page.locator("#connection", { hasText: /^live$/ }).waitFor();
    await row(page, "main").getByText("#1 passed").waitFor();
    expect(await page.locator("#stale").isHidden()).toBe(true);
    expect(await page.evaluate(() => "wasHere" in window)).toBe(true);

    // A server that is stopped says so before it goes.
    await program.stop();
    await page.locator("#connection", { hasText: /^server restarts, trying/ }).waitFor();
  }, 120_000);

  // Its script could not be fetched, and the place beside the overview stayed empty.
  test("shows a build that was chosen while the server was away once it is back", async () => {
    const repository = new TestRepository(steps("true"));
    const killed = await Program.start([repository.folder]);
    await killed.buildEnded(1);
    const page = await openPage(killed.url);
    await row(page, "main").getByText("#1 passed").waitFor();
    const { port, dataDir } = killed;
    killed.child.kill("SIGKILL");
    await killed.ended();
    await page.locator("#connection", { hasText: /^reconnecting, trying/ }).waitFor();
    await row(page, "main").click();
    await page.getByText("This page appears when the server is back.").waitFor();
    const program = await Program.start([repository.folder], {
      dataDir,
      ...(port !== undefined && { port }),
    });
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await page.locator("#build-title", { hasText: "#1 first" }).waitFor();
    expect(page.url()).toBe(`${program.url}/builds/1`);
    expect(await page.getByText("This page appears when the server is back.").count()).toBe(0);
  }, 90_000);

  test("is used by keyboard alone, and has a sheet of the keys", async () => {
    const repository = new TestRepository(steps("seq 300"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(program.url);
    await row(page, "main").waitFor();
    const order = await tabOrder(page);
    expect(order).toEqual([
      "Skip to the content",
      "AutoBuild",
      "Live",
      "Wall",
      "notify",
      "help-button",
      expect.stringMatching(/main.*first/),
      "All builds",
      "#1 first",
      "raw-link",
      "wrap",
      "scroller",
    ]);
    await page.keyboard.press("?");
    const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await sheet.waitFor();
    await expectAccessible(page);
    await page.keyboard.press("w");
    expect(page.url()).toBe(`${program.url}/`);
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "hidden" });
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${program.url}/builds/1`);
    await page.keyboard.press("w");
    await page.waitForURL(`${program.url}/wall`);
    await page.keyboard.press("Escape");
    await page.waitForURL(`${program.url}/`);

    // Turned off, keys are nobody's but the browser's.
    await page.keyboard.press("?");
    await page.getByLabel("Single keys do something").uncheck();
    await page.getByRole("button", { name: "Close" }).click();
    await page.keyboard.press("w");
    await page.reload();
    await page.keyboard.press("w");
    await row(page, "main").waitFor();
    expect(page.url()).toBe(`${program.url}/`);
  }, 90_000);

  test("notifies who has asked for it when a branch breaks and when it is mended", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const page = await openPage(program.url);
    await page.context().grantPermissions(["notifications"]);
    await page.evaluate(() => {
      const said: string[] = [];
      Object.assign(window, {
        said,
        Notification: class {
          static permission = "granted";
          constructor(title: string) {
            said.push(title);
          }
          addEventListener(): void {}
        },
      });
    });
    const said = (): Promise<string[]> =>
      page.evaluate(() => (window as unknown as { said: string[] }).said);
    await page.getByRole("button", { name: "Notify me" }).click();
    await page.getByRole("button", { name: "Notifying" }).waitFor();
    for (const [id, run] of ["exit 1", "exit 1", "true", "true"].entries()) {
      repository.commitSteps(`Then ${id}`, run);
      await program.buildEnded(id + 2);
    }
    await row(page, "main").getByText("#5 passed").waitFor();
    expect(await said()).toEqual(["project main is broken", "project main is mended"]);
  }, 120_000);

  test.each([
    ["wide", wide],
    ["narrow", narrow],
    ["narrowest", { width: 360, height: 740 }],
  ])(
    "has nothing that axe finds on a %s screen, in any state",
    async (_name, viewport) => {
      const gate = new Gate();
      const repository = new TestRepository(
        steps("printf '\\033[31mred \\033[90mgrey \\033[2mdim\\n'", "exit 1"),
      );
      const program = await Program.start([repository.folder, "http://127.0.0.1:9/nowhere.git"]);
      await program.buildEnded(1);
      repository.git("switch", "--quiet", "--create", `feature/${"long-".repeat(20)}name`);
      repository.commitSteps(
        "A subject that is as long as somebody who does not read it before pushing makes it",
        "true",
      );
      repository.git("switch", "--quiet", "main");
      repository.commitSteps("Runs", gate.wait);
      const runs = await builtAs(program, "Runs", "running");
      repository.commitSteps("Waits", "true");
      const waits = await builtAs(program, "Waits", "queued");
      const page = await openPage(program.url, viewport);
      await page.getByText("nowhere cannot be reached").first().waitFor();
      await page.getByText("Queue: 1").waitFor();
      for (const path of [
        "/",
        "/builds/1",
        `/builds/${runs}`,
        `/builds/${waits}`,
        "/builds/77",
        "/wall",
      ]) {
        await page.goto(program.url + path);
        await page.locator("html[data-connection=live]").waitFor();
        await expectAccessible(page);
        if (viewport !== wide && path !== "/wall") await expectToFit(page);
      }
      await page.goto(program.url);
      await page.locator("html[data-connection=live]").waitFor();
      gate.open();
      await program.stop();
      await page.locator("html[data-connection=lost]").waitFor();
      await expectAccessible(page);
      expect(await page.locator("#stale").innerText()).toMatch(/^As it was at/);
    },
    90_000,
  );

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
    expect(
      await page
        .locator("body")
        .evaluate((body) => getComputedStyle(body.parentElement!).backgroundColor),
    ).toBe("rgb(0, 0, 0)");
  }, 90_000);
});

describe.skipIf(!hasBrowser)("the wall (needs Chromium: set WINDSOCK_CHROMIUM)", () => {
  useBrowser();

  test("fills the screen with a tile for each branch, the broken ones first", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    for (let index = 0; index < 6; index++) {
      repository.git("switch", "--quiet", "--create", `branch-${index}`);
      repository.commitSteps(`Change ${index}`, index === 2 ? "exit 1" : "true");
      await program.buildEnded(index + 2);
    }
    const page = await openPage(`${program.url}/?wall`, { width: 1920, height: 1080 });
    await page.waitForFunction(
      () =>
        document.querySelectorAll(".tile").length === 7 &&
        document.querySelectorAll(".tile[data-running=true]").length === 0,
    );
    const tiles = await page.locator(".tile").evaluateAll((all) =>
      all.map((tile) => {
        const { left, top, right, bottom, height } = tile.getBoundingClientRect();
        const name = tile.querySelector(".name")!;
        return {
          isSeen: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight,
          height,
          text: Number.parseFloat(getComputedStyle(name).fontSize),
          state: (tile as HTMLElement).dataset["state"],
        };
      }),
    );
    expect(tiles.map(({ isSeen }) => isSeen)).toEqual(Array(7).fill(true));
    expect(tiles.map(({ state }) => state)).toEqual(["failed", ...Array<string>(6).fill("passed")]);
    expect(Math.min(...tiles.map(({ text }) => text))).toBeGreaterThan(36);
    await page.getByText("7 branches: 1 failing").waitFor();
    // Everything moves by some pixels from minute to minute.
    const place = (): Promise<string> =>
      page.locator("#wall").evaluate((wall) => wall.style.translate);
    await page.clock.install();
    const before = await place();
    await page.clock.fastForward("01:00");
    await until("it has moved", async () => (await place()) !== before);
  }, 120_000);
});

/** The number of the build of that commit, once it is in that state. A new branch may be built before its first commit. */
async function builtAs(program: Program, subject: string, state: string): Promise<number> {
  let id: number | undefined;
  await until(`${subject} is ${state}`, async () => {
    const { builds } = await program.builds();
    id = builds.find((build) => build.subject === subject && build.state === state)?.id;
    return id !== undefined;
  });
  return id ?? 0;
}

function row(page: Page, branch: string): ReturnType<Page["locator"]> {
  return page.locator("#branches li a", { has: page.getByText(branch, { exact: true }) });
}

/** What Tab leads to, from the start of the page to its end; each must be seen to have the focus. */
async function tabOrder(page: Page): Promise<string[]> {
  const order: string[] = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const [name, isVisible] = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return ["", true] as const;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const { width, height } = element.getBoundingClientRect();
      const isSeen =
        outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1 && width > 0 && height > 0;
      return [element.id === "" ? (element.textContent ?? "").trim() : element.id, isSeen] as const;
    });
    if (name === "" || order.length > 30) return order;
    expect([name, isVisible]).toEqual([name, true]);
    order.push(name);
  }
}
