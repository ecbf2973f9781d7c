import { concatFrames, Frame } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";

/** Asks the actor's side for a part of a log of the app's. `from` undefined: only for its end. */
export type ReadAppLog = (from: number | undefined, answer: AppLogAnswer) => void;
export type AppLogAnswer = (payloads: readonly Payload[], next: number, failed: boolean) => void;

/** Who a tap writes to. */
export interface TapOwner {
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

  chunk(buffer: Buffer | undefined, next: number, isEnd: boolean): void {
    if (this.#isOver) return;
    this.#isReading = false;
    this.#offset = next;
    this.#isCaughtUp = isEnd;
    this.#owner.tapped(buffer);
  }

  failed(): void {
    if (!this.#isOver) this.#owner.tapFailed();
  }

  close(): void {
    this.#isOver = true;
    this.log.close(this);
  }
}

interface Chunk {
  readonly from: number;
  readonly next: number;
  readonly buffer: Buffer | undefined;
}

/**
 * A log that stands on the app's own store, as this edge sees it: who follows it, and
 * the last part read. Taps at the same offset share one read and one buffer.
 */
export class AppLog {
  readonly taps: Set<Tap> = new Set<Tap>();
  readonly #read: ReadAppLog;
  readonly #emptied: () => void;
  readonly #waiting = new Map<number | undefined, Tap[]>();
  #version = 0;
  #last: Chunk | undefined;

  /** `emptied` is called when its last tap has closed. */
  constructor(read: ReadAppLog, emptied: () => void) {
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
      const { buffer, next } = this.#last;
      // Not from within the member's own pump.
      queueMicrotask(() => tap.chunk(buffer, next, false));
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
    this.#read(from, (payloads, next, failed) => {
      this.#waiting.delete(from);
      if (failed) {
        for (const one of taps) one.failed();
        return;
      }
      const buffer =
        payloads.length === 0
          ? undefined
          : concatFrames(payloads.map((payload) => new Frame(payload.opcode, payload.bytes)));
      if (from !== undefined && next !== from) this.#last = { from, next, buffer };
      // An end that was seen before the log grew is no end.
      const isEnd = (next === from || from === undefined) && version === this.#version;
      for (const one of taps) one.chunk(buffer, next, isEnd);
    });
  }
}
