import type { Dialect } from "../commands.ts";
import { frameOf } from "../server-frame.ts";
import { messagesOf, ringSize } from "../workload.ts";
import { maskedFrame } from "./client-frame.ts";

/**
 * What every connection must receive in a phase, byte for byte: the frames of the ring,
 * over and over. Comparing a read with it costs one `memcmp`, however many messages it
 * holds; only what differs is parsed.
 */
export class Stream {
  /** Each frame of the ring is as long. */
  readonly frameLength: number;
  readonly dialect: Dialect;
  readonly #expected: Buffer;
  readonly #size: number;
  #outgoing: Buffer | undefined;

  constructor(size: number, dialect: Dialect) {
    this.#size = size;
    this.dialect = dialect;
    this.#expected = Buffer.concat(
      messagesOf(size).map((text) => frameOf(Buffer.from(this.#wrap(text)))),
    );
    this.frameLength = this.#expected.length / ringSize;
  }

  /** Whether these bytes are what comes at this offset. */
  matches(offset: number, bytes: Uint8Array, length: number): boolean {
    const all = this.#expected;
    let at = offset % all.length;
    for (let done = 0; done < length;) {
      const part = Math.min(length - done, all.length - at);
      if (all.compare(bytes, done, done + part, at, at + part) !== 0) return false;
      done += part;
      at = 0;
    }
    return true;
  }

  /** The first bytes of a message's frame. */
  head(message: number, length: number): Buffer {
    const start = (message % ringSize) * this.frameLength;
    return this.#expected.subarray(start, start + length);
  }

  /** Which message of the ring this payload is, in whole; -1: none. */
  indexOf(payload: Buffer): number {
    const digits = this.dialect.prefix.length + 1;
    const index = Number(payload.toString("latin1", digits, digits + 4));
    if (!Number.isInteger(index) || index < 0 || index >= ringSize) return -1;
    const end = (index + 1) * this.frameLength;
    const whole = this.#expected.subarray(end - payload.length, end);
    return payload.length < this.frameLength && whole.equals(payload) ? index : -1;
  }

  /** The frames that a client sends for `count` messages of the ring. */
  outgoing(first: number, count: number): Buffer {
    this.#outgoing ??= Buffer.concat(
      messagesOf(this.#size).map((text) => maskedFrame(this.#wrap(text))),
    );
    const length = this.#outgoing.length / ringSize;
    const start = first % ringSize;
    if (start + count <= ringSize)
      return this.#outgoing.subarray(start * length, (start + count) * length);
    return Buffer.concat([
      this.#outgoing.subarray(start * length),
      this.#outgoing.subarray(0, (start + count - ringSize) * length),
    ]);
  }

  /** A frame with any text, for the server. */
  frame(text: string): Buffer {
    return maskedFrame(this.#wrap(text));
  }

  #wrap(text: string): string {
    return this.dialect.prefix + text + this.dialect.suffix;
  }
}
