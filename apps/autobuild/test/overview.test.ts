import type { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Build, NewBuild } from "../src/build/build.ts";
import { OverviewReader } from "../src/build/overview-reader.ts";
import { retryFailed } from "../src/build/retry-failed.ts";
import { AutobuildError } from "../src/errors.ts";
import { openDatabase } from "../src/store/database.ts";
import { overviewQueries, OverviewStore } from "../src/store/overview-store.ts";
import { Store } from "../src/store/store.ts";
import { newBuildOf } from "./support/builds.ts";
import { addManyBuilds } from "./support/many-builds.ts";
import { temporaryFolder } from "./support/temporary.ts";

let database: DatabaseSync;
let store: Store;
let reader: OverviewReader;
let repositoryId: number;

beforeEach(() => {
  database = openDatabase(temporaryFolder());
  onTestFinished(() => database.close());
  store = new Store(database);
  repositoryId = store.repository("/srv/project", "project").id;
  reader = new OverviewReader({
    store,
    rows: new OverviewStore(database),
    queued: () =>
      store.buildsIn("queued").map((build, place) => ({ ...build, reason: `after ${place}` })),
    nowMs: () => 8 * 24 * 3_600_000,
    headBranchOf: () => "main",
    isWatched: (id) => id === repositoryId,
  });
});

describe("the overview", () => {
  test("has a row for each branch that is still there, the one built last first", () => {
    ended("main", "passed");
    ended("old", "failed");
    ended("next", "failed");
    store.forgetHead(repositoryId, "old");
    const other = store.repository("/srv/other", "other").id;
    store.saveHead(other, "main", "a");
    store.insertBuild(newBuild("main", other));
    expect(reader.overview().branches.map(({ branch }) => branch)).toEqual(["next", "main"]);
    // A build on its way is shown, wherever it comes from.
    store.insertBuild(newBuild("old"));
    expect(reader.overview().branches.map(({ branch }) => branch)).toEqual(["old", "next", "main"]);
  });

  test("has tags and pull requests for a week", () => {
    for (const [branch, days] of [
      ["tag v1", 0],
      ["tag v2", 2],
      ["main", 0],
    ] as const) {
      const { id } = store.insertBuild({ ...newBuild(branch), queuedMs: days * 24 * 3_600_000 });
      store.startBuild(id, "", 1);
      const end = { reason: null, finishedMs: 1, durationMs: 1, logBytes: 0 };
      store.endBuild(id, { state: "passed", ...end });
      if (branch !== "main") store.forgetHead(repositoryId, branch);
    }
    expect(reader.overview().branches.map(({ branch }) => branch)).toEqual(["main", "tag v2"]);
  });

  test("follows builds that are removed", () => {
    const first = ended("main", "passed");
    const second = ended("next", "passed");
    const third = ended("main", "failed");
    remove(third);
    expect(reader.overview().branches.map(({ build }) => build.id)).toEqual([second, first]);
    remove(second);
    expect(reader.overview().branches.map(({ build }) => build.id)).toEqual([first]);
    expect(reader.row(repositoryId, "next")).toBeUndefined();
  });

  test("tells since when a branch fails, and how often in a row", () => {
    ended("main", "failed");
    ended("main", "passed");
    expect(reader.row(repositoryId, "main")).toMatchObject({
      verdict: "passed",
      streak: 1,
      failingSince: null,
    });
    const broke = ended("main", "failed");
    ended("main", "cancelled");
    ended("main", "failed");
    expect(reader.row(repositoryId, "main")).toMatchObject({
      verdict: "failed",
      streak: 2,
      failingSince: { buildId: broke, finishedMs: 5000 },
    });
  });

  test("shows what runs before what has ended, and that before what was cancelled while it waited", () => {
    const first = ended("main", "passed");
    const waiting = store.insertBuild(newBuild("main")).id;
    expect(reader.row(repositoryId, "main")?.build.id).toBe(first);
    store.endBuild(waiting, {
      state: "cancelled",
      reason: null,
      finishedMs: 1,
      durationMs: null,
      logBytes: 0,
    });
    expect(reader.row(repositoryId, "main")?.build.id).toBe(first);
    const running = started("main");
    expect(reader.row(repositoryId, "main")).toMatchObject({
      build: { id: running, state: "running" },
      verdict: "passed",
    });
    const only = store.insertBuild(newBuild("next"));
    expect(reader.row(repositoryId, "next")).toMatchObject({ build: only, verdict: null });
  });

  test("has the usual times of a running build's steps, of its branch before that of HEAD", () => {
    for (const ms of [1000, 3000]) ended("main", "passed", { build: ms, test: ms * 2 });
    ended("next", "failed", { build: 500 });
    started("next");
    const times = (): unknown => reader.row(repositoryId, "next")?.forecast;
    expect(times()).toEqual({
      build: { medianMs: 1000, p90Ms: 3000 },
      test: { medianMs: 4000, p90Ms: 6000 },
    });
    ended("next", "passed", { build: 700 });
    expect(times()).toMatchObject({ build: { medianMs: 600 }, test: { medianMs: 4000 } });
    ended("quiet", "passed", {});
    expect(reader.row(repositoryId, "quiet")?.forecast).toBeNull();
  });

  test("tells the first of those that wait, how many there are, and why", () => {
    for (let index = 0; index < 25; index++) store.insertBuild(newBuild("main"));
    const { queue } = reader.overview();
    expect(queue.count).toBe(25);
    expect(queue.first.map(({ build, reason }) => [build.id, reason])).toEqual(
      Array.from({ length: 20 }, (_, index) => [index + 1, `after ${index}`]),
    );
  });

  test("is there page by page for those that do something with all of it", () => {
    const names = Array.from({ length: 250 }, (_, index) => `b${String(index).padStart(3, "0")}`);
    for (const name of names) ended(name, name === "b007" ? "failed" : "passed");
    store.forgetHead(repositoryId, "b008");
    const pages = [...reader.pages()];
    expect(pages.map(({ length }) => length)).toEqual([100, 100, 49]);
    expect(pages.flat().map(({ branch }) => branch)).toEqual(
      names.filter((name) => name !== "b008").toReversed(),
    );
    expect(reader.overview().branches).toEqual(pages[0]);

    const rebuilt: number[] = [];
    const builds = {
      queued: () => [],
      rebuild(id: number): Build {
        rebuilt.push(id);
        return store.build(id)!;
      },
    };
    expect(retryFailed(reader.pages(), builds, {}, "Ann")).toMatchObject({
      builds: [{ branch: "b007" }],
      isQueueFull: false,
    });
    for (const name of ["b003", "b005"]) ended(name, "failed");
    const full = {
      ...builds,
      rebuild(id: number): Build {
        if (rebuilt.length === 2) throw new AutobuildError("AUTOBUILD_QUEUE_FULL", "full");
        return builds.rebuild(id);
      },
    };
    expect(retryFailed(reader.pages(), full, {}, "Ann")).toMatchObject({
      builds: [{ branch: "b005" }],
      isQueueFull: true,
    });
    expect(() => retryFailed(reader.pages(), full, {}, "Ann")).toThrow("full");
  });

  test("looks at the same few rows, however many builds there are", () => {
    addManyBuilds(database, { builds: 1000, branches: 20, nowMs: 0 });
    for (const [name, sql] of Object.entries(overviewQueries)) {
      const parameters = Object.fromEntries(
        [...sql.matchAll(/\$(\w+)/g)].map(([, parameter = ""]) => [parameter, 1]),
      );
      const plan = database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(parameters)
        .map(({ detail }) => String(detail));
      // A scan goes over what a limit has cut already, or along an index up to the limit.
      const scans = plan.filter((line) =>
        /^SCAN (?!newest$|overview_branch USING COVERING INDEX)/.test(line),
      );
      const sorts = plan.filter((line) => line.includes("TEMP B-TREE"));
      expect([name, scans, sorts, plan.some((line) => /USING .*(?:INDEX|KEY)/.test(line))]).toEqual(
        [name, [], [], true],
      );
    }
  });
});

function newBuild(branch: string, of = repositoryId): NewBuild {
  store.saveHead(of, branch, "a");
  return newBuildOf(of, { branch });
}

function started(branch: string, steps: readonly string[] = []): number {
  const { id } = store.insertBuild(newBuild(branch));
  store.startBuild(id, "", 1);
  if (steps.length > 0)
    store.insertSteps(
      id,
      steps.map((name) => ({ name, command: "true" })),
    );
  return id;
}

function ended(
  branch: string,
  state: "passed" | "failed" | "cancelled",
  steps: Record<string, number> = {},
): number {
  const id = started(branch, Object.keys(steps));
  for (const [position, durationMs] of Object.values(steps).entries()) {
    store.startStep(id, position, 1);
    store.endStep(id, position, { state: "passed", reason: null, durationMs });
  }
  store.endBuild(id, {
    state,
    reason: null,
    finishedMs: 1000 * id + 2000,
    durationMs: 10,
    logBytes: 0,
  });
  return id;
}

/** What other tables have of it is not looked at here. */
function remove(id: number): void {
  database.exec("PRAGMA foreign_keys = OFF");
  database.prepare("DELETE FROM build WHERE id = ?").run(id);
  database.exec("PRAGMA foreign_keys = ON");
}
