import {
  decodeServerEnvelope,
  encodeClientEnvelope,
  type ClientEnvelope,
  type JoinInfo,
} from "../src/protocol/v1/index.ts";
import type { MemoryTransport } from "./memory-transport.ts";

/**
 * As much of a client of `windsock.v1` as a resume needs, and no more: it says numbers, every
 * fifth as a call, keeps what is not done, and goes on where it was on the next socket.
 */
export class NumberedClient {
  readonly published: string[] = [];
  readonly privates: string[] = [];
  readonly repliedTo: number[] = [];
  said = 0;
  done = 0;
  #transport: MemoryTransport | undefined;
  #read = 0;
  #info: JoinInfo | undefined;
  #isJoined = false;
  #seq = 0;
  #count = 0;

  /** On a new socket. What it has to say leaves when it has joined. */
  join(transport: MemoryTransport): void {
    this.#transport = transport;
    this.#read = 0;
    this.#isJoined = false;
    const info = this.#info;
    const resume =
      info === undefined
        ? {}
        : { resume: { token: info.token, epoch: info.epoch, seq: this.#seq, count: this.#count } };
    this.#send({ type: "join", channel: 1, path: "status", options: resume });
  }

  /** The next number. */
  say(): void {
    this.#take();
    this.said += 1;
    if (this.#isJoined) this.#sayFrom(this.said);
  }

  cut(): void {
    this.#take();
    this.#transport?.leave();
    this.#transport = undefined;
  }

  #sayFrom(first: number): void {
    for (let n = first; n <= this.said; n++)
      this.#send(
        n % 5 === 0
          ? { type: "call", channel: 1, n, name: "double", timeoutMs: 1000, payload: n }
          : { type: "send", channel: 1, n, payload: n },
      );
  }

  #send(envelope: ClientEnvelope): void {
    this.#transport?.send(encodeClientEnvelope(envelope));
  }

  /** Reads what has come so far. */
  #take(): void {
    const messages = this.#transport?.received ?? [];
    for (const message of messages.slice(this.#read)) this.#receive(message);
    this.#read = messages.length;
  }

  #receive(message: string | Buffer): void {
    const envelope = decodeServerEnvelope(message);
    switch (envelope?.type) {
      case "joined": {
        const { answer } = envelope.info;
        if (this.#info !== undefined && answer !== "resumed")
          throw new Error(`Expected to go on, got ${answer}.`);
        this.#info = envelope.info;
        this.#isJoined = true;
        this.#sayFrom(envelope.info.done + 1);
        return;
      }
      case "pub":
        if (envelope.seq <= this.#seq) throw new Error(`Expected a seq above ${this.#seq}.`);
        this.#seq = envelope.seq;
        this.published.push(envelope.payload as string);
        return;
      case "msg":
        this.#count += 1;
        this.privates.push(envelope.payload as string);
        return;
      case "reply":
        this.#count += 1;
        this.repliedTo.push(envelope.n);
        return;
      case "done":
        this.done = envelope.n;
        return;
      case "credit":
        return;
      default:
        throw new Error(`Expected what it knows, got ${JSON.stringify(envelope)}.`);
    }
  }
}
