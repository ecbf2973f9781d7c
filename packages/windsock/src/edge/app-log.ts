import { concatFrames } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";
import type { Speech } from "./speech.ts";

/** Asks the actor's side for a part of a log of the app's. `from` undefined: only for its end. */
export type ReadAppLog = (from: number | undefined, answer: AppLogAnswer) => void;
export type AppLogAnswer = (chunk: AppLogChunk) => void;

export interface AppLogChunk {
  readonly payloads: readonly Payload[];
  /** The offset behind each payload, if its reader said it. */
  readonly offsets?: readonly number[];
  readonly next: number;
  readonly failed: boolean;
}

/** Who a tap writes to. */
export interface TapOwner {
  readonly speech: Speech;
  /** The frames of a chunk, or nothing new: either way the tap may read on. */
  tapped(buffer: Buffer | undefined): void;
  tapFailed(): void;
  /** The log has grown: the tap is due. */
  tapDue(): void;
}

/** One member's position in a log of the app's. */
export class Tap {
  readonly log: AppLog;
  readonly #owner: TapOwner;
  #offset: number | undefined;
  #isCaughtUp = false;
  #isReading = false;
  #isOver = false;

  /** `from` undefined: from its end. */
  constructor(log: AppLog, owner: TapOwner, from: number | undefined) {
    this.log = log;
    this.#owner = owner;
    this.#offset = from;
    log.taps.add(this);
  }

  /** There may be more than it has had, and it is not waiting for it yet. */
  get isDue(): boolean {
    return !this.#isCaughtUp && !this.#isReading;
  }

  read(): void {
    this.#isReading = true;
    this.log.read(this, this.#offset);
  }

  grown(): void {
    this.#isCaughtUp = false;
    this.#owner.tapDue();
  }

  chunk(chunk: Chunk, isEnd: boolean): void {
    if (this.#isOver) return;
    this.#isReading = false;
    this.#offset = chunk.next;
    this.#isCaughtUp = isEnd;
    this.#owner.tapped(chunk.buffer(this.#owner.speech));
  }

  failed(): void {
    if (!this.#isOver) this.#owner.tapFailed();
  }

  close(): void {
    this.#isOver = true;
    this.log.close(this);
  }
}

/** Beyond, readers on channels of these numbers have what is built for them to themselves. */
const maxKeptBuffers = 16;

/** A part of the log that was read, framed once for each way of speaking. */
class Chunk {
  readonly next: number;
  readonly #topic: string;
  readonly #from: number | undefined;
  readonly #chunk: AppLogChunk;
  /** A few: by channel, and with compression or without. */
  readonly #buffers = new Map<Speech, Buffer>();

  constructor(topic: string, from: number | undefined, chunk: AppLogChunk) {
    this.next = chunk.next;
    this.#topic = topic;
    this.#from = from;
    this.#chunk = chunk;
  }

  buffer(speech: Speech): Buffer | undefined {
    const { payloads, offsets, next } = this.#chunk;
    if (payloads.length === 0) return undefined;
    let buffer = this.#buffers.get(speech);
    if (buffer === undefined) {
      // A message whose own offset is not known does not move the position: after a cut it comes again.
      const before = this.#from ?? next;
      const offsetOf = (index: number): number =>
        index === payloads.length - 1 ? next : (offsets?.[index] ?? before);
      buffer = concatFrames(
        payloads.map((payload, index) => speech.tail(this.#topic, offsetOf(index), payload)),
      );
      if (this.#buffers.size < maxKeptBuffers) this.#buffers.set(speech, buffer);
    }
    return buffer;
  }
}

/**
 * A log that stands on the app's own store, as this edge sees it: who follows it, and
 * the last part read. Taps at the same offset share one read and one buffer.
 */
export class AppLog {
  readonly topic: string;
  readonly taps: Set<Tap> = new Set<Tap>();
  readonly #read: ReadAppLog;
  readonly #emptied: () => void;
  readonly #waiting = new Map<number | undefined, Tap[]>();
  #version = 0;
  #last: { readonly from: number; readonly chunk: Chunk } | undefined;

  /** `emptied` is called when its last tap has closed. */
  constructor(topic: string, read: ReadAppLog, emptied: () => void) {
    this.topic = topic;
    this.#read = read;
    this.#emptied = emptied;
  }

  /** It has grown. */
  advance(): void {
    this.#version += 1;
    for (const tap of this.taps) tap.grown();
  }

  close(tap: Tap): void {
    if (this.taps.delete(tap) && this.taps.size === 0) this.#emptied();
  }

  /** Reads at `from` (undefined: only its end is wanted), and gives the chunk to the tap. */
  read(tap: Tap, from: number | undefined): void {
    if (this.#last !== undefined && from === this.#last.from) {
      const { chunk } = this.#last;
      // Not from within the member's own pump.
      queueMicrotask(() => tap.chunk(chunk, false));
      return;
    }
    const waiting = this.#waiting.get(from);
    if (waiting !== undefined) {
      waiting.push(tap);
      return;
    }
    const taps = [tap];
    this.#waiting.set(from, taps);
    const version = this.#version;
    this.#read(from, (answer) => {
      this.#waiting.delete(from);
      if (answer.failed) {
        for (const one of taps) one.failed();
        return;
      }
      const chunk = new Chunk(this.topic, from, answer);
      if (from !== undefined && chunk.next !== from) this.#last = { from, chunk };
      // An end that was seen before the log grew is no end.
      const isEnd = (chunk.next === from || from === undefined) && version === this.#version;
      for (const one of taps) one.chunk(chunk, isEnd);
    });
  }
}
