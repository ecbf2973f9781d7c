import {
  createClient,
  createCoreClient,
  readServerElements,
  type ChannelEvent,
  type Channel,
  type ClientPage,
  type ConnectOptions,
  type PageEvent,
} from "../../src/client/index.ts";
import {
  decodeClientEnvelope,
  encodeServerEnvelope,
  type ClientEnvelope,
  type JoinInfo,
  type ServerEnvelope,
} from "../../src/protocol/v1/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import type { AnyTyped } from "../any-typed.ts";
import { MemoryNetwork, type ServerEnd } from "./memory-network.ts";

export const info: JoinInfo = {
  answer: "new",
  id: "c1",
  token: "t1",
  epoch: "e1",
  log: 4,
  seq: 17,
  count: 0,
  done: 0,
  credit: 65_536,
  maxBytes: 65_536,
  graceMs: 60_000,
  version: "v1",
  params: {},
};

export class TestPage implements ClientPage {
  url: string | undefined = "https://example.com/page";
  hidden = false;
  readonly #listeners = new Set<(event: PageEvent) => void>();
  isHidden(): boolean {
    return this.hidden;
  }
  listen(listener: (event: PageEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  get listeners(): number {
    return this.#listeners.size;
  }
  emit(event: PageEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

export interface Connected {
  readonly channel: Channel<AnyTyped>;
  readonly log: ChannelEvent<AnyTyped>[];
}

/** Its functions need no `this`. */
export interface Rig {
  readonly clock: VirtualClock;
  readonly network: MemoryNetwork;
  readonly page: TestPage;
  readonly client: ReturnType<typeof createClient>;
  /** A channel whose events are kept. */
  readonly connect: (path?: string, options?: ConnectOptions) => Connected;
  /** What the client sent on the newest connection since the last call. */
  readonly sent: (server?: ServerEnd) => ClientEnvelope[];
  readonly say: (...envelopes: ServerEnvelope[]) => Promise<void>;
}

const eventTypes = [
  "message",
  "snapshot",
  "state",
  "resumed",
  "rejoined",
  "restarted",
  "presence",
  "version",
  "error",
] as const;

/** The rig with the client that leaves out what it can. */
export function coreRig(): Rig {
  const world = rig();
  const { network, clock, page } = world;
  const core = createCoreClient({
    WebSocket: network.WebSocket,
    clock,
    random: () => 0.5,
    page,
    decode: readServerElements,
  });
  return {
    ...world,
    connect(path = "status", options = {}) {
      const channel = core.connect<AnyTyped>(path, options);
      const log: ChannelEvent<AnyTyped>[] = [];
      for (const type of eventTypes)
        channel.on(type, (...args: unknown[]) => {
          log.push(args.at(-1) as ChannelEvent<AnyTyped>);
        });
      // It has no loops, and the tests that share this make none.
      return { channel: channel as Channel<AnyTyped>, log };
    },
  };
}

/** A client in a world that a test moves. */
export function rig(random: () => number = () => 0.5): Rig {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock);
  const page = new TestPage();
  const client = createClient({ WebSocket: network.WebSocket, clock, random, page });
  return {
    clock,
    network,
    page,
    client,
    connect(path = "status", options = {}) {
      const channel = client.connect<AnyTyped>(path, options);
      const log: ChannelEvent<AnyTyped>[] = [];
      void collect(channel, log);
      return { channel, log };
    },
    sent(server = network.server) {
      return server.received.splice(0).map((message) => decodeClientEnvelope(message)!);
    },
    async say(...envelopes) {
      for (const envelope of envelopes) network.server.send(encodeServerEnvelope(envelope));
      await clock.advance(0);
    },
  };
}

async function collect(channel: Channel<AnyTyped>, log: ChannelEvent<AnyTyped>[]): Promise<void> {
  try {
    for await (const event of channel.events()) log.push(event);
  } catch (error) {
    void error; // it was an `error` event before
  }
}
