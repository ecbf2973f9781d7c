import { concatFrames, type Frame } from "../protocol/frame.ts";
import type { Payload } from "../protocol/port.ts";
import type { TopicSet, WindowEntry } from "./voice.ts";

export interface Slice {
  /** The frames of the range, in one buffer; undefined when none of its entries are for these topics. */
  readonly buffer: Buffer | undefined;
  /** The position behind the range. */
  readonly next: number;
}

/** Consecutive entries, as far as they are for some topics, in one buffer. Who is due a part gets a view of it. */
interface Run {
  readonly from: number;
  /** Where the frame of entry `from + index` ends. */
  readonly ends: readonly number[];
  readonly buffer: Buffer | undefined;
}

/** A slice, and of what. */
interface Answer extends Slice {
  readonly set: TopicSet;
  readonly from: number;
  readonly to: number;
}

/** What the window holds before its oldest entries go. Whoever is further behind reads from the actor's log. */
export const maxWindowEntries = 1024;
const maxWindowBytes = 256 * 1024;
/** One slice, and so one write, at most; but at least one message. */
export const maxSliceBytes: number = 256 * 1024;
const maxRunsPerSet = 64;
/** Buffers kept for the next member. Beyond, each that is due one builds its own: members then have little in common. */
export const maxCachedRunBytes: number = 4 * 1024 * 1024;

/** The newest entries of an actor's log: what members that keep up are served from. */
export class LogWindow {
  #entries: WindowEntry[] = [];
  #bytes = 0;
  #head = 0;
  readonly #runs = new Map<TopicSet, Run[]>();
  #runBytes = 0;
  /** The last answer and its question: thousands ask the same one after the other. */
  #last: Answer | undefined;

  /** The newest number that this edge knows of. */
  get head(): number {
    return this.#head;
  }

  /** The oldest position that the window serves. */
  get first(): number {
    return this.#entries[0]?.seq ?? this.#head + 1;
  }

  get size(): number {
    return this.#entries.length;
  }

  get isOverfull(): boolean {
    return this.#entries.length > maxWindowEntries || this.#bytes > maxWindowBytes;
  }

  append(seq: number, topic: string, payload: Payload | undefined): void {
    if (seq <= this.#head) return;
    // After a time without members the window starts anew: it must have no hole.
    if (seq !== this.#head + 1) this.clear();
    this.#entries.push({ seq, topic, payload, frames: new Map() });
    this.#bytes += payload?.bytes.length ?? 0;
    this.#head = seq;
    this.#forgetRuns();
  }

  /** The actor has reached `seq`, whether or not this edge saw the entries. */
  advanceTo(seq: number): void {
    if (seq <= this.#head) return;
    this.clear();
    this.#head = seq;
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#forgetRuns();
  }

  /**
   * All who keep up have had this. Frames are short-lived memory, and what stays of it here would keep
   * what it was allocated among: they are built again for those who come for them later.
   */
  rest(): void {
    for (const { frames } of this.#entries) if (frames.size > 0) frames.clear();
    this.#forgetRuns();
  }

  /** Drops the oldest entries, to half the bounds. */
  trim(): void {
    let drop = 0;
    let bytes = this.#bytes;
    while (
      drop < this.#entries.length &&
      (this.#entries.length - drop > maxWindowEntries / 2 || bytes > maxWindowBytes / 2)
    ) {
      bytes -= this.#entries[drop]?.payload?.bytes.length ?? 0;
      drop += 1;
    }
    if (drop === 0) return;
    this.#entries = this.#entries.slice(drop);
    this.#bytes = bytes;
    this.#forgetRuns();
  }

  /** What is in [from, to] for these topics, up to `maxSliceBytes`. `from` must not be before `first`. */
  slice(set: TopicSet, from: number, to: number): Slice {
    const known = this.#last;
    if (known !== undefined && known.set === set && known.from === from && known.to === to)
      return known;
    const { buffer, next } = this.#slice(set, from, to);
    const answer: Answer = { buffer, next, set, from, to };
    this.#last = answer;
    return answer;
  }

  #slice(set: TopicSet, from: number, to: number): Slice {
    const run = this.#run(set, from);
    const first = from - run.from;
    const last = Math.min(to - run.from, run.ends.length - 1);
    const next = run.from + last + 1;
    const start = first === 0 ? 0 : (run.ends[first - 1] ?? 0);
    const end = run.ends[last] ?? 0;
    if (run.buffer === undefined || start === end) return { buffer: undefined, next };
    const isWhole = start === 0 && end === run.buffer.length;
    return { buffer: isWhole ? run.buffer : run.buffer.subarray(start, end), next };
  }

  #run(set: TopicSet, from: number): Run {
    let runs = this.#runs.get(set);
    const known = runs?.find((run) => from >= run.from && from < run.from + run.ends.length);
    if (known !== undefined) return known;
    const run = this.#build(set, from);
    const bytes = (run.buffer?.length ?? 0) + run.ends.length * 8;
    if (this.#runBytes + bytes > maxCachedRunBytes) return run;
    if (runs === undefined) this.#runs.set(set, (runs = []));
    if (runs.length >= maxRunsPerSet) return run;
    runs.push(run);
    this.#runBytes += bytes;
    return run;
  }

  #forgetRuns(): void {
    this.#last = undefined;
    if (this.#runs.size === 0) return;
    this.#runs.clear();
    this.#runBytes = 0;
  }

  #build(set: TopicSet, from: number): Run {
    const frames: Frame[] = [];
    const ends: number[] = [];
    let bytes = 0;
    for (let index = from - this.first; index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry === undefined) break;
      const isFor = entry.payload === undefined || set.has.has(entry.topic);
      const frame = isFor ? frameOf(set, entry) : undefined;
      if (frame !== undefined) {
        if (frames.length > 0 && bytes + frame.byteLength > maxSliceBytes) break;
        frames.push(frame);
        bytes += frame.byteLength;
      }
      ends.push(bytes);
    }
    return { from, ends, buffer: frames.length === 0 ? undefined : concatFrames(frames) };
  }
}

/** Built once for all sets of a voice, and compressed once for all that take it so. */
function frameOf({ voice }: TopicSet, entry: WindowEntry): Frame | undefined {
  const { base, deflate } = voice;
  let frame = entry.frames.get(base);
  if (frame === undefined && !entry.frames.has(base)) {
    frame = base.frameOf(entry);
    entry.frames.set(base, frame);
  }
  return deflate === undefined ? frame : frame?.deflated(deflate);
}
