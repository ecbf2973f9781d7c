/**
 * The envelopes of `windsock.v1`, one for each WebSocket message.
 * `docs/reference/protocol.md` says what they mean; field order on the wire: `shapes.ts`.
 */

/** The sub-protocol's name in `Sec-WebSocket-Protocol`. */
export const protocolName = "windsock.v1";

/** Where a returning client stands. */
export interface ResumePosition {
  readonly token: string;
  readonly epoch: string;
  /** The last entry that was handled. */
  readonly seq: number;
  /** How many private messages were handled. */
  readonly count: number;
  /** Positions of topics that have one of their own: offsets in the app's store, and each topic that a `log` has begun. */
  readonly tails?: Readonly<Record<string, number>> | undefined;
}

export interface JoinOptions {
  readonly resume?: ResumePosition;
  /** Given to `authorize`. */
  readonly auth?: unknown;
}

/** What `joined` says of a membership. */
export interface JoinInfo {
  readonly answer: "new" | "resumed" | "snapshot" | "rejoin";
  /** This membership. */
  readonly id: string;
  /** Secret, for the next resume. */
  readonly token: string;
  /** The log: a position of another epoch means nothing. */
  readonly epoch: string;
  /** The number of the service's own log, which every channel follows. */
  readonly log: number;
  /** Where this channel begins. */
  readonly seq: number;
  readonly count: number;
  /** The number up to which nothing needs to be sent again. */
  readonly done: number;
  readonly credit: number;
  /** The longest message that the server takes, envelope included. */
  readonly maxBytes: number;
  /** How long the membership outlives its socket. */
  readonly graceMs: number;
  /** The service's code. */
  readonly version: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface PresenceEntry {
  readonly id: string;
  readonly [key: string]: unknown;
}

export interface PresenceChanges<Entry = PresenceEntry> {
  readonly join: readonly Entry[];
  readonly leave: readonly string[];
  /** `join` is everybody: forget what was known before. */
  readonly all?: boolean;
}

/** What to do about a channel that the server ended. */
export type Comeback = "rejoin" | "retry" | "end";

/** A payload: a `Uint8Array` travels in a binary message, anything else as JSON. */
export type Payload = unknown;

export type ClientEnvelope =
  | {
      readonly type: "join";
      readonly channel: number;
      readonly path: string;
      readonly options: JoinOptions;
    }
  | {
      readonly type: "send";
      readonly channel: number;
      readonly n: number;
      readonly payload: Payload;
    }
  | {
      readonly type: "call";
      readonly channel: number;
      readonly n: number;
      readonly name: string;
      readonly timeoutMs: number;
      readonly payload: Payload;
    }
  | { readonly type: "cancel"; readonly channel: number; readonly n: number }
  | { readonly type: "ack"; readonly channel: number; readonly count: number }
  | { readonly type: "auth"; readonly channel: number; readonly payload: Payload }
  | { readonly type: "leave"; readonly channel: number }
  | { readonly type: "ping"; readonly payload: Payload };

export type ServerEnvelope =
  | { readonly type: "joined"; readonly channel: number; readonly info: JoinInfo }
  | {
      readonly type: "log";
      readonly channel: number;
      readonly log: number;
      readonly topic: string;
      readonly seq: number;
    }
  | { readonly type: "unlog"; readonly channel: number; readonly log: number }
  | { readonly type: "pub"; readonly log: number; readonly seq: number; readonly payload: Payload }
  | { readonly type: "msg"; readonly channel: number; readonly payload: Payload }
  | {
      readonly type: "reply";
      readonly channel: number;
      readonly n: number;
      readonly payload: Payload;
    }
  | {
      readonly type: "error";
      readonly channel: number;
      readonly n: number;
      readonly code: string;
      readonly message: string;
      readonly detail: Readonly<Record<string, unknown>>;
    }
  | { readonly type: "done"; readonly channel: number; readonly n: number }
  | { readonly type: "credit"; readonly channel: number; readonly bytes: number }
  | {
      readonly type: "snapshot";
      readonly channel: number;
      readonly seq: number;
      readonly payload: Payload;
    }
  | {
      readonly type: "at";
      readonly channel: number;
      readonly seq: number;
      readonly count: number;
    }
  | { readonly type: "restarted"; readonly log: number; readonly seq: number }
  | {
      readonly type: "tail";
      readonly channel: number;
      readonly topic: string;
      readonly offset: number;
      readonly payload: Payload;
    }
  | {
      readonly type: "presence";
      readonly channel: number;
      readonly seq: number;
      readonly changes: PresenceChanges;
    }
  | {
      readonly type: "closed";
      readonly channel: number;
      readonly closeCode: number;
      readonly reason: string;
      readonly how: Comeback;
    }
  | { readonly type: "draining"; readonly windowMs: number }
  | { readonly type: "authed"; readonly channel: number }
  | { readonly type: "pong"; readonly payload: Payload };

export type Envelope = ClientEnvelope | ServerEnvelope;

/** `ServerEnvelope` as the elements of its array, for who would rather not give them names. */
export type ServerElements =
  | readonly ["joined", channel: number, info: JoinInfo]
  | readonly ["log", channel: number, log: number, topic: string, seq: number]
  | readonly ["unlog", channel: number, log: number]
  | readonly ["pub", log: number, seq: number, payload: Payload]
  | readonly ["msg", channel: number, payload: Payload]
  | readonly ["reply", channel: number, n: number, payload: Payload]
  | readonly [
      "error",
      channel: number,
      n: number,
      code: string,
      message: string,
      detail: Readonly<Record<string, unknown>>,
    ]
  | readonly ["done", channel: number, n: number]
  | readonly ["credit", channel: number, bytes: number]
  | readonly ["snapshot", channel: number, seq: number, payload: Payload]
  | readonly ["at", channel: number, seq: number, count: number]
  | readonly ["restarted", log: number, seq: number]
  | readonly ["tail", channel: number, topic: string, offset: number, payload: Payload]
  | readonly ["presence", channel: number, seq: number, changes: PresenceChanges]
  | readonly ["closed", channel: number, closeCode: number, reason: string, how: Comeback]
  | readonly ["draining", windowMs: number]
  | readonly ["authed", channel: number]
  | readonly ["pong", payload: Payload];
