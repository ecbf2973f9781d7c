import type { Faults } from "./commands.ts";

/** What a figure counts, and which way is better. */
export const units = {
  cpuNs: { title: "server CPU, ns a delivery", better: "less" },
  callbackNs: { title: "server CPU, ns a callback", better: "less" },
  callbacksPerCore: { title: "callbacks a second that a core could do", better: "more" },
  callbacksPerSecond: { title: "callbacks a second in this run", better: "more" },
  cpuUs: { title: "server CPU, us a connection", better: "less" },
  perSecond: { title: "connections a second", better: "more" },
  pssBytes: { title: "memory (PSS), bytes a connection", better: "less" },
  heapBytes: { title: "of it JavaScript heap, bytes a connection", better: "less" },
  copies: { title: "PSS over base, copies of the backlog", better: "less" },
  heapCopies: {
    title: "memory in use (heap and buffers) over base, copies of the backlog",
    better: "less",
  },
  rawCopies: {
    title: "PSS over base before a garbage collection, copies of the backlog",
    better: "less",
  },
  kernelCopies: { title: "socket buffers in the kernel, copies of the backlog", better: "less" },
  p99Ratio: {
    title: "p99 of those that read, as a multiple of that without the slow",
    better: "less",
  },
} as const satisfies Record<string, { title: string; better: "less" | "more" }>;

/** What is a multiple already: the control's stands beside it, not below it. */
export const plainUnits: ReadonlySet<Unit> = new Set<Unit>([
  "copies",
  "heapCopies",
  "rawCopies",
  "kernelCopies",
  "p99Ratio",
]);

export type Unit = keyof typeof units;

/** One row of one peer in one round. */
export interface Sample {
  readonly round: number;
  readonly row: string;
  readonly peer: string;
  readonly figures: Partial<Record<Unit, number>>;
  readonly deliveries: number;
  readonly faults: Faults | undefined;
  /** Write calls of the server for each message and connection; undefined where they cannot be counted. */
  readonly writesPerMessage: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** How much of its core each had: the rest was idle, or went to others. */
  readonly serverShare: number;
  readonly generatorShare: number;
  /** It was given up, or not all connections came up. */
  readonly failure: string | undefined;
  /** What else is to be said of it. */
  readonly note: string | undefined;
}
