/** What the runner asks of the two processes: a JSON line in, a JSON line out, one at a time. */

export interface Usage {
  /** User and system time of all threads since the process began, in microseconds. */
  readonly cpuUs: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** Commands of a server, each with its answer. */
export interface ServerCommands {
  usage: { ask: {}; answer: Usage };
  /** Collects all garbage, as far as the runtime lets one ask for it. */
  gc: { ask: {}; answer: Usage };
  /** Begins a CPU profile, or ends it and writes it to `file`. */
  profile: { ask: { readonly file?: string }; answer: Usage };
}

export interface Faults {
  readonly missing: number;
  readonly repeated: number;
  readonly reordered: number;
  readonly damaged: number;
  /** Connections that ended though nobody asked for it. */
  readonly lost: number;
}

export interface PhaseResult extends Faults {
  /** Messages that arrived, over all connections. */
  readonly deliveries: number;
  /** Messages that were broadcast; where clients send for themselves, what they sent. */
  readonly messages: number;
  /** Reads in which they arrived. */
  readonly reads: number;
  readonly ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The generator's own share of its core. Near 1 it measures itself. */
  readonly generatorShare: number;
  /** It was given up before all had arrived. */
  readonly timedOut: boolean;
}

export interface ReleaseResult extends Faults {
  readonly deliveries: number;
  /** What they had not read when they were released, in bytes: of the one that read least, and of all together. */
  readonly maxBehindBytes: number;
  readonly behindBytes: number;
  readonly timedOut: boolean;
}

export interface OpenResult {
  readonly opened: number;
  readonly failed: number;
  /** The first failure, in words. */
  readonly failure: string | undefined;
  readonly ms: number;
  readonly generatorShare: number;
}

export interface Dialect {
  /** `engine-io`: Socket.IO, with packets of Engine.IO before the first message and as a heartbeat. */
  readonly kind: "plain" | "engine-io" | "windsock-v1";
  readonly path: string;
  /** Around each message's text, in both directions; `windsock-v1` has envelopes instead. */
  readonly prefix: string;
  readonly suffix: string;
}

/** How a client reads: as fast as it can, never, or 10 KiB a second. The last two once a phase runs. */
export type Pace = "fast" | "never" | "slow";

/** Commands of the generator, each with its answer. */
export interface GeneratorCommands {
  usage: { ask: {}; answer: Usage };
  open: {
    ask: {
      readonly port: number;
      readonly count: number;
      /** Handshakes at a time. */
      readonly concurrency: number;
      readonly dialect: Dialect;
      readonly pace: Pace;
    };
    answer: OpenResult;
  };
  /** `count` broadcasts in one turn, `bursts` times, each once the last has arrived. */
  burst: {
    ask: { readonly size: number; readonly count: number; readonly bursts: number };
    answer: PhaseResult;
  };
  /** Always `inFlight` broadcasts on their way, for `ms`. */
  saturate: {
    ask: {
      readonly size: number;
      readonly inFlight: number;
      readonly ms: number;
      /** Published by the callback that takes the order. */
      readonly isDirect: boolean;
    };
    answer: PhaseResult;
  };
  /** A broadcast now and then, each by itself. */
  paced: {
    ask: { readonly size: number; readonly perSecond: number; readonly ms: number };
    answer: PhaseResult;
  };
  /** Every connection has `inFlight` messages on their way and sends another for each reply, for `ms`. */
  echo: {
    ask: { readonly size: number; readonly inFlight: number; readonly ms: number };
    answer: PhaseResult;
  };
  /** Every connection sends `every` messages at a time, of which only the last is answered, for `ms`. */
  silent: {
    ask: { readonly size: number; readonly every: number; readonly ms: number };
    answer: PhaseResult;
  };
  /** Those that were slow in the last phase read on as fast as they can, until they have everything. */
  release: { ask: {}; answer: ReleaseResult };
  /** Ends those connections that are slow, or all. */
  close: { ask: { readonly onlySlow: boolean }; answer: { readonly closed: number } };
}
