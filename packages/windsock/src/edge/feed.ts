import { concatFrames, type Frame } from "../protocol/frame.ts";
import type { Member } from "./member.ts";

interface FeedEntry {
  readonly seq: number;
  readonly topic: string;
  readonly frame: Frame | undefined;
}

/** The topics of some members, shared by all that have the same ones. */
export interface TopicSet {
  readonly topics: readonly string[];
  readonly has: ReadonlySet<string>;
}

export interface Slice {
  /** The frames of the range, in one buffer; undefined when none of its entries are for these topics. */
  readonly buffer: Buffer | undefined;
  /** The position behind the range. */
  readonly next: number;
}

/** What the window holds before its oldest entries go. Whoever is further behind reads from the actor's log. */
const maxWindowEntries = 1024;
const maxWindowBytes = 256 * 1024;
/** One slice, and so one write, at most; but at least one message. */
export const maxSliceBytes: number = 256 * 1024;
const maxCachedSlices = 64;

/**
 * One actor's log as this edge needs it: a window of its newest entries, and the
 * members that read it. Members at the same position get the same buffer.
 */
export class Feed {
  readonly address: string;
  readonly members: Set<Member> = new Set<Member>();
  /** The actor's mailbox is full: what members send is held back. */
  isFull = false;
  isDirty = false;
  #entries: FeedEntry[] = [];
  #bytes = 0;
  #head = 0;
  readonly #slices = new Map<TopicSet, Map<number, Slice>>();
  readonly #topicSets = new Map<string, TopicSet>();

  constructor(address: string) {
    this.address = address;
  }

  /** The newest number that this edge knows of. */
  get head(): number {
    return this.#head;
  }

  /** The oldest position that the window serves. */
  get first(): number {
    return this.#entries[0]?.seq ?? this.#head + 1;
  }

  get isOverfull(): boolean {
    return this.#entries.length > maxWindowEntries || this.#bytes > maxWindowBytes;
  }

  /** An entry that is no message (a restart) takes a number and no frame. */
  append(seq: number, topic: string, frame: Frame | undefined): void {
    if (seq <= this.#head) return;
    // After a time without members the window starts anew: it must have no hole.
    if (seq !== this.#head + 1) this.#clear();
    this.#entries.push({ seq, topic, frame });
    this.#bytes += frame?.byteLength ?? 0;
    this.#head = seq;
    this.#slices.clear();
  }

  /** The actor has reached `seq`, whether or not this edge saw the entries. */
  advanceTo(seq: number): void {
    if (seq <= this.#head) return;
    this.#clear();
    this.#head = seq;
  }

  /** Everybody has read everything. */
  clear(): void {
    this.#clear();
  }

  /** Drops the oldest entries, to half the bounds. */
  trim(): void {
    let drop = 0;
    let bytes = this.#bytes;
    while (
      drop < this.#entries.length &&
      (this.#entries.length - drop > maxWindowEntries / 2 || bytes > maxWindowBytes / 2)
    ) {
      bytes -= this.#entries[drop]?.frame?.byteLength ?? 0;
      drop += 1;
    }
    if (drop === 0) return;
    this.#entries = this.#entries.slice(drop);
    this.#bytes = bytes;
    this.#slices.clear();
  }

  /** The one set with these topics. */
  topicSet(topics: readonly string[]): TopicSet {
    const sorted = [...topics].sort();
    const key = JSON.stringify(sorted);
    let set = this.#topicSets.get(key);
    if (set === undefined) {
      if (this.#topicSets.size >= 1000) this.#topicSets.clear();
      set = { topics: sorted, has: new Set(sorted) };
      this.#topicSets.set(key, set);
    }
    return set;
  }

  /** What is in [from, to] for these topics, up to `maxSliceBytes`. `from` must not be before `first`. */
  slice(set: TopicSet, from: number, to: number): Slice {
    const cached = to === this.#head ? this.#slices.get(set)?.get(from) : undefined;
    if (cached !== undefined) return cached;
    const start = from - this.first;
    const frames: Frame[] = [];
    let bytes = 0;
    let next = from;
    for (let index = start; index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry === undefined || entry.seq > to) break;
      if (entry.frame !== undefined && set.has.has(entry.topic)) {
        if (frames.length > 0 && bytes + entry.frame.byteLength > maxSliceBytes) break;
        frames.push(entry.frame);
        bytes += entry.frame.byteLength;
      }
      next = entry.seq + 1;
    }
    const slice = { buffer: frames.length === 0 ? undefined : concatFrames(frames), next };
    if (to === this.#head) this.#cache(set, from, slice);
    return slice;
  }

  #cache(set: TopicSet, from: number, slice: Slice): void {
    let slices = this.#slices.get(set);
    if (slices === undefined) {
      slices = new Map();
      this.#slices.set(set, slices);
    }
    if (slices.size < maxCachedSlices) slices.set(from, slice);
  }

  #clear(): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#slices.clear();
  }
}
