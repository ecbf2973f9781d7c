import { clamp, type LogReader, type LogSlice } from "../log/log-reader.ts";

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
  /** Where a build's log begins; undefined while an earlier one is not complete, and for a build that never started. */
  startOf(buildId: number): number | undefined;
}

interface Segment {
  readonly buildId: number;
  log: LogReader;
  /** Known once every earlier log is complete. */
  start: number | undefined;
  /** Whether `log.length` is final. */
  isComplete: boolean;
}

/** The console that grows with the builds. */
export class BuildConsole implements Console {
  readonly #segments: Segment[] = [];
  readonly #byBuild = new Map<number, Segment>();
  /** How many segments have their start: the last of them is the one that grows. */
  #placed = 0;

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
  }

  head(): number {
    return endOf(this.#segments[this.#placed - 1]);
  }

  startOf(buildId: number): number | undefined {
    return this.#byBuild.get(buildId)?.start;
  }

  async read(from: number, maxBytes: number): Promise<LogSlice> {
    const head = this.head();
    const texts: string[] = [];
    let next = clamp(from, head);
    let budget = maxBytes;
    for (let index = this.#find(next); next < head; index++) {
      const segment = this.#segments[index];
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

  #place(): void {
    while (this.#placed < this.#segments.length) {
      const before = this.#segments[this.#placed - 1];
      const segment = this.#segments[this.#placed];
      if (segment === undefined || before?.isComplete === false) return;
      segment.start = endOf(before);
      this.#placed++;
    }
  }

  /** The index of the last placed segment that begins at or before `offset`. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#placed - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#segments[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const emptyLog: LogReader = { length: 0, read: () => Promise.resolve({ text: "", next: 0 }) };

function endOf(segment: Segment | undefined): number {
  return segment === undefined ? 0 : (segment.start ?? 0) + segment.log.length;
}
