/** What is measured. A scenario is one server and one set of connections; its rows run on it one after the other. */

export type Work =
  /** All connections at once: how fast, what each costs, and what they leave. */
  | { readonly type: "storm" }
  /** What a silent connection holds. */
  | { readonly type: "idle" }
  | { readonly type: "burst"; readonly count: number; readonly bursts: number }
  | {
      readonly type: "saturate";
      readonly inFlight: number;
      readonly ms: number;
      /** Published by the callback that takes the order. */
      readonly isDirect: boolean;
    }
  | { readonly type: "paced"; readonly perSecond: number; readonly ms: number }
  | { readonly type: "echo"; readonly inFlight: number; readonly ms: number }
  /** `every` messages at a time, of which the last is answered. */
  | { readonly type: "silent"; readonly every: number; readonly ms: number }
  /** Broadcasts of `size` bytes, with some clients that do not keep up; then without them. */
  | {
      readonly type: "slow";
      readonly size: number;
      readonly perSecond: number;
      readonly ms: number;
      readonly never: number;
      readonly slow: number;
    };

export interface Row {
  readonly name: string;
  readonly title: string;
  readonly work: Work;
  /** What is counted is callbacks, not deliveries. */
  readonly isCallback?: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly clients: number;
  /** Whether they come some at a time, with a garbage collection after each: as over a day, not as a storm. */
  readonly isGradual: boolean;
  /** Run before what counts: compiles the hot paths. */
  readonly warmUp: readonly Work[];
  readonly rows: readonly Row[];
  /** Only these servers. @default all that are not special */
  readonly peers?: readonly string[];
  /** Rounds of a short run. @default 3 */
  readonly shortRounds?: number;
}

export const messageBytes = 128;
/** Handshakes at a time in a storm: fewer than the queue of a listening socket holds. */
export const stormConcurrency = 256;
/** Connections that come at a time where they come gradually. */
export const gradualStep = 500;
/** Opened and closed before all others: what the first connections cost a process is not what each costs. */
export const warmUpConnections = 500;
/** The same before a storm, which comes to servers that have run for a while: by then their code is compiled. */
export const stormWarmUp = 5000;

/** The scenarios, each phase `ms` long where it goes by time. */
export function scenarios(ms: number, bursts: number): readonly Scenario[] {
  return [
    {
      name: "1k",
      clients: 1000,
      isGradual: false,
      warmUp: [
        { type: "saturate", inFlight: 8, ms: 500, isDirect: false },
        { type: "burst", count: 100, bursts: 1 },
        // Few messages a second take long to make code hot: without this, a twentieth of a single broadcast was V8 compiling.
        { type: "paced", perSecond: 80, ms: 3000 },
      ],
      rows: [
        {
          name: "burst-1k",
          title: "burst of 100 broadcasts in a turn, 1,000 clients",
          work: { type: "burst", count: 100, bursts },
        },
        {
          name: "saturated-1k",
          title: "saturated, 8 broadcasts in flight, 1,000 clients",
          work: { type: "saturate", inFlight: 8, ms, isDirect: false },
        },
        {
          name: "single-1k",
          title: "single broadcasts, 25 a second, 1,000 clients",
          work: { type: "paced", perSecond: 25, ms: ms * 3 },
        },
      ],
    },
    {
      name: "echo",
      clients: 100,
      isGradual: false,
      warmUp: [{ type: "echo", inFlight: 16, ms: 500 }],
      rows: [
        {
          name: "echo-1",
          title: "echo, 100 connections, 1 in flight",
          work: { type: "echo", inFlight: 1, ms },
        },
        {
          name: "echo-16",
          title: "echo, 100 connections, 16 in flight",
          work: { type: "echo", inFlight: 16, ms },
        },
      ],
    },
    {
      name: "idle",
      clients: 10_000,
      shortRounds: 1,
      isGradual: true,
      warmUp: [],
      rows: [
        { name: "idle-10k", title: "idle connection, joined, of 10,000", work: { type: "idle" } },
      ],
    },
    {
      name: "10k",
      clients: 10_000,
      shortRounds: 1,
      isGradual: false,
      warmUp: [{ type: "saturate", inFlight: 4, ms: 300, isDirect: false }],
      rows: [
        {
          name: "storm-10k",
          title: "connection storm with join, 10,000",
          work: { type: "storm" },
        },
        {
          name: "single-10k",
          title: "single broadcasts, 3 a second, 10,000 clients",
          work: { type: "paced", perSecond: 3, ms: ms * 2 },
        },
        {
          name: "saturated-10k",
          title: "saturated, 4 broadcasts in flight, 10,000 clients",
          work: { type: "saturate", inFlight: 4, ms: ms * 1.5, isDirect: false },
        },
        {
          name: "burst-10k",
          title: "burst of 100 broadcasts in a turn, 10,000 clients",
          work: { type: "burst", count: 100, bursts: 1 },
        },
      ],
    },
    {
      name: "slow",
      clients: 180,
      isGradual: false,
      shortRounds: 1,
      warmUp: [],
      rows: [
        {
          name: "slow",
          title: "180 clients that read, 10 that never do, 10 at 10 KiB/s",
          work: {
            type: "slow",
            size: 8192,
            perSecond: 150,
            ms: Math.min(20_000, ms * 8),
            never: 10,
            slow: 10,
          },
        },
      ],
    },
    ...[1, 100, 1000].map((clients) => callbacks(clients, ms)),
  ];
}

/** Callbacks of one service: which do nothing, send to one client, publish to all. */
function callbacks(clients: number, ms: number): Scenario {
  const of = clients === 1 ? "1 client" : `${clients.toLocaleString("en")} clients`;
  // As many messages on their way, however many send.
  const each = Math.max(1, 100 / clients);
  return {
    name: `callbacks-${clients}`,
    clients,
    isGradual: false,
    shortRounds: 1,
    peers: ["ws", "windsock-publish", "windsock-v1", "windsock-durable", "windsock-v1-durable"],
    warmUp: [
      { type: "silent", every: 100, ms: 400 },
      { type: "echo", inFlight: each, ms: 400 },
      { type: "saturate", inFlight: 100, ms: 400, isDirect: true },
    ],
    rows: [
      {
        name: `nothing-${clients}`,
        title: `callbacks that do nothing, ${of}`,
        work: { type: "silent", every: 100, ms },
        isCallback: true,
      },
      {
        name: `send-${clients}`,
        title: `callbacks that send to one client, ${of}`,
        work: { type: "echo", inFlight: each, ms },
        isCallback: true,
      },
      {
        name: `publish-${clients}`,
        title: `callbacks that publish, ${of}`,
        work: { type: "saturate", inFlight: 100, ms, isDirect: true },
        isCallback: true,
      },
      {
        name: `alone-${clients}`,
        title: `callbacks that publish, one at a time, ${of}`,
        work: { type: "saturate", inFlight: 1, ms, isDirect: true },
        isCallback: true,
      },
    ],
  };
}
