import { clamp, type LogReader, type LogSlice } from "../log/log-reader.ts";
import type { StartedLogs } from "../store/started-store.ts";

/**
 * All builds' logs, one after the other in the order in which the builds started, as one log.
 *
 * Offsets are bytes, and stay what they are over restarts. Reads like a `LogReader`: whole lines, at least
 * one if there is any, and an empty text only at the end.
 */
export interface Console {
  /** The offset at which the next line will appear. */
  head(): number;
  read(from: number, maxBytes: number): Promise<LogSlice>;
  /**
   * Where a build's log begins; undefined while an earlier one is not complete, for a build that never started, and
   * for one that ended a thousand builds ago.
   */
  startOf(buildId: number): number | undefined;
}

/** What the console knows of builds that are over. */
export interface ConsoleHistory {
  /** Logs that grow no more: that with the byte at an offset of the console, and some that follow. */
  at(offset: number, limit: number): StartedLogs;
  log(buildId: number, bytes: number): LogReader;
}

interface Segment {
  readonly buildId: number;
  log: LogReader;
  /** Known once every earlier log is complete. */
  start: number | undefined;
  /** Whether `log.length` is final. */
  isComplete: boolean;
}

/** Complete logs that are held; those before are looked up when somebody reads that far back. */
export const heldLogs = 1000;

/** The console that grows with the builds. */
export class BuildConsole implements Console {
  readonly #history: ConsoleHistory;
  readonly #held: number;
  /** From the oldest that is held on, in the order of starts. */
  #segments: Segment[] = [];
  readonly #byBuild = new Map<number, Segment>();
  /** How many segments have their start: the last of them is the one that grows. */
  #placed = 0;
  /** Where the first segment begins. */
  #base = 0;
  /** Older logs that somebody has read lately. */
  #older: readonly Segment[] = [];

  constructor(history: ConsoleHistory, held: number = heldLogs) {
    this.#history = history;
    this.#held = held;
  }

  /** Leaves out the logs of all builds that started so far, of so many bytes. Call it before `add`, once. */
  skip(bytes: number): void {
    this.#base = bytes;
  }

  /** Adds the log of a build that starts. Call it in the order of starts. */
  add(buildId: number, log: LogReader = emptyLog): void {
    const segment: Segment = { buildId, log, start: undefined, isComplete: false };
    this.#segments.push(segment);
    this.#byBuild.set(buildId, segment);
    this.#place();
  }

  /** Says that a build's log grows no more, and what to read it from now on. Logs that started during it become visible. */
  complete(buildId: number, log: LogReader): void {
    const segment = this.#byBuild.get(buildId);
    if (segment === undefined) return;
    segment.log = log;
    segment.isComplete = true;
    this.#place();
    this.#letGo();
  }

  head(): number {
    return this.#endOf(this.#segments[this.#placed - 1]);
  }

  startOf(buildId: number): number | undefined {
    return this.#byBuild.get(buildId)?.start;
  }

  async read(from: number, maxBytes: number): Promise<LogSlice> {
    const head = this.head();
    const offset = clamp(from, head);
    if (offset >= this.#base) return readSegments(this.#segments, offset, head, maxBytes);
    const older = this.#olderAt(offset);
    const [first] = older;
    // Only somebody who changes the store by hand can make it so.
    if (first === undefined) return readSegments(this.#segments, this.#base, head, maxBytes);
    const end = Math.min(this.#base, this.#endOf(older.at(-1)));
    const slice = await readSegments(older, offset, end, maxBytes);
    // Nothing is left of these logs: what comes after them goes on.
    return slice.text === "" && slice.next < head ? this.read(slice.next, maxBytes) : slice;
  }

  #place(): void {
    while (this.#placed < this.#segments.length) {
      const before = this.#segments[this.#placed - 1];
      const segment = this.#segments[this.#placed];
      if (segment === undefined || before?.isComplete === false) return;
      segment.start = this.#endOf(before);
      this.#placed++;
    }
  }

  /** Forgets the oldest logs, many at once. */
  #letGo(): void {
    // The last one that has its start may still grow.
    const superfluous = this.#placed - 1 - this.#held;
    if (superfluous < this.#held) return;
    for (const { buildId } of this.#segments.slice(0, superfluous)) this.#byBuild.delete(buildId);
    this.#segments = this.#segments.slice(superfluous);
    this.#placed -= superfluous;
    this.#base = this.#segments[0]?.start ?? this.#base;
  }

  #olderAt(offset: number): readonly Segment[] {
    const start = this.#older[0]?.start ?? Infinity;
    if (offset >= start && offset < this.#endOf(this.#older.at(-1))) return this.#older;
    const { bytesBefore, logs } = this.#history.at(offset, this.#held);
    let next = bytesBefore;
    this.#older = logs.map(({ buildId, bytes }): Segment => {
      const log = this.#history.log(buildId, bytes);
      const segment = { buildId, log, start: next, isComplete: true };
      next += bytes;
      return segment;
    });
    return this.#older;
  }

  #endOf(segment: Segment | undefined): number {
    return segment === undefined ? this.#base : (segment.start ?? 0) + segment.log.length;
  }
}

async function readSegments(
  segments: readonly Segment[],
  from: number,
  head: number,
  maxBytes: number,
): Promise<LogSlice> {
  const texts: string[] = [];
  let next = from;
  let budget = maxBytes;
  for (let index = findSegment(segments, from); next < head; index++) {
    const segment = segments[index];
    if (segment?.start === undefined) break;
    const { log, start } = segment;
    const end = Math.min(start + log.length, head);
    while (next < end) {
      const slice = await log.read(next - start, budget);
      const bytes = start + slice.next - next;
      // What does not fit waits for the next read, unless it is all there is.
      if (texts.length > 0 && bytes > budget) return { text: texts.join(""), next };
      if (slice.text !== "") texts.push(slice.text);
      budget -= bytes;
      next += bytes;
    }
  }
  return { text: texts.join(""), next };
}

/** The index of the last segment that begins at or before `offset`. */
function findSegment(segments: readonly Segment[], offset: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle]?.start ?? Infinity) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

const emptyLog: LogReader = { length: 0, read: () => Promise.resolve({ text: "", next: 0 }) };
