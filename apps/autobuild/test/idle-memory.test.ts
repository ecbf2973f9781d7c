import { expect, test } from "vitest";
import { IdleMemory } from "../src/idle-memory.ts";

/** A process that is at work as long as it is told. */
class TestProcess {
  nowMs = 0;
  cpuMs = 0;
  collections = 0;
  readonly memory = new IdleMemory({
    cpuMs: () => this.cpuMs,
    nowMs: () => this.nowMs,
    collect: () => {
      this.collections += 1;
      this.cpuMs += 1000;
    },
  });

  pass(looks: number, cpuMs: number): number {
    for (let look = 0; look < looks; look++) {
      this.nowMs += 5000;
      this.cpuMs += cpuMs;
      this.memory.look();
    }
    return this.collections;
  }
}

test("what starting left is given back once, when it is over", () => {
  const process = new TestProcess();
  expect(process.pass(4, 251)).toBe(0);
  expect(process.pass(1, 250)).toBe(1);
  expect(process.pass(1000, 250)).toBe(1);
});

test("each time of work is followed by a collection, at most one in 20 seconds", () => {
  const process = new TestProcess();
  expect(process.pass(1, 0)).toBe(1);
  expect(process.pass(1, 5000)).toBe(1);
  expect(process.pass(2, 0)).toBe(1);
  expect(process.pass(1, 0)).toBe(2);
  expect(process.pass(100, 5000)).toBe(2);
  expect(process.pass(1, 0)).toBe(3);
});
