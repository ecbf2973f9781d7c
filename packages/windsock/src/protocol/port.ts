/**
 * The port between edge and actor: every message that crosses it.
 *
 * The edge holds sockets and cursors; the actor's side holds state, memberships and
 * logs. They share nothing but these messages, each of which could cross a network:
 * plain data, payloads as bytes, never an object reference, a return value or a throw.
 * A link delivers in order, at least once; `LinkReader` drops repeats by number.
 */
import type { Opcode } from "./frame.ts";

/** A payload and how it is framed. */
export interface Payload {
  readonly opcode: Opcode;
  readonly bytes: Uint8Array;
}

/** What a broadcast from outside carries. JSON travels as its text. */
export interface PublishedValue {
  readonly kind: "text" | "binary" | "json";
  readonly bytes: Uint8Array;
}

/** The upgrade request of a client, as data. Header pairs keep their order: name, value, name, value. */
export interface RequestData {
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly remoteAddress: string;
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
    }
  /** The client is gone, for this reason. Always enters. */
  | {
      readonly type: "leave";
      readonly address: string;
      readonly mid: string;
      readonly reason: CloseReason;
    }
  /** One message of a client. */
  | {
      readonly type: "in";
      readonly address: string;
      readonly mid: string;
      readonly payload: Payload;
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
  /** The membership begins. The client receives what is published after `seq`. */
  | { readonly type: "joined"; readonly mid: string; readonly seq: number }
  | {
      readonly type: "publish";
      readonly seq: number;
      readonly topic: string;
      readonly payload: Payload;
    }
  /** The actor began anew. Takes a `seq`; plain clients are not told. */
  | { readonly type: "restarted"; readonly seq: number }
  | { readonly type: "send"; readonly mids: readonly string[]; readonly payload: Payload }
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
    };

export interface LogEntryData {
  readonly seq: number;
  readonly payload: Payload;
}

export type ActorToEdge =
  /** The join stands in the mailbox: complete the upgrade. */
  | { readonly type: "admitted"; readonly mid: string }
  /** The join cannot be taken. `status` is the HTTP status that says so. */
  | {
      readonly type: "refused";
      readonly mid: string;
      readonly status: number;
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
