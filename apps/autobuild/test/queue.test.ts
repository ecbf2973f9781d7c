import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Build } from "../src/build/build.ts";
import { manualOrigin, type BuildOrigin } from "../src/build/origin.ts";
import { maxOvertakes, supersededBy, turnsOf, type QueueEntry } from "../src/build/queue.ts";
import { buildWith } from "./support/builds.ts";

function entry(
  id: number,
  branch: string,
  {
    overtakes = 0,
    cause = "commit",
    repositoryId = 1,
    ...origin
  }: Partial<BuildOrigin> &
    Partial<Pick<QueueEntry, "overtakes">> &
    Partial<Pick<Build, "cause" | "repositoryId">> = {},
): QueueEntry {
  return {
    build: buildWith({
      id,
      repositoryId,
      branch,
      sha: String(id),
      cause,
      state: "queued",
      startedMs: null,
    }),
    origin: { ...manualOrigin, event: "push", isSupersedable: true, ...origin },
    overtakes,
  };
}
const said = (waiting: QueueEntry[], running: QueueEntry[], concurrency: number) =>
  turnsOf(
    waiting,
    running.map(({ build }) => build),
    concurrency,
  ).map(({ build, reason }) => [build.id, reason]);

describe("the order of the queue", () => {
  test("is what people ask for, then default branches, then the rest, each as it came", () => {
    const waiting = [
      entry(1, "a"),
      entry(2, "main", { isDefault: true }),
      entry(3, "b"),
      entry(4, "c", { cause: "rebuild" }),
      entry(5, "d", { cause: "manual", event: "watch" }),
      entry(6, "master", { isDefault: true, repositoryId: 2 }),
    ];
    expect(said(waiting, [], 9).map(([id]) => id)).toEqual([4, 5, 2, 6, 1, 3]);
  });

  test("lets nobody be overtaken more than ten times", () => {
    const waiting = [
      entry(1, "a", { overtakes: maxOvertakes - 1 }),
      entry(2, "b", { overtakes: maxOvertakes }),
      entry(30, "main", { isDefault: true }),
    ];
    expect(said(waiting, [], 9).map(([id]) => id)).toEqual([2, 30, 1]);
  });
});

describe("a build that waits", () => {
  test("says why: a slot, or another build of its branch that runs or goes before", () => {
    expect(
      said(
        [entry(3, "a"), entry(4, "b"), entry(5, "b"), entry(6, "c"), entry(7, "d")],
        [entry(1, "a")],
        2,
      ),
    ).toEqual([
      [3, "waiting for build 1 of the same branch"],
      [4, null],
      [5, "waiting for build 4 of the same branch"],
      [6, "waiting for a slot: 1 of 2 are taken, and 2 builds go before"],
      [7, "waiting for a slot: 1 of 2 are taken, and 3 builds go before"],
    ]);
    expect(said([entry(2, "b")], [entry(1, "a")], 1)).toEqual([
      [2, "waiting for a slot: one build runs at a time"],
    ]);
  });

  test("starts beside a build of the same branch of another repository", () => {
    expect(said([entry(2, "main", { repositoryId: 2 })], [entry(1, "main")], 2)).toEqual([
      [2, null],
    ]);
  });

  test("keeps the bounds, whatever waits and runs", () => {
    const entries = fc.uniqueArray(
      fc.record({
        id: fc.integer({ min: 1, max: 50 }),
        branch: fc.constantFrom("a", "b", "main"),
        repositoryId: fc.integer({ min: 1, max: 2 }),
        isDefault: fc.boolean(),
        overtakes: fc.integer({ min: 0, max: 12 }),
      }),
      { selector: ({ id }) => id },
    );
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 4 }), (all, concurrency) => {
        const [running, waiting] = [all.slice(0, 1), all.slice(1)].map((part) =>
          part.map(({ id, branch, ...rest }) => entry(id, branch, rest)),
        ) as [QueueEntry[], QueueEntry[]];
        const turns = turnsOf(
          waiting,
          running.map(({ build }) => build),
          concurrency,
        );
        expect(turns).toHaveLength(waiting.length);
        const runs = [
          ...running.map(({ build }) => build),
          ...turns.filter(({ reason }) => reason === null).map(({ build }) => build),
        ];
        expect(runs.length).toBeLessThanOrEqual(Math.max(concurrency, running.length));
        expect(new Set(runs.map((build) => `${build.repositoryId} ${build.branch}`)).size).toBe(
          runs.length,
        );
        // Work is never left lying while a slot is free and its branch is idle.
        const left = turns.flatMap(({ reason }) => reason ?? []);
        const lyingIdle = left.filter((reason) => !reason.includes("of the same branch"));
        expect(runs.length < concurrency ? lyingIdle : []).toEqual([]);
      }),
    );
  });
});

describe("a newer commit", () => {
  const superseded = (newer: QueueEntry, ...older: QueueEntry[]) =>
    supersededBy(newer, [...older, newer]).map(({ id }) => id);

  test("makes older builds of its branch pointless, and nothing else", () => {
    expect(
      superseded(
        entry(9, "topic"),
        entry(1, "topic"),
        entry(2, "other"),
        entry(3, "topic", { repositoryId: 2 }),
        entry(4, "topic", { cause: "rebuild", isSupersedable: false }),
        entry(5, "topic", { event: "cron", isSupersedable: false }),
        entry(6, "topic", { isSupersedable: false }),
        entry(10, "topic"),
      ),
    ).toEqual([1]);
  });

  test("does not on the default branch, for a tag, or where the configuration says no", () => {
    const older = entry(1, "topic");
    expect(superseded(entry(9, "topic", { isDefault: true }), older)).toEqual([]);
    expect(superseded(entry(9, "topic", { event: "tag" }), older)).toEqual([]);
    expect(superseded(entry(9, "topic", { isSupersedable: false }), older)).toEqual([]);
  });
});
