import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, Run, stepOf, type Kind } from "./delivery-run.ts";

let listenNoMore: () => void;
beforeAll(() => {
  listenNoMore = listen();
});
afterAll(() => listenNoMore());

const kinds: readonly [string, Kind][] = [
  ["in memory", { durable: false, durableState: false, hasSnapshot: false, messages: 1000 }],
  [
    "in memory, a short log",
    { durable: false, durableState: false, hasSnapshot: false, messages: 5 },
  ],
  [
    "a short log and a snapshot",
    { durable: false, durableState: false, hasSnapshot: true, messages: 5 },
  ],
  ["durable", { durable: true, durableState: false, hasSnapshot: false, messages: 1000 }],
  ["durable, a short log", { durable: true, durableState: false, hasSnapshot: false, messages: 5 }],
  [
    "durable, with its state and a snapshot",
    { durable: true, durableState: true, hasSnapshot: true, messages: 5 },
  ],
];

/** `WINDSOCK_FAULT_RUNS=1000` for a long run. */
const numRuns = Number(process.env["WINDSOCK_FAULT_RUNS"] ?? 25);

describe("whatever happens, in whatever order", () => {
  test.each(kinds)(
    "each client has the whole order once, or is told: %s",
    async (_name, kind) => {
      const steps = fc.array(stepOf(kind.durable ? 1 : 0), {
        minLength: 1,
        maxLength: 60,
        size: "max",
      });
      await fc.assert(
        fc.asyncProperty(steps, fc.nat(1000), async (some, seed) => {
          const run = new Run(kind, seed);
          try {
            await run.steps(some);
          } finally {
            await run.world.end();
          }
          run.check();
          expect(run.faults).toEqual([]);
        }),
        { numRuns },
      );
    },
    600_000,
  );
});
