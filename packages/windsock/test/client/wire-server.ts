import {
  byteLengthOf,
  decodeClientEnvelope,
  encodeServerEnvelope,
  type ClientEnvelope,
  type JoinInfo,
  type ServerEnvelope,
} from "../../src/protocol/v1/index.ts";
import type { ServerEnd } from "./memory-network.ts";

/** What one membership is to receive, in the order of the commits. */
export type Item =
  | { readonly type: "pub"; readonly seq: number; readonly value: unknown }
  | { readonly type: "private"; readonly index: number; readonly envelope: ServerEnvelope };

export interface Handled {
  readonly n: number;
  readonly value: unknown;
}

const log = 4;
/** Little, so that it is short all the time. */
const credit = 50;
const maxBytes = 50;

/** One client of the service, as the server remembers it. */
export class Membership {
  readonly id: string;
  readonly items: Item[] = [];
  readonly handled: Handled[] = [];
  tokens: string[] = [];
  joinedSeq = 0;
  privates = 0;
  acked = 0;
  done = 0;
  line: { readonly server: ServerEnd; readonly channel: number } | undefined;
  received = 0;
  granted = credit;
  isGone = false;

  constructor(id: string) {
    this.id = id;
  }
}

/**
 * The wire of a server with one service, for tests of the client: it follows the protocol's
 * page and has no actors. What a client sends is answered by its first letter: `c` crashes,
 * `p` is published, `m` comes back as a private message, `call` is replied to.
 */
export class WireServer {
  /** The log keeps this many entries. */
  kept = 1000;
  hasSnapshots = true;
  seq = 0;
  readonly published: { readonly seq: number; readonly value: unknown }[] = [];
  readonly memberships: Membership[] = [];
  readonly faults: string[] = [];
  readonly #ends = new Set<ServerEnd>();
  #tokens = 0;

  accept = (server: ServerEnd): void => {
    this.#ends.add(server);
    server.onclose = () => {
      this.#ends.delete(server);
      for (const membership of this.memberships)
        if (membership.line?.server === server) membership.line = undefined;
    };
    server.onmessage = (message) => {
      try {
        const envelope = decodeClientEnvelope(message);
        if (envelope !== undefined) this.#take(server, envelope, byteLengthOf(message));
      } catch (error) {
        this.faults.push(String(error));
        server.close(1002);
      }
    };
  };

  /** Every connection that is open. */
  get ends(): ServerEnd[] {
    return [...this.#ends];
  }

  publish(value: unknown): void {
    this.seq += 1;
    this.published.push({ seq: this.seq, value });
    for (const membership of this.memberships) {
      if (membership.isGone) continue;
      const item: Item = { type: "pub", seq: this.seq, value };
      membership.items.push(item);
      this.#deliver(membership, item);
    }
  }

  /** Sends the newest entry once more, as a server that is not sure may. */
  repeat(): void {
    const entry = this.published.at(-1);
    if (entry === undefined) return;
    for (const { line } of this.memberships)
      line?.server.send(
        encodeServerEnvelope({ type: "pub", log, seq: entry.seq, payload: entry.value }),
      );
  }

  tell(membership: Membership, value: unknown): void {
    this.#private(membership, { type: "msg", channel: 1, payload: value });
  }

  tellAll(value: unknown): void {
    for (const membership of this.memberships) if (!membership.isGone) this.tell(membership, value);
  }

  /** Memberships are lost, as by the death of a server without durable history. */
  forget(): void {
    for (const membership of this.memberships) membership.isGone = true;
    for (const server of this.ends) server.cut();
  }

  drain(windowMs: number): void {
    for (const server of this.ends)
      server.send(encodeServerEnvelope({ type: "draining", windowMs }));
  }

  /** Idle clients are told where they are. */
  tellPositions(): void {
    for (const { line, privates } of this.memberships)
      line?.server.send(
        encodeServerEnvelope({ type: "at", channel: line.channel, seq: this.seq, count: privates }),
      );
  }

  #take(server: ServerEnd, envelope: ClientEnvelope, bytes: number): void {
    if (envelope.type === "ping") {
      server.send(encodeServerEnvelope({ type: "pong", payload: envelope.payload }));
      return;
    }
    if (envelope.type === "join") {
      this.#join(server, envelope);
      return;
    }
    const membership = this.memberships.find(
      ({ line }) => line?.server === server && line.channel === envelope.channel,
    );
    // A channel that a resume has ended: late envelopes do no harm.
    if (membership === undefined) return;
    membership.tokens = membership.tokens.slice(-1);
    switch (envelope.type) {
      case "ack":
        if (envelope.count > membership.privates)
          this.faults.push(`an ack of ${envelope.count}, and ${membership.privates} were sent`);
        membership.acked = Math.max(membership.acked, envelope.count);
        return;
      case "leave":
        membership.isGone = true;
        membership.line = undefined;
        return;
      case "send":
      case "call":
        this.#handle(membership, envelope, bytes);
        return;
      case "auth":
        this.#send(membership, { type: "authed", channel: 1 });
        return;
      case "cancel":
    }
  }

  #join(server: ServerEnd, { channel, options }: Extract<ClientEnvelope, { type: "join" }>): void {
    const { resume } = options;
    const known =
      resume &&
      this.memberships.find(({ tokens, isGone }) => !isGone && tokens.includes(resume.token));
    const oldest = this.published.at(-this.kept)?.seq ?? 1;
    const isWhole = known !== undefined && resume !== undefined && resume.seq + 1 >= oldest;
    const canResume = known !== undefined && resume !== undefined && resume.epoch === "e1";
    const answer: JoinInfo["answer"] =
      resume === undefined
        ? "new"
        : !canResume || !(isWhole || this.hasSnapshots)
          ? "rejoin"
          : isWhole
            ? "resumed"
            : "snapshot";
    if (answer === "new" || answer === "rejoin") {
      if (known !== undefined) known.isGone = true;
      const membership = new Membership(`c${this.memberships.length + 1}`);
      this.memberships.push(membership);
      membership.joinedSeq = this.seq;
      this.#welcome(membership, server, channel, answer, this.seq, 0);
      this.tell(membership, `hello ${membership.id}`);
      return;
    }
    const membership = known!;
    const { seq, count } = resume!;
    if (count < membership.acked || count > membership.privates)
      this.faults.push(
        `a resume at count ${count} of ${membership.acked} to ${membership.privates}`,
      );
    this.#welcome(membership, server, channel, answer, seq, count);
    for (const item of membership.items) {
      if (item.type === "private" ? item.index > count : answer === "resumed" && item.seq > seq)
        this.#deliver(membership, item);
    }
    this.#send(membership, { type: "done", channel: 1, n: membership.done });
    if (answer === "snapshot")
      this.#send(membership, {
        type: "snapshot",
        channel: 1,
        seq: this.seq,
        payload: `state at ${this.seq}`,
      });
  }

  #welcome(
    membership: Membership,
    server: ServerEnd,
    channel: number,
    answer: JoinInfo["answer"],
    seq: number,
    count: number,
  ): void {
    this.#tokens += 1;
    const token = `t${this.#tokens}`;
    membership.tokens = [...membership.tokens, token];
    membership.line = { server, channel };
    membership.received = 0;
    membership.granted = credit;
    this.#send(membership, {
      type: "joined",
      channel: 1,
      info: {
        answer,
        id: membership.id,
        token,
        epoch: "e1",
        log,
        seq,
        count,
        done: membership.done,
        credit,
        maxBytes,
        graceMs: 60_000,
        version: "v1",
        params: {},
      },
    });
  }

  #handle(
    membership: Membership,
    envelope: Extract<ClientEnvelope, { type: "send" | "call" }>,
    bytes: number,
  ): void {
    const { n, payload } = envelope;
    membership.received += bytes;
    if (membership.received > membership.granted) this.faults.push("more than its credit");
    const granted = membership.received + credit;
    const { line } = membership;
    // It counts from when the client knows of it.
    this.#send(membership, { type: "credit", channel: 1, bytes: granted }, () => {
      if (membership.line === line) membership.granted = granted;
    });
    if (n <= membership.done) return;
    if (n !== membership.done + 1) {
      this.faults.push(`number ${n} after ${membership.done}`);
      return;
    }
    if (envelope.type === "call") {
      membership.handled.push({ n, value: payload });
      this.#private(membership, {
        type: "reply",
        channel: 1,
        n,
        payload: `answer to ${String(payload)}`,
      });
    } else if (String(payload).startsWith("c")) {
      this.#private(membership, {
        type: "error",
        channel: 1,
        n,
        code: "crashed",
        message: "it crashed",
        detail: {},
      });
    } else {
      membership.handled.push({ n, value: payload });
      if (String(payload).startsWith("p")) this.publish(`published ${String(payload)}`);
      if (String(payload).startsWith("m")) this.tell(membership, `back ${String(payload)}`);
    }
    membership.done = n;
    this.#send(membership, { type: "done", channel: 1, n });
  }

  #private(membership: Membership, envelope: ServerEnvelope): void {
    membership.privates += 1;
    const item: Item = { type: "private", index: membership.privates, envelope };
    membership.items.push(item);
    this.#deliver(membership, item);
  }

  #deliver(membership: Membership, item: Item): void {
    this.#send(
      membership,
      item.type === "private"
        ? item.envelope
        : { type: "pub", log, seq: item.seq, payload: item.value },
    );
  }

  /** With the channel that the membership has now. */
  #send({ line }: Membership, envelope: ServerEnvelope, delivered?: () => void): void {
    if (line === undefined) return;
    line.server.send(
      encodeServerEnvelope(
        "channel" in envelope ? { ...envelope, channel: line.channel } : envelope,
      ),
      delivered,
    );
  }
}
