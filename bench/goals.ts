import type { Unit } from "./sample.ts";

/** What a row of Windsock's must reach. */
export interface Goal {
  readonly row: string;
  readonly unit: Unit | "writes";
  /** The peer that it is compared with; undefined: an absolute figure. */
  readonly against: string | undefined;
  readonly bound: number;
  /** Where `windsock.v1` has another. */
  readonly boundOfV1?: number;
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

const absolute = (row: string, unit: Unit, bound: number, boundOfV1: number = bound): Goal => ({
  row,
  unit,
  against: undefined,
  bound,
  boundOfV1,
});

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
  absolute("idle-10k", "pssBytes", 6500, 8000),
  { row: "storm-10k", unit: "perSecond", against: "ws", bound: 0.8 },
  { row: "storm-10k", unit: "perSecond", against: "socket-io", bound: 2 },
  // The same where the server was not what held the storm up: so much less of a core for each.
  { row: "storm-10k", unit: "cpuUs", against: "ws", bound: 1 / 0.8 },
  { row: "storm-10k", unit: "cpuUs", against: "socket-io", bound: 1 / 2 },
  absolute("slow", "heapCopies", 1.5),
  absolute("slow", "p99Ratio", 1.5),
];

/** `perSecond` is to be at least its bound, all others at most. */
export function isAtLeast({ unit }: Goal): boolean {
  return unit === "perSecond";
}

/** Whose rows the goals are about, in each dialect. */
export const ours = { plain: "windsock-publish", v1: "windsock-v1" } as const;
