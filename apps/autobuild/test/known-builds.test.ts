import { describe, expect, test } from "vitest";
import type { Build } from "../src/build/build.ts";
import { duration, roughly, stateOf } from "../src/page/format.ts";
import { buildsPerPage, KnownBuilds } from "../src/page/known-builds.ts";
import { buildWith } from "./support/builds.ts";

describe("the builds that a page knows", () => {
  test("are the snapshot, newest first, and what changes", () => {
    const known = new KnownBuilds();
    known.snapshot([build(2), build(1)]);
    known.change(build(3, "queued"));
    known.change(build(2, "failed"));
    expect(states(known)).toEqual(["3 queued", "2 failed", "1 passed"]);
    expect(known.hasOlder).toBe(false);
    known.snapshot([build(4)]);
    expect(states(known)).toEqual(["4 passed"]);
    expect(known.get(1)).toBeUndefined();
  });

  test("have no hole: an old build that changes is not listed among new ones", () => {
    const known = new KnownBuilds();
    known.snapshot(range(60, buildsPerPage));
    expect(known.hasOlder).toBe(true);
    known.change(build(3));
    expect(known.listed).toHaveLength(buildsPerPage);
    known.older(range(10, 10));
    expect(known.hasOlder).toBe(false);
    expect(known.listed.map(({ id }) => id)).toEqual(range(60, 60).map(({ id }) => id));
    // A page that was asked for twice is there once.
    known.older(range(10, 10));
    expect(known.listed).toHaveLength(60);
  });

  test("are at most 500", () => {
    const known = new KnownBuilds();
    known.snapshot(range(1000, buildsPerPage));
    for (let first = 950; known.hasOlder; first -= buildsPerPage)
      known.older(range(first, buildsPerPage));
    expect(known.listed).toHaveLength(500);
    known.change(build(1001));
    expect(known.listed).toHaveLength(500);
    expect(known.listed[0]?.id).toBe(1001);
  });

  test("hold one more that was asked for by its number", () => {
    const known = new KnownBuilds();
    known.snapshot(range(100, buildsPerPage));
    known.found(build(7, "running"));
    known.change(build(7, "failed"));
    expect(known.get(7)?.state).toBe("failed");
    expect(known.listed).toHaveLength(buildsPerPage);
  });

  test("what is live is the oldest that runs, else the last that ran", () => {
    const known = new KnownBuilds();
    known.snapshot([build(4, "queued"), build(3, "running"), build(2, "running"), build(1)]);
    expect(known.live?.id).toBe(2);
    known.change(build(2));
    known.change(build(3));
    expect(known.live?.id).toBe(3);
    known.snapshot([build(4, "queued")]);
    expect(known.live).toBeUndefined();
  });
});

describe("what a page says", () => {
  test.each([
    [0, "< 0.1 s"],
    [99, "< 0.1 s"],
    [100, "0.1 s"],
    [9949, "9.9 s"],
    [9950, "10 s"],
    [59_499, "59 s"],
    [60_000, "1 min 0 s"],
    [3_600_000, "1 h 0 min"],
  ])("%d ms took %s", (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test("what is left is told roughly", () => {
    expect([0, 59_000, 60_000, 89_000, 91_000].map(roughly)).toEqual([
      "1 s",
      "59 s",
      "1 min",
      "1 min",
      "2 min",
    ]);
  });

  test("the step that failed, or that runs, is named", () => {
    const step = {
      position: 0,
      name: "test",
      command: "",
      reason: null,
      startedMs: 1,
      durationMs: null,
      attempts: [],
      needs: null,
    };
    expect(stateOf({ ...build(1, "failed"), steps: [{ ...step, state: "failed" }] })).toBe(
      "failed in test",
    );
    expect(stateOf({ ...build(1, "running"), steps: [{ ...step, state: "running" }] })).toBe(
      "running test",
    );
    expect(stateOf(build(1, "failed"))).toBe("failed");
    expect(stateOf({ ...build(1), steps: [{ ...step, state: "passed" }] })).toBe("passed");
  });
});

function states({ listed }: KnownBuilds): string[] {
  return listed.map(({ id, state }) => `${id} ${state}`);
}

/** So many builds, from `first` downwards. */
function range(first: number, count: number): Build[] {
  return Array.from({ length: count }, (_, index) => build(first - index));
}

function build(id: number, state: Build["state"] = "passed"): Build {
  return buildWith({ id, state, startedMs: state === "queued" ? null : 1 });
}
