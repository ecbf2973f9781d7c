/**
 * The port between edge and actor: every message that crosses it.
 *
 * The edge holds sockets and cursors; the actor's side holds state, memberships and
 * logs. They share nothing but these messages, each of which could cross a network:
 * plain data, payloads as bytes, never an object reference, a return value or a throw.
 * A link delivers in order, at least once; `LinkReader` drops repeats by number.
 */

/** A message's content. Text is any UTF-8; JSON travels as its text. */
export interface Payload {
  readonly kind: "text" | "binary" | "json";
  readonly bytes: Uint8Array;
}

/** What a broadcast from outside carries. */
export type PublishedValue = Payload;

/**
 * How a client is spoken to. `plain`: frames are exactly what the service sent, and the
 * membership ends with its socket. `v1`: envelopes of `windsock.v1`, and a membership
 * that outlives its socket.
 */
export type Dialect = "plain" | "v1";

/** What a client of `v1` that comes back has. */
export interface ResumeData {
  readonly token: string;
  readonly epoch: string;
  readonly seq: number;
  /** Private messages handled so far. */
  readonly count: number;
  /** Positions of topics that have one of their own: offsets of the app's logs, and each topic that the client has heard the beginning of. */
  readonly tails: Readonly<Record<string, number>>;
}

/** Why something that a client of `v1` asked for was not done (`docs/reference/protocol.md`, section 4). */
export type FaultCode =
  | "invalid"
  | "too_big"
  | "rate"
  | "overloaded"
  | "unknown_call"
  | "crashed"
  | "timeout"
  | "cancelled"
  | "down";

/** A message for one client of `v1` alone, which it counts. */
export type Private =
  | { readonly type: "msg"; readonly payload: Payload }
  | { readonly type: "reply"; readonly n: number; readonly payload: Payload }
  | {
      readonly type: "error";
      readonly n: number;
      readonly code: FaultCode;
      readonly message: string;
      readonly retryAfterMs?: number;
    };

/** What the join of a `v1` client answers. */
export interface Membership {
  readonly answer: "new" | "resumed" | "snapshot" | "rejoin";
  readonly id: string;
  readonly token: string;
  /** Private messages so far: those that the client still needs are in `privates`. */
  readonly count: number;
  readonly done: number;
  readonly credit: number;
  readonly graceMs: number;
  readonly params: Readonly<Record<string, string>>;
  /** Topics that it follows; the service's own log (`""`) among them if it was subscribed to. */
  readonly topics: readonly FollowedTopic[];
  /** It has asked not to follow the service's own log. */
  readonly leavesOwnLog: boolean;
  /** What came while the client was away: each after the log's entry `after`. */
  readonly privates: readonly { readonly after: number; readonly item: Private }[];
}

/** A topic of a membership, and where that began: for a client that has not heard of it yet. */
export interface FollowedTopic {
  readonly topic: string;
  readonly isAppLog: boolean;
  /** It is to get what comes behind this. Undefined: behind what a log of the app's held then. */
  readonly start: number | undefined;
  /** The head of the actor's log when it began. */
  readonly at: number;
}

/** What a client of `v1` should do after its channel was closed. */
export type ComeBack = "rejoin" | "retry" | "end";

/** The upgrade request of a client, as data. Header pairs keep their order: name, value, name, value. */
export interface RequestData {
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
  /** What a client of `windsock.v1` gave with its join: a token, say. */
  readonly auth?: unknown;
}

/** How a client's membership ended. */
export type CloseReason =
  /** A close frame arrived or was answered: its code and reason. Or one was sent because of what the client had sent (1002, 1007, 1009). */
  | { readonly type: "closed"; readonly code: number; readonly reason: string }
  /** The connection broke without a close frame. */
  | { readonly type: "lost" }
  /** The client answered no ping in time. */
  | { readonly type: "timeout" }
  /** The client took its messages too slowly: its queue or the log it reads from ran out. */
  | { readonly type: "slow" }
  /** The server is stopping. */
  | { readonly type: "shutdown" };

/** A position in a log: a `seq` of the actor's own log, or an offset of the app's store. */
export type LogPosition = number;

export type EdgeToActor =
  /** A client wants in. Answered at once by `admitted` or `refused`, later by a `joined` in a commit. */
  | {
      readonly type: "join";
      readonly address: string;
      readonly mid: string;
      readonly sessionId: string;
      readonly protocol: string;
      readonly request: RequestData;
      readonly user: unknown;
      readonly dialect: Dialect;
      /** Of a `v1` client: its sockets at this edge are numbered in the order in which they opened. */
      readonly session?: number;
      /** A `v1` client that was here before. Instead of `admitted`, a `joined` may follow at once. */
      readonly resume?: ResumeData;
    }
  /** The socket of a `v1` client broke: its membership stays for a while. */
  | { readonly type: "down"; readonly address: string; readonly mid: string }
  /** The client is gone, for this reason. Always enters. */
  | {
      readonly type: "leave";
      readonly address: string;
      readonly mid: string;
      readonly reason: CloseReason;
    }
  /** One message of a client. `n` is its number, 0 for a plain one; `wireBytes` what it took, envelope included. */
  | {
      readonly type: "in";
      readonly address: string;
      readonly mid: string;
      readonly n: number;
      readonly wireBytes: number;
      readonly payload: Payload;
      /** It is refused for this reason, and only its number counts. */
      readonly fault?: { readonly code: FaultCode; readonly message: string };
    }
  /** A call of a `v1` client. Answered by a counted `reply` or `error`. */
  | {
      readonly type: "call";
      readonly address: string;
      readonly mid: string;
      readonly n: number;
      readonly name: string;
      readonly timeoutMs: number;
      readonly wireBytes: number;
      readonly payload: Payload;
    }
  /** The answer to call `n` is no longer wanted. */
  | { readonly type: "cancel"; readonly address: string; readonly mid: string; readonly n: number }
  /** A `v1` client has handled this many private messages. */
  | {
      readonly type: "acked";
      readonly address: string;
      readonly mid: string;
      readonly count: number;
    }
  /** The log has moved past this member's cursor. Answered by a `snapshot` or a `close` that says `rejoin`. */
  | { readonly type: "behind"; readonly address: string; readonly mid: string }
  /** `authorize` has run again, with a new token: this is the user now. */
  | {
      readonly type: "reauth";
      readonly address: string;
      readonly mid: string;
      readonly user: unknown;
    }
  /** A broadcast from outside. Answered by `published`, `busy` or `unavailable` with the same `id`. */
  | {
      readonly type: "publish";
      readonly address: string;
      readonly id: number;
      readonly value: PublishedValue;
      readonly idempotencyKey?: string;
    }
  /** Entries of the actor's own log with these topics, in [from, until). Answered by `pulled`. */
  | {
      readonly type: "pull";
      readonly address: string;
      readonly id: number;
      readonly topics: readonly string[];
      readonly from: LogPosition;
      readonly until: LogPosition;
      readonly maxBytes: number;
    }
  /** A part of a log that stands on the app's store. `from` absent: where is its end? Answered by `read`. */
  | {
      readonly type: "read";
      readonly address: string;
      readonly id: number;
      readonly topic: string;
      readonly from?: LogPosition;
      readonly maxBytes: number;
    };

/** One effect of a commit, in the order in which the callback caused it. */
export type Out =
  /**
   * The membership begins, or goes on. The client receives what is published after `seq`.
   * `isHeld`: not before a `snapshot` has said from where.
   */
  | {
      readonly type: "joined";
      readonly mid: string;
      readonly seq: number;
      /** The newest entry of the log; absent: `seq` is. */
      readonly head?: number;
      readonly membership?: Membership;
      readonly isHeld?: boolean;
    }
  | {
      readonly type: "publish";
      readonly seq: number;
      readonly topic: string;
      readonly payload: Payload;
    }
  /** The actor began anew. Takes a `seq`; plain clients are not told. */
  | { readonly type: "restarted"; readonly seq: number }
  /** `v1` clients count it. */
  | { readonly type: "send"; readonly mids: readonly string[]; readonly payload: Payload }
  /** A reply or a refusal for one `v1` client, which counts it. */
  | { readonly type: "private"; readonly mid: string; readonly item: Private }
  /** Everything that this client sent up to `n` is disposed of. */
  | { readonly type: "done"; readonly mid: string; readonly n: number }
  /** Bytes that this client may have sent in total, since its `joined`. */
  | { readonly type: "credit"; readonly mid: string; readonly bytes: number }
  /** The service's state after entry `seq`, in place of the entries up to there. */
  | {
      readonly type: "snapshot";
      readonly mids: readonly string[];
      readonly seq: number;
      readonly payload: Payload;
    }
  /** Who came and went, after entry `seq`: `changes` as its JSON text. */
  | {
      readonly type: "presence";
      readonly mids: readonly string[];
      readonly seq: number;
      readonly changes: string;
    }
  /** Another socket has taken over the membership: nothing more comes for this one. */
  | { readonly type: "detached"; readonly mid: string }
  /** Another user for this session was accepted, or (with a reason) was not. */
  | { readonly type: "reauthed"; readonly mid: string; readonly refused?: string }
  /** `from` absent: only what comes. `seq` is the last entry before this effect. */
  | {
      readonly type: "subscribe";
      readonly mid: string;
      readonly topic: string;
      readonly from?: LogPosition;
      readonly seq: number;
    }
  /** As `subscribe`, for a log that stands on the app's store. */
  | {
      readonly type: "follow";
      readonly mid: string;
      readonly topic: string;
      readonly from?: LogPosition;
    }
  | { readonly type: "unsubscribe"; readonly mid: string; readonly topic: string }
  /** There is more to read in this log of the app's store. */
  | { readonly type: "advance"; readonly topic: string }
  | {
      readonly type: "close";
      readonly mid: string;
      readonly code: number;
      readonly reason: string;
      /** What a `v1` client should do. Absent: what the code says. */
      readonly comeBack?: ComeBack;
    };

export interface LogEntryData {
  readonly seq: number;
  readonly topic: string;
  /** Absent: the actor began anew here. */
  readonly payload?: Payload;
}

export type ActorToEdge =
  /** The join stands in the mailbox: complete the upgrade. */
  | { readonly type: "admitted"; readonly mid: string }
  /** The join cannot be taken. `status` is the HTTP status that says so. */
  | {
      readonly type: "refused";
      readonly mid: string;
      readonly status: number;
      readonly code: "not_found" | "overloaded" | "down" | "draining";
      readonly reason: string;
      readonly retryAfterMs: number;
    }
  /** The effects of one turn. */
  | {
      readonly type: "commit";
      readonly address: string;
      readonly epoch: string;
      readonly generation: number;
      readonly out: readonly Out[];
    }
  /** The mailbox is full: hold back what clients send. */
  | { readonly type: "full"; readonly address: string }
  /** The mailbox has room again. */
  | { readonly type: "ready"; readonly address: string }
  | {
      readonly type: "published";
      readonly id: number;
      readonly seq: number;
      readonly delivered: boolean;
    }
  | { readonly type: "busy"; readonly id: number; readonly retryAfterMs: number }
  | {
      readonly type: "unavailable";
      readonly id: number;
      readonly reason: string;
      readonly retryAfterMs: number;
    }
  /** `gone`: entries in the range were evicted, so a part would be a hole. */
  | {
      readonly type: "pulled";
      readonly id: number;
      readonly entries: readonly LogEntryData[];
      readonly next: LogPosition;
      readonly gone: boolean;
    }
  | {
      readonly type: "read";
      readonly id: number;
      readonly payloads: readonly Payload[];
      /** The offset behind each payload, if the app's reader said it. */
      readonly offsets?: readonly number[];
      readonly next: LogPosition;
      readonly failed: boolean;
    };

/** A message with its number on the link: 1, 2, 3, ... from each side. */
export interface Numbered<Message> {
  readonly n: number;
  readonly message: Message;
}

/** One direction of a link. `post` returns before the message is handled or after; nobody may rely on either. */
export interface Outlet<Message> {
  post(message: Message): void;
}

/** Numbers what goes out. */
export class LinkWriter<Message> {
  #n = 0;
  readonly #carry: (numbered: Numbered<Message>) => void;
  constructor(carry: (numbered: Numbered<Message>) => void) {
    this.#carry = carry;
  }
  post(message: Message): void {
    this.#n += 1;
    this.#carry({ n: this.#n, message });
  }
}

/** Hands on each number once and in order; a repeat is dropped, a hole is reported. */
export class LinkReader<Message> {
  #last = 0;
  readonly #receive: (message: Message) => void;
  readonly #onHole: (expected: number, got: number) => void;
  constructor(
    receive: (message: Message) => void,
    onHole: (expected: number, got: number) => void,
  ) {
    this.#receive = receive;
    this.#onHole = onHole;
  }
  take(numbered: Numbered<Message>): void {
    if (numbered.n <= this.#last) return;
    if (numbered.n !== this.#last + 1) this.#onHole(this.#last + 1, numbered.n);
    this.#last = numbered.n;
    this.#receive(numbered.message);
  }
}
