import {
  createClient,
  decodeServerElements,
  type Channel,
  type ClientClock,
  type ClientPorts,
  type ConnectOptions,
  type WindsockClient,
} from "../../src/client/index.ts";
import type { JoinInfo } from "../../src/protocol/v1/index.ts";
import type { AnyTyped } from "../any-typed.ts";

/** One thing that a channel showed. */
export type Seen =
  | {
      readonly type: "published";
      readonly seq: number;
      readonly topic: string;
      readonly message: unknown;
    }
  | { readonly type: "private"; readonly message: unknown }
  | { readonly type: "snapshot"; readonly seq: number; readonly message: unknown }
  | { readonly type: "restarted"; readonly seq: number }
  | { readonly type: "rejoined" | "resumed" }
  | { readonly type: "error"; readonly code: string };

export interface TestChannel {
  readonly channel: Channel<AnyTyped>;
  readonly seen: Seen[];
}

/** A clock that runs so many times as fast: what is 45 s to the client takes 4.5 s of the test. */
export function fastClock(speed: number): ClientClock {
  return {
    now: () => performance.now() * speed,
    setTimeout(run, ms) {
      const handle = setTimeout(run, ms / speed);
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

export interface TestClientOptions {
  /** @default 10 */
  readonly speed?: number;
  /** For the waits before it comes back. */
  readonly random: () => number;
  /** @default that of Node */
  readonly WebSocket?: ClientPorts["WebSocket"];
}

/** The real client, with a socket of its own for all its channels. */
export class TestClient {
  /** Every `joined` that came, in order. An epoch belongs to one service, so it tells whose. */
  readonly joins: JoinInfo[] = [];
  readonly #connect: WindsockClient["connect"];
  readonly #channels: Channel<AnyTyped>[] = [];

  constructor({ speed = 10, random, WebSocket }: TestClientOptions) {
    const { connect } = createClient({
      ...(WebSocket === undefined ? {} : { WebSocket }),
      clock: fastClock(speed),
      random,
      decode: (message) => {
        const elements = decodeServerElements(message);
        if (elements?.[0] === "joined") this.joins.push(elements[2]);
        return elements;
      },
    });
    this.#connect = connect;
  }

  connect(path: string, url: string, options: ConnectOptions = {}): TestChannel {
    const channel = this.#connect<AnyTyped>(path, { url, ...options });
    this.#channels.push(channel);
    return { channel, seen: watch(channel) };
  }

  close(): void {
    for (const channel of this.#channels.splice(0)) channel.close();
  }
}

/** Keeps what a channel shows. */
export function watch(channel: Channel<AnyTyped>): Seen[] {
  const seen: Seen[] = [];
  channel.on("message", (message, { source }) => {
    if (source.type === "published")
      seen.push({ type: "published", seq: source.seq, topic: source.topic, message });
    else if (source.type === "snapshot") seen.push({ type: "snapshot", seq: source.seq, message });
    else seen.push({ type: "private", message });
  });
  channel.on("restarted", ({ seq }) => seen.push({ type: "restarted", seq }));
  channel.on("rejoined", () => seen.push({ type: "rejoined" }));
  channel.on("resumed", () => seen.push({ type: "resumed" }));
  channel.on("error", ({ code }) => seen.push({ type: "error", code }));
  return seen;
}
