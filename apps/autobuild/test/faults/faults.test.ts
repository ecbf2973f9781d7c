import { existsSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { Harness } from "./harness.ts";
import { cancelHidden } from "./hidden-processes.ts";
import { killServer } from "./killed-server.ts";
import { readSlowly } from "./slow-viewer.ts";

// The short forms of `faults` and `measure`: what in them depends on no clock. First load and the overview's queries
// are held by `e2e/assets.test.ts` and `overview.test.ts`.
describe("a build", () => {
  const harnessOfTest = (): Harness => {
    const harness = new Harness();
    onTestFinished(() => harness.close());
    return harness;
  };

  test("whose server is killed twice and whose viewer is cut off ten times is recorded and seen byte for byte", async () => {
    const figures = await killServer(harnessOfTest(), { kills: 2, cuts: 10 });
    expect(figures).toMatchObject({ state: "passed", isRecorded: true, isSeen: true });
    expect(figures.connections).toBeGreaterThanOrEqual(10);
  }, 120_000);

  test.runIf(existsSync("/proc/self/environ"))(
    "that hides by setsid, nohup and double forks leaves no process when it is cancelled",
    async () => {
      const { before, left } = await cancelHidden(harnessOfTest());
      expect(before).toBeGreaterThanOrEqual(4);
      expect(left).toBe(0);
    },
    120_000,
  );

  test("that prints 20 MB comes whole to a viewer that did not read while it ran", async () => {
    const { file, seen, earlyBytes } = await readSlowly(harnessOfTest());
    expect(file.length).toBeGreaterThan(20_000_000);
    expect(earlyBytes).toBeLessThan(file.length / 2);
    expect(seen.equals(file)).toBe(true);
  }, 120_000);
});
