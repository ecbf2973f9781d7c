import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { HistoryLimits, ServiceLimits } from "../protocol/limits.ts";
import type { CloseReason } from "../protocol/port.ts";
import type { PresenceEntry } from "../protocol/v1/index.ts";
import type { Awaitable, CallOutcome, Hint, Outcome, Primitive, StopReason } from "./outcome.ts";
import type { AnySchema, InputOf, OutputOf, Sendable, TypeToken, Unchecked } from "./schema.ts";

/** Why `terminate` runs. */
export type TerminateReason =
  /** The actor of a key was idle. */
  | { readonly type: "normal" }
  /** The server stops. */
  | { readonly type: "shutdown" }
  /** A callback threw, rejected or did not settle. A new incarnation follows. */
  | { readonly type: "error"; readonly error: unknown }
  /** A callback returned `stop(reason)`. */
  | { readonly type: "stop"; readonly reason: StopReason };

/** What `handleInfo` gets when `noreply(state, { timeoutMs })` ran out. */
export interface Timeout {
  readonly type: "timeout";
}

/** The HTTP request that opened a client's connection. */
export interface UpgradeRequest {
  readonly url: URL;
  readonly headers: Headers;
  readonly cookies: ReadonlyMap<string, string>;
  readonly remoteAddress: string;
  /** What a client of `windsock.v1` gave with its join: a token, say. Not checked. Undefined for plain clients. */
  readonly auth: unknown;
}

export interface SubscribeOptions {
  /**
   * Where to begin: a `seq` of this service's own log (0: the oldest entry kept),
   * or an offset of a log that `service.log` put under the topic.
   * @default the end: only what comes
   */
  readonly from?: number;
}

/** One membership: a client of one service. The same object in every callback, across restarts of the service. */
export interface Client<in Out = Sendable, out User = unknown, out Params = {}> {
  /** This membership, unique in the server. */
  readonly id: string;
  /** The browser, by its signed cookie: several tabs, several clients, one session. */
  readonly sessionId: string;
  readonly request: UpgradeRequest;
  /** What `authorize` returned. */
  readonly user: User;
  /** The parts of the path in brackets: `room/[id].ts` gives `{ id }`. */
  readonly params: Params;
  /** The sub-protocol that was agreed on; empty without one. */
  readonly protocol: string;
  /** `"restart"` when `handleJoin` is replayed after a crash: a greeting was said already. */
  readonly joinReason: "new" | "restart" | "rejoin";
  /**
   * Sends text, bytes or a JSON value to this client alone, when the turn commits. A client whose
   * connection broke gets it when it is back; one that is gone does not.
   *
   * @throws EncodeError when it is none of them
   */
  readonly send: (message: Out) => void;
  /**
   * Closes after what was sent before: a socket, or a channel of `windsock.v1`. A reason is cut at
   * 123 bytes. @default code 1000
   *
   * @throws OptionError when the code is none that may be sent
   */
  readonly close: (code?: number, reason?: string) => void;
  /**
   * Follows a topic, when the turn commits; with `from`, what it already holds comes first. A topic that
   * is followed already goes on as it is.
   *
   * @throws OverloadedError beyond `limits.maxSubscriptions`; OptionError when `from` is no integer of at least 0
   */
  readonly subscribe: (topic: string, options?: SubscribeOptions) => void;
  readonly unsubscribe: (topic: string) => void;
}

/** A log that the app keeps, as bytes or messages at growing offsets: a file, a table. */
export interface LogSource {
  /** The offset after the last entry. */
  readonly head: () => Awaitable<number>;
  /**
   * The entries at `from`, about `maxBytes` of them, and the offset behind them.
   * Called whenever a client that follows the topic can take more, by one reader at a
   * time for each offset. `next` equal to `from` means: nothing more yet.
   */
  readonly read: (from: number, maxBytes: number) => Awaitable<LogChunk>;
}

export interface LogChunk {
  readonly messages: readonly (string | Uint8Array)[];
  /** The offset behind each message. Without it, several messages may come again after a cut; a single one needs none. */
  readonly offsets?: readonly number[];
  readonly next: number;
}

/** The service itself, as its callbacks see it. What they do with it happens when the turn commits. */
export interface ServiceContext<
  in Out = Sendable,
  in Info = never,
  out Params = {},
  out C = Client<Out>,
  in State = never,
> {
  /** The service's name: `status`, `room/[id]`. */
  readonly name: string;
  /** The key of a keyed service, its params joined by `/`; else empty. */
  readonly key: string;
  /** What `broadcast` and `call` find this actor by: `status`, `room/42`. */
  readonly address: string;
  readonly params: Params;
  /** Who is there: one entry for all clients with the same `id`. @throws OptionError without `presence` in the definition */
  readonly presence: () => readonly PresenceEntry[];
  /** The clients that have joined, in the order of their joins. */
  readonly clients: () => Iterable<C>;
  /** Appends to the service's log: every client gets it, or every one that follows the topic. Encoded once. @throws EncodeError when it is no text, bytes or JSON value */
  readonly publish: {
    (message: Out): void;
    (topic: string, message: Out): void;
  };
  /** Sends to these clients of this service, encoded once. */
  readonly sendAll: (clients: Iterable<{ readonly id: string }>, message: Out) => void;
  /** Posts to this actor's own `handleInfo`. */
  readonly info: (info: Info) => void;
  /**
   * Posts to `handleInfo` after `ms`, 0 to 2^31 - 1, counted from the commit. Ends with the incarnation.
   *
   * @throws OverloadedError beyond `limits.maxTimers`; OptionError when `ms` is out of range
   */
  readonly sendAfter: (info: Info, ms: number) => { cancel(): void };
  /**
   * Puts a log of the app's under a topic, at once, for as long as the actor runs. Clients that subscribe to
   * it are served from the source. Best done in `init`: clients that come back after a start wait for that.
   *
   * @throws OverloadedError beyond `limits.maxLogs`; OptionError when the topic has no name
   */
  readonly log: (topic: string, source: LogSource) => void;
  /** Says that the log under this topic has grown. @throws OptionError when there is none */
  readonly advance: (topic: string) => void;
  /** Commits what this turn has done so far, with this state if one is given. A later crash does not undo it. */
  readonly flush: (...state: [] | [state: State]) => Promise<void>;
  /** This log: positions of another epoch mean nothing. The fencing token for effects outside. */
  readonly epoch: string;
  /** The number of the newest published entry. */
  readonly seq: number;
  /**
   * Of the message or call of a `windsock.v1` client that the running callback handles; else undefined. The same
   * if it is handled again, as after the death of the process: an idempotency key for effects outside.
   */
  readonly messageId: string | undefined;
  /** Aborted when this incarnation ends. */
  readonly signal: AbortSignal;
}

/** Says that nothing may be posted to `handleInfo`: the service has no `info: type<Tick>()`. */
export interface NoInfoDeclared {
  readonly [undeclared]: never;
}
declare const undeclared: unique symbol;

/** What may be posted, and what a reader of an error sees when the service has not declared it. */
export type Postable<Info> = [Info] extends [never] ? NoInfoDeclared : Info;

// The two conditionals below are always true. They give their results no name of their own: a
// service's type is emitted into the declarations of apps, which could not import that name.

/** What the names of a service's keys make of `client.params`. */
export type ParamsOf<P extends readonly string[]> = [P] extends [unknown]
  ? { readonly [K in P[number]]: string }
  : never;

// ---------- calls: declared by name, handled by name ----------

export interface CallDeclaration {
  readonly request?: StandardSchemaV1;
  readonly response?: AnySchema;
}
export type CallDeclarations = Readonly<Record<string, CallDeclaration>>;

type RequestOf<D> = D extends { readonly request: infer X } ? OutputOf<X, undefined> : undefined;
type ResponseOf<D> = D extends { readonly response: infer X } ? InputOf<X, undefined> : undefined;

/** What callers see of the declared calls. */
export type CallsOf<C> = [C] extends [unknown]
  ? {
      readonly [K in keyof C]: {
        request: C[K] extends { readonly request: infer X } ? InputOf<X, undefined> : undefined;
        response: C[K] extends { readonly response: infer X } ? OutputOf<X, undefined> : undefined;
      };
    }
  : never;

/** A misspelt `response` is an error, as in any literal. */
type DeclarationsOnly<Calls> = {
  readonly [K in keyof Calls]: {
    readonly [P in Exclude<keyof Calls[K], keyof CallDeclaration>]: never;
  };
};

type CallHandlers<State, Cl, Ctx, C> = {
  readonly [K in keyof C]: (
    client: Cl | undefined,
    request: RequestOf<C[K]>,
    state: State,
    service: Ctx,
  ) => CallOutcome<ResponseOf<C[K]>, NoInfer<State>>;
};

// ---------- the definition ----------

/**
 * A service. Every callback is optional, may be async, and runs alone: the next one
 * waits. What it sends, publishes and schedules is committed together with the state
 * it returns; if it throws, none of it happened and the service restarts from `init`.
 *
 * `init` and `authorize` come before the handlers, or annotate their parameter: types are
 * inferred from top to bottom. Schemas, `info`, `outgoing` and `params` may stand anywhere.
 */
export interface ServiceDefinition<
  State,
  User,
  Params,
  In,
  Out,
  Broadcast,
  Info,
  Calls,
  L extends Primitive = never,
  M extends Primitive = never,
  Entry = PresenceEntry,
  Cl = Client<InputOf<Out, Sendable>, User, Params>,
  Ctx = ServiceContext<InputOf<Out, Sendable>, Postable<Info>, Params, Cl, State>,
  // Without what `init` and `authorize` give: to type its parameter would end their inference.
  InitCtx = ServiceContext<
    InputOf<Out, Sendable>,
    Postable<Info>,
    Params,
    Client<InputOf<Out, Sendable>, unknown, Params>
  >,
> {
  /** Checks every message before `handleIncoming` sees it, and types the client. What does not fit closes the client with 1007. */
  readonly incoming?: In;
  /** Types what may be sent: a schema or `type<T>()`. */
  readonly outgoing?: Out;
  /** Types `handleInfo`, `service.info` and `service.sendAfter`. */
  readonly info?: TypeToken<Info>;
  /** The calls that this service answers. Each needs a handler in `handleCall`. */
  readonly calls?: Calls & DeclarationsOnly<NoInfer<Calls>>;
  /** What the log keeps, in memory. */
  readonly history?: Partial<HistoryLimits> & {
    /** Log, memberships and what was handled outlive the process, in the server's `historyFile`. @default false */
    readonly durable?: boolean;
    /**
     * How long what is stored of an actor is kept after its end, in ms, if it has no members.
     * Then whoever comes begins with a new log and `init`.
     * @default `ageMs`; with a durable state for ever
     */
    readonly keepMs?: number;
    /**
     * The key of a published message, or nothing. Of each key only the newest message is of
     * interest to a client that lags or comes back: it gets that, in order, and what was
     * replaced is no gap. The newest of up to 1,000 keys is kept beyond the other bounds.
     */
    readonly latest?: (message: InputOf<Out, Sendable>) => string | undefined;
  };
  /** The state outlives the process too, with `history: { durable: true }`. `init` still runs, and its state gives way to the saved one. */
  readonly state?: {
    readonly durable: boolean;
    /** What is stored, where structured clone cannot hold the state. Clients in it are stored as their ids. @default the state itself */
    readonly save?: (state: never) => unknown;
    readonly load?: (saved: never) => unknown;
  };
  /** Bounds of this service. */
  readonly limits?: Partial<ServiceLimits>;
  /** Sub-protocols that this service speaks, in order of preference. */
  readonly protocols?: readonly string[];
  /** Checks the params of a keyed service before an actor starts. What does not fit gets 404. */
  readonly key?: StandardSchemaV1;
  /**
   * Tells `windsock.v1` clients who is there, in order with messages. `entry` says who a
   * client is: clients with the same `id` are one entry. By default the `id` of
   * `client.user`, else the browser's session. @default false
   */
  readonly presence?:
    | boolean
    | {
        /** What others are told of a client: an object with an `id`. It types `presence` at the client. */
        readonly entry?: (client: Cl) => Entry;
        /** How long somebody whose last client has left still counts as present, in ms. @default 2000 */
        readonly lingerMs?: number;
      };
  /** After a crash: start anew from `init`, or (`"keep"`, for a state that is never mutated) drop the turn and go on. @default "restart" */
  readonly onCrash?: "restart" | "keep";
  /** Runs at the upgrade, before the client joins. Its value is `client.user`; a `Response` refuses. A throw refuses with 500. */
  readonly authorize?: (request: UpgradeRequest) => Awaitable<User | Response>;
  /** Gives the first state of an incarnation. */
  readonly init?: (service: InitCtx) => Awaitable<State>;
  /** A client has joined; again after a restart, with `client.joinReason` `"restart"`, or after it was away too long, with `"rejoin"`. A throw closes that client with 1011. */
  readonly handleJoin?: (client: Cl, state: State, service: Ctx) => Outcome<NoInfer<State>, L, M>;
  /** The connection of a `windsock.v1` client broke. It has `limits.graceMs` to come back. */
  readonly handleDrop?: (client: Cl, state: State, service: Ctx) => Outcome<NoInfer<State>, L>;
  /** It came back, and was given everything it had missed. */
  readonly handleResume?: (client: Cl, state: State, service: Ctx) => Outcome<NoInfer<State>, L>;
  /** A client is gone. Once for each client; not when service or server end (then `terminate` runs). */
  readonly handleClose?: (
    client: Cl,
    reason: CloseReason,
    state: State,
    service: Ctx,
  ) => Outcome<NoInfer<State>, L, M>;
  /** A client has sent a message. Absent: it is dropped. */
  readonly handleIncoming?: (
    client: Cl,
    message: OutputOf<In, Unchecked>,
    state: State,
    service: Ctx,
  ) => Outcome<NoInfer<State>, L, M>;
  /** Somebody called `broadcast`. Absent: the message is published to every client. */
  readonly handleBroadcast?: (
    message: Broadcast,
    state: State,
    service: Ctx,
  ) => Outcome<NoInfer<State>, L, M>;
  /** A timer, an `info`, or the time-out of `noreply`. */
  readonly handleInfo?: (
    info: Info | Timeout,
    state: State,
    service: Ctx,
  ) => Outcome<NoInfer<State>, L, M>;
  /** One handler for each declared call. `client` is undefined when the server itself calls. */
  readonly handleCall?: CallHandlers<State, Cl, Ctx, NoInfer<Calls>>;
  /**
   * The state as one message, for a `windsock.v1` client that the log can no longer bring
   * up to date: after a long absence, for a slow reader, after a restart. It is taken at
   * exactly one `seq`, and everything after that follows. It may only read. With one
   * parameter, all who need it at that `seq` share what it returns. May be async.
   */
  readonly snapshot?: (
    state: State,
    client: Cl,
  ) => Awaitable<NoInfer<InputOf<Out, Sendable>> | Hint<L>>;
  /** This incarnation ends. What it sends still leaves. A throw is reported and changes nothing. */
  readonly terminate?: (reason: TerminateReason, state: State, service: Ctx) => Awaitable<void>;
}

/** An annotated state without `init` would be undefined at first. */
export type NeedsInit<State> = undefined extends State ? unknown : { readonly init: unknown };

/** Calls that are declared need their handlers. */
export type NeedsHandlers<Calls> = [keyof Calls] extends [never]
  ? unknown
  : { readonly handleCall: unknown };

/** What others need to know of a service's types. */
export interface ServiceTypes {
  incoming: unknown;
  outgoing: unknown;
  broadcast: unknown;
  info: unknown;
  calls: {};
  params: {};
  /** What `presence.entry` gives. */
  presence?: { readonly id: string };
}

declare const types: unique symbol;

/** What `defineService` gives. */
export interface Service<out T extends ServiceTypes = ServiceTypes> {
  readonly kind: "service";
  readonly [types]?: T;
}

export type AnyService = Service;
export type TypesOf<S> = S extends Service<infer T> ? T : never;
