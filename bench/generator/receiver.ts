import { findFrame } from "../server-frame.ts";
import type { Incoming } from "./stream.ts";

/** What one connection got that it should not have got, or not so. */
export interface Tally {
  repeated: number;
  reordered: number;
  damaged: number;
}

/**
 * Reads one connection's frames of a phase, and knows which message comes next.
 * No sockets here: bytes in, counts out.
 */
export class Receiver {
  readonly tally: Tally = { repeated: 0, reordered: 0, damaged: 0 };
  readonly #incoming: Incoming;
  readonly #onAside: (opcode: number, payload: Buffer) => void;
  /** The number in the sequence of the phase's first message. */
  readonly #first: number;
  /** The message that comes next, in the sequence. */
  #next: number;
  /** Bytes of it that have come, and were right. */
  #partial = 0;
  /** Bytes of an incomplete frame that is not the one expected. */
  #carry: Buffer | undefined;
  #missed: Set<number> | undefined;

  constructor(
    incoming: Incoming,
    onAside: (opcode: number, payload: Buffer) => void,
    first: number = 0,
  ) {
    this.#incoming = incoming;
    this.#onAside = onAside;
    this.#first = first;
    this.#next = first;
  }

  /** How far it has come: the message after the newest that arrived, counted from the start of the phase. */
  get next(): number {
    return this.#next - this.#first;
  }

  /** How many of the first `sent` messages have not come. */
  missing(sent: number): number {
    return Math.max(0, sent - this.next) + (this.#missed?.size ?? 0);
  }

  /** Takes what was read. `sent` is how many messages there are so far. The buffer may be reused afterwards. */
  take(bytes: Buffer, length: number, sent: number): void {
    const { frames } = this.#incoming;
    const end = this.#first + sent;
    if (this.#carry === undefined && this.#next < end) {
      const place = frames.match(this.#next, this.#partial, bytes, length);
      if (
        place !== undefined &&
        (place.frame < end || (place.frame === end && place.partial === 0))
      ) {
        this.#next = place.frame;
        this.#partial = place.partial;
        return;
      }
    }
    const before = this.#carry ?? frames.frame(this.#next).subarray(0, this.#partial);
    this.#parse(Buffer.concat([before, bytes.subarray(0, length)]), end);
  }

  #parse(bytes: Buffer, end: number): void {
    const incoming = this.#incoming;
    let rest = bytes;
    for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
      rest = rest.subarray(frame.length);
      if (frame.opcode > 2 || !incoming.isMessage(frame.payload))
        this.#onAside(frame.opcode, frame.payload);
      else this.#message(incoming.numberOf(frame.payload, this.#next), end);
    }
    const expected = this.#next < end ? incoming.frames.frame(this.#next) : undefined;
    const isExpected =
      expected !== undefined &&
      rest.length < expected.length &&
      rest.equals(expected.subarray(0, rest.length));
    this.#carry = isExpected || rest.length === 0 ? undefined : rest;
    this.#partial = isExpected ? rest.length : 0;
  }

  #message(message: number, end: number): void {
    if (message === -1) {
      // It stands in the place of the one expected, which is then not missing too.
      this.tally.damaged += 1;
      if (this.#next < end) this.#next += 1;
      return;
    }
    if (message < this.#next || message >= end) {
      if (this.#missed?.delete(message) === true) this.tally.reordered += 1;
      else this.tally.repeated += 1;
      return;
    }
    for (let missed = this.#next; missed < message; missed++) {
      this.#missed ??= new Set();
      this.#missed.add(missed);
    }
    this.#next = message + 1;
  }
}
