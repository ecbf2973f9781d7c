import { findFrame } from "../server-frame.ts";
import { ringSize } from "../workload.ts";
import type { Stream } from "./stream.ts";

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
  readonly #stream: Stream;
  readonly #onControl: (opcode: number, payload: Buffer) => void;
  /** The message that comes next, counted from the start of the phase. */
  #next = 0;
  /** Bytes of it that have come, and were right. */
  #partial = 0;
  /** Bytes of an incomplete frame that is not the one expected. */
  #carry: Buffer | undefined;
  #missed: Set<number> | undefined;

  constructor(stream: Stream, onControl: (opcode: number, payload: Buffer) => void) {
    this.#stream = stream;
    this.#onControl = onControl;
  }

  /** How far it has come: the message after the newest that arrived. */
  get next(): number {
    return this.#next;
  }

  /** How many of the first `sent` messages have not come. */
  missing(sent: number): number {
    return Math.max(0, sent - this.#next) + (this.#missed?.size ?? 0);
  }

  /** Takes what was read. `sent` is how many messages there are so far. The buffer may be reused afterwards. */
  take(bytes: Buffer, length: number, sent: number): void {
    const { frameLength } = this.#stream;
    const offset = this.#next * frameLength + this.#partial;
    const end = offset + length;
    if (
      this.#carry === undefined &&
      end <= sent * frameLength &&
      this.#stream.matches(offset, bytes, length)
    ) {
      this.#next = Math.floor(end / frameLength);
      this.#partial = end - this.#next * frameLength;
      return;
    }
    const before = this.#carry ?? this.#stream.head(this.#next, this.#partial);
    this.#parse(Buffer.concat([before, bytes.subarray(0, length)]), sent);
  }

  #parse(bytes: Buffer, sent: number): void {
    let rest = bytes;
    for (let frame = findFrame(rest); frame !== undefined; frame = findFrame(rest)) {
      rest = rest.subarray(frame.length);
      if (frame.opcode > 2 || this.#isHeartbeat(frame.payload))
        this.#onControl(frame.opcode, frame.payload);
      else this.#message(this.#stream.indexOf(frame.payload), sent);
    }
    const isExpected =
      this.#next < sent &&
      rest.length < this.#stream.frameLength &&
      rest.equals(this.#stream.head(this.#next, rest.length));
    this.#carry = isExpected || rest.length === 0 ? undefined : rest;
    this.#partial = isExpected ? rest.length : 0;
  }

  #message(index: number, sent: number): void {
    if (index === -1) {
      // It stands in the place of the one expected, which is then not missing too.
      this.tally.damaged += 1;
      if (this.#next < sent) this.#next += 1;
      return;
    }
    const ahead = (index - (this.#next % ringSize) + ringSize) % ringSize;
    const message = this.#next + (ahead < ringSize / 2 ? ahead : ahead - ringSize);
    if (message < this.#next || message >= sent) {
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

  #isHeartbeat(payload: Buffer): boolean {
    return this.#stream.dialect.isEngineIo && payload.length === 1;
  }
}
