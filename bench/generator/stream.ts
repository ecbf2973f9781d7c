import type { Dialect } from "../commands.ts";
import { frameOf } from "../server-frame.ts";
import { formatOrder, messagesOf, ringSize, silentText, type Order } from "../workload.ts";
import { maskedFrame } from "./client-frame.ts";
import { FrameSequence } from "./frame-sequence.ts";

/** What a connection receives in a phase, byte for byte. */
export interface Incoming {
  readonly frames: FrameSequence;
  /** Whether this is one of the messages that are counted, and not what a dialect says beside them. */
  isMessage(payload: Buffer): boolean;
  /** The number of this message, if it is one, in whole; -1: it is none. `next` is the one expected. */
  numberOf(payload: Buffer, next: number): number;
}

/** What a server sends and a client sends in one dialect, for messages of one size. */
export class Stream {
  readonly dialect: Dialect;
  readonly size: number;
  /** Messages of the ring, as replies to one client, and broadcast where a dialect does not number them. */
  readonly #replies: Incoming;
  readonly #echoed = new Map<number, FrameSequence>();

  constructor(size: number, dialect: Dialect) {
    this.size = size;
    this.dialect = dialect;
    const texts = messagesOf(size);
    const frames = new FrameSequence(
      (number) => frameOf(Buffer.from(this.#received(texts[number % ringSize] ?? ""))),
      ringSize,
    ).prepare();
    const digitsAt = this.#received("m").lastIndexOf("m") + 1;
    this.#replies = {
      frames,
      isMessage: (payload) => this.#isCounted(payload, 0x6d),
      numberOf(payload, next) {
        const index = Number(payload.toString("latin1", digitsAt, digitsAt + 4));
        if (!Number.isInteger(index) || index < 0 || index >= ringSize) return -1;
        const ahead = (index - (next % ringSize) + ringSize) % ringSize;
        const number = next + (ahead < ringSize / 2 ? ahead : ahead - ringSize);
        return isFrameOf(frames.frame(index), payload) ? number : -1;
      },
    };
  }

  /** Replies to one client. */
  get replies(): Incoming {
    return this.#replies;
  }

  /** Broadcasts to all; in `windsock.v1` the entries of this log above `seq`. */
  broadcasts(log: number, seq: number): Incoming {
    if (this.dialect.kind !== "windsock-v1") return this.#replies;
    const texts = messagesOf(this.size);
    const head = `["pub",${log},`;
    const frames = new FrameSequence((number) =>
      frameOf(Buffer.from(`${head}${seq + 1 + number},"${texts[number % ringSize] ?? ""}"]`)),
    ).prepare();
    return {
      frames,
      isMessage: (payload) => this.#isCounted(payload, 0x75),
      numberOf(payload) {
        const text = payload.toString("latin1", head.length, head.length + 16);
        const number = Number(text.slice(0, text.indexOf(","))) - seq - 1;
        const isKnown = Number.isInteger(number) && number >= 0;
        return isKnown && isFrameOf(frames.frame(number), payload) ? number : -1;
      },
    };
  }

  /**
   * What clients send: of each `every` messages the last is one of the ring, and answered;
   * the others ask for nothing.
   */
  outgoing(every: number): FrameSequence {
    let frames = this.#echoed.get(every);
    if (frames === undefined) {
      const texts = messagesOf(this.size);
      const silent = silentText(this.size);
      const textOf = (number: number): string =>
        (number + 1) % every === 0 ? (texts[Math.floor(number / every) % ringSize] ?? "") : silent;
      const isNumbered = this.dialect.kind === "windsock-v1";
      frames = new FrameSequence(
        (number) => maskedFrame(this.#sent(textOf(number), number + 1)),
        isNumbered ? Infinity : ringSize * every,
      ).prepare();
      this.#echoed.set(every, frames);
    }
    return frames;
  }

  /** An order to the server; `n` is its number, where the dialect has numbers. */
  order(order: Order, n: number): Buffer {
    return maskedFrame(this.#sent(formatOrder(order), n));
  }

  #sent(text: string, n: number): string {
    const { kind, prefix, suffix } = this.dialect;
    return kind === "windsock-v1" ? `["send",1,${n},"${text}"]` : prefix + text + suffix;
  }

  #received(text: string): string {
    const { kind, prefix, suffix } = this.dialect;
    return kind === "windsock-v1" ? `["msg",1,"${text}"]` : prefix + text + suffix;
  }

  /** `letter`: of the kind of envelope, in `windsock.v1`: `msg` or `pub`. */
  #isCounted(payload: Buffer, letter: number): boolean {
    switch (this.dialect.kind) {
      case "plain":
        return true;
      case "engine-io":
        return payload.length !== 1;
      case "windsock-v1":
        return payload[letter === 0x6d ? 2 : 3] === letter && payload[5] === 0x22;
    }
  }
}

/** Whether this frame, without a mask, has this payload. */
function isFrameOf(frame: Buffer, payload: Buffer): boolean {
  return frame.length > payload.length && frame.subarray(-payload.length).equals(payload);
}
