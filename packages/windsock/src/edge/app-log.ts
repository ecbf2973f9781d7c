import { concatFrames, Frame } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";
import type { Member } from "./member.ts";

/** Asks the actor's side for a part of a log of the app's. */
export type ReadAppLog = (
  from: number | undefined,
  answer: (payloads: readonly Payload[], next: number, failed: boolean) => void,
) => void;

interface Chunk {
  readonly from: number;
  readonly next: number;
  readonly buffer: Buffer | undefined;
}

/**
 * A log that stands on the app's own store, as this edge sees it: who follows it, and
 * the last part read. Members at the same offset share one read and one buffer.
 */
export class AppLog {
  readonly followers: Set<Member> = new Set<Member>();
  readonly #read: ReadAppLog;
  readonly #emptied: () => void;
  readonly #waiting = new Map<number | undefined, Member[]>();
  #version = 0;
  #last: Chunk | undefined;

  constructor(read: ReadAppLog, emptied: () => void) {
    this.#read = read;
    this.#emptied = emptied;
  }

  /** It has grown. */
  advance(): void {
    this.#version += 1;
    for (const member of this.followers) member.advanced(this);
  }

  unfollow(member: Member): void {
    this.followers.delete(member);
    if (this.followers.size === 0) this.#emptied();
  }

  /** Reads at `from` (undefined: only its end is wanted), and gives the chunk to the member. */
  read(member: Member, from: number | undefined): void {
    if (this.#last !== undefined && from === this.#last.from) {
      // Not from within the member's own pump.
      const { buffer, next } = this.#last;
      queueMicrotask(() => member.tapped(this, buffer, next, false));
      return;
    }
    const waiting = this.#waiting.get(from);
    if (waiting !== undefined) {
      waiting.push(member);
      return;
    }
    const members = [member];
    this.#waiting.set(from, members);
    const version = this.#version;
    this.#read(from, (payloads, next, failed) => {
      this.#waiting.delete(from);
      if (failed) {
        for (const one of members) one.tapFailed(this);
        return;
      }
      const buffer =
        payloads.length === 0
          ? undefined
          : concatFrames(payloads.map((payload) => new Frame(payload.opcode, payload.bytes)));
      if (from !== undefined && next !== from) this.#last = { from, next, buffer };
      // An end that was seen before the log grew is no end.
      const isEnd = (next === from || from === undefined) && version === this.#version;
      for (const one of members) one.tapped(this, buffer, next, isEnd);
    });
  }
}
