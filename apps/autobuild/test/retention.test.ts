import { existsSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import type { EndState } from "../src/build/build.ts";
import type { AutobuildEvents } from "../src/build/builds.ts";
import { progressOf } from "../src/build/forecast.ts";
import { Retention, retentionDefaults } from "../src/build/retention.ts";
import { Emitter } from "../src/events.ts";
import { openDatabase } from "../src/store/database.ts";
import { KeptStore, type KeepBounds } from "../src/store/kept-store.ts";
import { Store } from "../src/store/store.ts";
import { newBuildOf } from "./support/builds.ts";
import { Gate } from "./support/gate.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

const dayMs = 86_400_000;
const forEver: KeepBounds = { maxAgeMs: 1e15, maxPerBranch: 1e6, maxBytes: 1e15 };

class Rig {
  readonly clock = new ManualClock();
  readonly problems: string[] = [];
  readonly removed: string[] = [];
  readonly events = new Emitter<AutobuildEvents>(() => {});
  readonly kept: KeptStore;
  readonly #store: Store;
  readonly #repository: number;

  constructor() {
    const database = openDatabase(temporaryFolder());
    onTestFinished(() => database.close());
    this.#store = new Store(database);
    this.kept = new KeptStore(database);
    this.#repository = this.#store.repository("/p", "project").id;
    this.events.on("problem", ({ message }) => this.problems.push(message));
  }

  /** A build that ended now, and what it left. */
  build(state: EndState, branch = "main", bytes = 10): number {
    const { id } = this.#store.insertBuild(newBuildOf(this.#repository, { branch }));
    this.#store.startBuild(id, "cookie", 1);
    const finishedMs = this.clock.epochMs();
    const ended = this.#store.endBuild(id, {
      state,
      reason: null,
      finishedMs,
      durationMs: 1,
      logBytes: bytes,
    });
    this.kept.add("log", id, bytes);
    this.events.emit("buildChanged", ended);
    return id;
  }

  due(bounds: Partial<KeepBounds>): number[] {
    return this.kept.superfluous("log", { ...forEver, ...bounds }, this.clock.epochMs());
  }
}

describe("what goes", () => {
  test("is what is too old, but the newest of each branch that passed and that failed", () => {
    const rig = new Rig();
    for (const state of ["failed", "passed", "failed", "passed", "cancelled"] as const)
      rig.build(state);
    rig.build("passed", "other");
    rig.clock.advance(10 * dayMs);
    expect(rig.due({ maxAgeMs: 20 * dayMs })).toEqual([]);
    rig.build("passed");
    expect(rig.due({ maxAgeMs: 9 * dayMs })).toEqual([1, 2, 4, 5]);
  });

  test("is what is beyond the number that a branch keeps", () => {
    const rig = new Rig();
    for (let count = 0; count < 6; count++) rig.build("passed", count % 2 === 0 ? "main" : "other");
    expect(rig.due({ maxPerBranch: 2 })).toEqual([1, 2]);
    expect(rig.due({ maxPerBranch: 1 })).toEqual([1, 2, 3, 4]);
  });

  test("is the oldest until the rest fits, what must stay counted", () => {
    const rig = new Rig();
    rig.build("passed", "old", 50);
    for (let count = 0; count < 5; count++) rig.build("passed");
    expect(rig.due({ maxBytes: 100 })).toEqual([]);
    expect(rig.due({ maxBytes: 90 })).toEqual([2]);
    expect(rig.due({ maxBytes: 75 })).toEqual([2, 3, 4]);
    expect(rig.due({ maxBytes: 1 })).toEqual([2, 3, 4, 5]);
  });
});

test("retention removes after a build, and every hour; what cannot be removed is said and tried again", async () => {
  const rig = new Rig();
  let isBroken = false;
  const bounds = { ...forEver, maxAgeMs: dayMs };
  const retention = new Retention(
    {
      store: rig.kept,
      clock: rig.clock,
      events: rig.events,
      logBytesOf: async () => 25,
      async remove(kind, id) {
        if (isBroken) throw new Error("no permission");
        rig.removed.push(`${kind} ${id}`);
      },
    },
    { log: bounds, artifacts: bounds },
  );
  onTestFinished(() => retention.stop());
  retention.start();
  rig.build("cancelled");
  rig.clock.advance(2 * dayMs);
  rig.build("passed");
  await until("the first is gone", () => rig.removed.length === 1);
  expect(rig.removed).toEqual(["log 1"]);
  expect(rig.kept.has("log", 1)).toBe(false);
  // What the folder holds counts, not only the console.
  expect(rig.kept.bytes("log")).toBe(25);

  isBroken = true;
  rig.build("cancelled");
  rig.clock.advance(2 * dayMs);
  await until("it is said", () => rig.problems.length > 0);
  expect(rig.problems[0]).toBe("Old logs could not be removed: no permission");
  isBroken = false;
  await until("it waits for the next hour", () => rig.clock.nextDelayMs !== undefined);
  rig.clock.advance(60 * 60_000);
  await until("the third is gone", () => rig.removed.includes("log 3"));
});

test("what is known of a build outlives its folder: its state, times, steps, tests, and the branch's trend", async () => {
  const repository = new TestRepository(steps("echo one"));
  const server = await TestServer.start({
    repositories: [repository.folder],
    keep: { ...retentionDefaults, log: { ...forEver, maxPerBranch: 1 } },
  });
  const { autobuild } = server;
  const { builds, folders, overview } = autobuild;
  const before = await server.ended(1);
  for (const id of [2, 3, 4]) {
    repository.commitSteps(`build ${id}`, "echo one");
    await server.ended(id);
  }
  await until("the oldest folders are gone", () =>
    [1, 2, 3].every((id) => !existsSync(folders.of(id).path)),
  );
  expect(builds.get(1)).toEqual(before);
  const row = overview.row(before.repositoryId, "main");
  expect(row?.recent.map(({ state, durationMs }) => [state, durationMs !== null])).toEqual(
    Array.from({ length: 4 }, () => ["passed", true]),
  );
  const gate = new Gate();
  repository.commitSteps("build 5", gate.wait);
  await server.until("build 5 runs its step", () => builds.get(5)?.steps[0]?.state === "running");
  const running = overview.row(before.repositoryId, "main");
  expect(progressOf(running!.build, running!.forecast!, Date.now())).toBeDefined();
  gate.open();
  expect(await autobuild.detailsOf(builds.get(1)!)).toMatchObject({
    trigger: { type: "look" },
    message: "first",
    machine: null,
    planReason: null,
  });
  expect(await server.logOf(1)).toBe("");
}, 60_000);
