import { describe, expect, test } from "vitest";
import type { Build, Step } from "../src/build/build.ts";
import {
  criticalPath,
  maxFraction,
  progressOf,
  usualTime,
  type Forecast,
} from "../src/build/forecast.ts";
import { buildWith } from "./support/builds.ts";

describe("the usual time", () => {
  test("is the median of the last five, from two on", () => {
    expect(usualTime([])).toBeUndefined();
    expect(usualTime([5])).toBeUndefined();
    expect(usualTime([5, 7])).toEqual({ medianMs: 6, p90Ms: 7 });
    expect(usualTime([1, 9, 2, 8, 3, 100, 100, 100])?.medianMs).toBe(3);
  });

  test("knows what nine of ten of the last twenty were below", () => {
    const times = Array.from({ length: 30 }, (_, index) => (index < 20 ? index + 1 : 1000));
    expect(usualTime(times)?.p90Ms).toBe(18);
  });
});

describe("how far a build is", () => {
  const forecast: Forecast = {
    build: { medianMs: 100, p90Ms: 150 },
    lint: { medianMs: 20, p90Ms: 30 },
    test: { medianMs: 300, p90Ms: 400 },
  };

  test("follows its steps one after the other", () => {
    const steps = [step("build", "running", 0), step("test", "waiting")];
    expect(progressOf(build(steps), forecast, 0)).toEqual({
      fraction: 0,
      leftMs: 400,
      isLong: false,
    });
    expect(progressOf(build(steps), forecast, 50)).toMatchObject({ fraction: 0.125, leftMs: 350 });
    const later = [step("build", "passed", 0, 200), step("test", "running", 200)];
    expect(progressOf(build(later), forecast, 350)).toMatchObject({ fraction: 0.7, leftMs: 150 });
  });

  test("counts parallel steps along the longest chain", () => {
    const steps = [
      { ...step("build", "passed", 0, 100), needs: [] },
      { ...step("lint", "running", 100), needs: ["build"] },
      { ...step("test", "running", 100), needs: ["build"] },
    ];
    expect(progressOf(build(steps), forecast, 110)).toMatchObject({ leftMs: 290, fraction: 0.275 });
  });

  test("is never done before it is, and tells what takes long", () => {
    const steps = [step("build", "passed", 0, 100), step("test", "running", 100)];
    expect(progressOf(build(steps), forecast, 500)).toEqual({
      fraction: maxFraction,
      leftMs: 0,
      isLong: false,
    });
    expect(progressOf(build(steps), forecast, 501)?.isLong).toBe(true);
  });

  test("is not told when it is not known", () => {
    expect(progressOf(build([]), forecast, 0)).toBeUndefined();
    for (const name of ["new", "__proto__", "constructor"])
      expect(progressOf(build([step(name, "waiting")]), forecast, 0)).toBeUndefined();
    // What has ended needs no usual time.
    const steps = [step("new", "passed", 0, 300), step("build", "running", 300)];
    expect(progressOf(build(steps), forecast, 300)).toMatchObject({ fraction: 0.75, leftMs: 100 });
    expect(progressOf({ ...build(steps), state: "passed" }, forecast, 300)).toBeUndefined();
  });
});

test("the critical path is the chain that decided how long it took", () => {
  const steps = [
    { ...step("install", "passed", 0, 10), needs: [] },
    { ...step("lint", "passed", 10, 5), needs: ["install"] },
    { ...step("build", "passed", 10, 50), needs: ["install"] },
    { ...step("test", "failed", 60, 20), needs: ["lint", "build"] },
    { ...step("publish", "skipped"), needs: ["test"] },
  ];
  expect(criticalPath(positioned(steps), 100)).toEqual(new Set([0, 2, 3]));
  expect([...criticalPath([step("a", "waiting")], 0)]).toEqual([]);
});

function step(
  name: string,
  state: Step["state"],
  startedMs: number | null = null,
  durationMs: number | null = null,
): Step {
  return {
    position: 0,
    name,
    command: "",
    state,
    reason: null,
    startedMs,
    durationMs,
    attempts: [],
    needs: null,
  };
}

function build(steps: readonly Step[]): Build {
  return buildWith({ startedMs: 0, steps: positioned(steps) });
}

function positioned<One extends Step>(steps: readonly One[]): One[] {
  return steps.map((one, position) => ({ ...one, position }));
}
