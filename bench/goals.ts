import type { Unit } from "./sample.ts";

/** What a row of Windsock's must reach. */
export interface Goal {
  readonly row: string;
  readonly unit: Unit | "writes";
  /** The peer that it is compared with; undefined: an absolute figure. */
  readonly against: string | undefined;
  readonly bound: number;
}

const atMost = (row: string, against: string, bound: number): Goal => ({
  row,
  unit: "cpuNs",
  against,
  bound,
});
const writes = (row: string, bound: number): Goal => ({
  row,
  unit: "writes",
  against: undefined,
  bound,
});

/** The goals of the plain dialect. `perSecond` is to be at least its bound, all others at most. */
export const goals: readonly Goal[] = [
  atMost("burst-1k", "ws", 0.02),
  atMost("burst-1k", "bun", 0.5),
  atMost("burst-10k", "ws", 0.02),
  atMost("burst-10k", "bun", 0.35),
  atMost("saturated-1k", "ws", 0.15),
  atMost("saturated-1k", "socket-io", 0.12),
  atMost("single-1k", "ws", 0.9),
  atMost("single-1k", "socket-io", 0.6),
  atMost("echo-16", "ws", 0.55),
  writes("burst-1k", 0.011),
  writes("saturated-1k", 0.13),
  writes("single-1k", 1.01),
  { row: "idle-10k", unit: "pssBytes", against: undefined, bound: 6500 },
  { row: "storm-10k", unit: "perSecond", against: "ws", bound: 0.8 },
  { row: "storm-10k", unit: "perSecond", against: "socket-io", bound: 2 },
];

/** Whose rows the goals are about. */
export const ours = "windsock-publish";
