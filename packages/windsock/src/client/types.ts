import type { PresenceChanges, PresenceEntry } from "../protocol/v1/index.ts";
import type { ServiceAt, ServiceName } from "../service/registry.ts";
import type { AnyService, TypesOf } from "../service/types.ts";
import type { ClientError } from "./client-error.ts";
import type { OutboxLimits } from "./outbox.ts";
import type { ReaderLimits } from "./reader.ts";

// ---------- what a service means for its client ----------

/** What is left of a value when it has been JSON: a `Date` is a string, a method is gone. Bytes stay bytes. */
export type Jsonified<T> = T extends Uint8Array | string | number | boolean | null | undefined
  ? T
  : T extends { toJSON(): infer J }
    ? Jsonified<J>
    : T extends (...args: never) => unknown
      ? never
      : T extends object
        ? { [K in keyof T]: Jsonified<T[K]> }
        : T;

/** What a client of the service may send. */
export type Incoming<S> = TypesOf<S>["incoming"];

/** What a client of the service receives: messages, and snapshots of the same type. */
export type Outgoing<S> = Jsonified<TypesOf<S>["outgoing"]>;

/** Who is there, as the service's `presence.entry` says it. */
type Presence<S> = TypesOf<S> extends { presence: infer Entry } ? Jsonified<Entry> : PresenceEntry;

type Calls<S> = TypesOf<S>["calls"];
type Request<S, N extends keyof Calls<S>> = Calls<S>[N] extends { request: infer R }
  ? R
  : undefined;
type Response<S, N extends keyof Calls<S>> = Calls<S>[N] extends { response: infer R }
  ? Jsonified<R>
  : undefined;

type CallArguments<R> = undefined extends R
  ? [request?: R, options?: CallOptions]
  : [request: R, options?: CallOptions];

// ---------- options ----------

export interface ConnectOptions extends Partial<OutboxLimits>, Partial<ReaderLimits> {
  /**
   * The server, with the `base` under which it serves if it has one: `https://example.com/app`.
   * Channels with the same one share a socket. @default the page's origin; needed in Node
   */
  readonly url?: string;
  /** Added to the service's URL, for `client.request.url` in the service. */
  readonly query?: Readonly<Record<string, string>>;
  /** Given to `authorize` at each join, resumes included. A function is called each time, so that it can give a fresh token. */
  readonly auth?: unknown;
}

export interface SendOptions {
  /**
   * At least once: where it is unknown whether the message was handled, send it again.
   * Without it such a send rejects with `WINDSOCK_UNKNOWN`. @default false
   */
  readonly retry?: boolean;
}

export interface CallOptions {
  /** From the call to its answer, waiting for a connection included. Beyond: `WINDSOCK_TIMEOUT`. @default 5000 */
  readonly timeoutMs?: number;
  /** Rejects with the signal's reason, and tells the service. */
  readonly signal?: AbortSignal;
}

// ---------- state ----------

/**
 * How the channel stands: one union, for a status indicator.
 *
 * ```
 *   connecting ──► open ◄──► draining
 *       │           │ ▲          │
 *       │           ▼ │          │
 *       │         resuming ◄─────┘
 *       │           │ ▲
 *       ▼           ▼ │  after 2 minutes
 *         suspended ──┴──► open
 *   any ──► closed
 * ```
 */
export type ChannelState =
  /** Not joined yet. `attempt` counts from 0; `retryInMs` is 0 while one is under way. */
  | { readonly type: "connecting"; readonly attempt: number; readonly retryInMs: number }
  /** Joined: `id` is `client.id` in the service. */
  | {
      readonly type: "open";
      readonly id: string;
      readonly params: Readonly<Record<string, string>>;
      readonly version: string;
    }
  /** The connection broke; the membership waits at the server. What is sent now goes out later. */
  | { readonly type: "resuming"; readonly attempt: number; readonly retryInMs: number }
  /** Everything works; the server stops soon, and the channel moves within this time. */
  | { readonly type: "draining"; readonly id: string; readonly withinMs: number }
  /** Two minutes without: a gap is likely now. It is tried on, and the gap will be filled or reported. */
  | {
      readonly type: "suspended";
      readonly attempt: number;
      readonly retryInMs: number;
      readonly error: ClientError;
    }
  /** For good. Without an error it was closed by `close()`, or by the service with 1000. */
  | {
      readonly type: "closed";
      readonly code: number;
      readonly reason: string;
      readonly error?: ClientError;
    };

// ---------- events ----------

/** Where a message came from. */
export type MessageSource =
  /** `service.publish`, under this topic: `""` is the service's own log. */
  | { readonly type: "published"; readonly topic: string; readonly seq: number }
  /** `client.send`. */
  | { readonly type: "private" }
  /** A log on the app's own store; `offset` is behind this part. */
  | { readonly type: "tail"; readonly topic: string; readonly offset: number }
  /** The whole state after entry `seq`, in place of messages that are no longer kept. */
  | { readonly type: "snapshot"; readonly seq: number };

/** All that a channel tells, in its order. */
export type ChannelEvent<S> =
  | { readonly type: "message"; readonly message: Outgoing<S>; readonly source: MessageSource }
  /** The state stands for all messages before; it comes as a `message` too. */
  | { readonly type: "snapshot"; readonly snapshot: Outgoing<S>; readonly seq: number }
  | { readonly type: "state"; readonly state: ChannelState }
  /** After a cut: everything that was missed follows. */
  | { readonly type: "resumed" }
  /** This is a new join: messages may be missing, and what was sent without an answer is unknown. */
  | { readonly type: "rejoined" }
  /** The service began anew, and its state with it. */
  | { readonly type: "restarted"; readonly seq: number }
  | ({ readonly type: "presence"; readonly seq: number } & PresenceChanges<Presence<S>>)
  /** The service's code has changed. */
  | { readonly type: "version"; readonly version: string; readonly previous: string }
  /** What no promise reports: a refused join, a lost connection to a faulty server. */
  | { readonly type: "error"; readonly error: ClientError };

type EventOf<S, T> = Extract<ChannelEvent<S>, { readonly type: T }>;

/** What the handler of each event is called with: what the event is named after, if there is such a thing, and the event. */
export interface ChannelHandlers<S> {
  /** A message, a snapshot too. `source` says where it came from. */
  message(message: Outgoing<S>, event: EventOf<S, "message">): void;
  /** The whole state, in place of messages that are no longer kept. It comes as a `message` too. */
  snapshot(snapshot: Outgoing<S>, event: EventOf<S, "snapshot">): void;
  /** How the channel stands has changed: for a status indicator. */
  state(state: ChannelState, event: EventOf<S, "state">): void;
  /** The connection is back, and nothing is missing: what was published meanwhile follows. */
  resumed(event: EventOf<S, "resumed">): void;
  /** A new join: messages may be missing. Ask for what you need, or load anew. */
  rejoined(event: EventOf<S, "rejoined">): void;
  /** The service began anew after a crash or a start, and its state with it. */
  restarted(event: EventOf<S, "restarted">): void;
  /** Who came (`join`) and went (`leave`, by `id`). With `all`, `join` is everybody. */
  presence(event: EventOf<S, "presence">): void;
  /** The service's code is another than at the last join. */
  version(version: string, event: EventOf<S, "version">): void;
  /** What no promise reports. After a refused join the channel is closed; otherwise it is tried on. */
  error(error: ClientError, event: EventOf<S, "error">): void;
}

// ---------- the channel ----------

// The compiler would take the conditional types over `S` for no use of it: one channel for another.
/** A client's end of one service: what it says, in order, and what it is told. */
export interface Channel<in out S = AnyService> extends AsyncIterable<Outgoing<S>, undefined> {
  /** What follows `/websocket/` in the URL: `room/42`. */
  readonly path: string;
  readonly state: ChannelState;
  /**
   * Calls the handler for each event of this type, in order; gives the way to stop.
   * Messages that came before the first handler or loop are kept for it.
   */
  on<
    // The names themselves: where another one is given, the compiler lists these, and would not a `keyof` or an alias.
    T extends
      | "message"
      | "snapshot"
      | "state"
      | "resumed"
      | "rejoined"
      | "restarted"
      | "presence"
      | "version"
      | "error",
  >(
    type: T,
    handler: ChannelHandlers<S>[T],
  ): () => void;
  /**
   * Sends a message. Resolves when the service has taken it (its turn is committed);
   * rejects with a `ClientError` when it was refused or failed, or where that is unknown.
   * While there is no connection it waits, within `maxQueueBytes` and `maxQueueMessages`.
   */
  send(message: Incoming<S>, options?: SendOptions): Promise<void>;
  /** Calls the service by the name of one of its `calls`, and gives its reply. */
  call<N extends keyof Calls<S> & string>(
    name: N,
    ...args: CallArguments<Request<S, N>>
  ): Promise<Response<S, N>>;
  /** Messages and snapshots, in order. Each loop has its own bounded buffer; it ends when the channel is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Outgoing<S>, undefined>;
  /** Everything that `on` tells, in one order. */
  events(): AsyncIterableIterator<ChannelEvent<S>, undefined>;
  /** Gives a new token to the live session. Resolves when `authorize` took it. */
  reauthorize(token: unknown): Promise<void>;
  /** Leaves for good: the service's `handleClose` runs. What is not done rejects. Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}

type BareName<N extends string> = N extends `${infer Path}?${string}` ? Path : N;

/** Opens a channel to a service. Connects by itself, and comes back by itself. */
export interface Connect {
  /** By the type of its file: `connect<typeof import("./websocket/status.ts").default>("status")`. */
  <S extends AnyService = never>(
    path: [S] extends [never] ? never : string,
    options?: ConnectOptions,
  ): Channel<S>;
  /** By a name that is declared in `Services`; while none is, by any name. */
  <const N extends string>(
    path: BareName<N> extends ServiceName ? N : ServiceName,
    options?: ConnectOptions,
  ): Channel<ServiceAt<BareName<N>>>;
}

/** A channel without loops: its messages come to handlers. */
export type CoreChannelOf<S> = Omit<
  Channel<S>,
  typeof Symbol.asyncIterator | typeof Symbol.dispose | "events"
>;

/** As `Connect`, for channels without loops. */
export interface CoreConnect {
  <S extends AnyService = never>(
    path: [S] extends [never] ? never : string,
    options?: CoreConnectOptions,
  ): CoreChannelOf<S>;
  <const N extends string>(
    path: BareName<N> extends ServiceName ? N : ServiceName,
    options?: CoreConnectOptions,
  ): CoreChannelOf<ServiceAt<BareName<N>>>;
}

type CoreConnectOptions = Omit<ConnectOptions, keyof ReaderLimits | "query">;
