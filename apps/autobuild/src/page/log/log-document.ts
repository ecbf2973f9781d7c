import type { Group } from "../../terminal/groups.ts";
import {
  beginning,
  LineIndex,
  rowsFrom,
  type Checkpoint,
  type IndexData,
} from "../../terminal/line-index.ts";
import type { Row } from "../../terminal/row.ts";

/** A part of the log between two checkpoints: its bytes if they are here, its rows if somebody saw them lately. */
interface Segment {
  readonly from: Checkpoint;
  readonly until: { readonly byte: number; readonly line: number };
  bytes?: Uint8Array | undefined;
  rows?: Row[] | undefined;
}

/** Bytes further from what is read are fetched again when they are. */
const maxHeldBytes = 64 * 1024 * 1024;
const maxRowSegments = 16;

/**
 * A log as far as this page has it: the end, which grows, and of what lies before it the parts that somebody read.
 *
 * All bytes from the start of the tail on come in order through `write`. Earlier ones are asked for by
 * `handleMissing` and brought by `fill`.
 */
export class LogDocument {
  readonly #index: LineIndex;
  readonly #handleMissing: (from: number, until: number) => void;
  readonly #segments: Segment[] = [];
  /** Where the rows and the pieces below begin. */
  #tail: Checkpoint;
  #tailRows: Row[] = [];
  #pieces: Uint8Array[] = [];
  #withRows: Segment[] = [];
  #heldBytes = 0;

  /** `data` up to the checkpoint from which on `write` gets all bytes. What `known` holds is not asked for again. */
  constructor(
    data: IndexData | undefined,
    handleMissing: (from: number, until: number) => void = () => {},
    known?: LogDocument,
  ) {
    this.#handleMissing = handleMissing;
    const checkpoints = data?.checkpoints ?? [beginning];
    for (const [at, from] of checkpoints.entries()) {
      const until = checkpoints[at + 1];
      if (until !== undefined) this.#segments.push({ from, until });
    }
    this.#tail = checkpoints.at(-1) ?? beginning;
    for (const { from, bytes } of known === undefined ? [] : known.#segments)
      if (bytes !== undefined) this.fill(from.byte, bytes);
    this.#index = new LineIndex(data, (row) => void this.#tailRows.push(row));
  }

  /** The byte that it expects next. */
  get byte(): number {
    return this.#index.byte;
  }

  get lineCount(): number {
    return this.#index.lineCount;
  }

  get groups(): readonly Group[] {
    return this.#index.groups;
  }

  get errors(): readonly number[] {
    return this.#index.errors;
  }

  /** Whether no byte is missing here. */
  get isWhole(): boolean {
    return this.#segments.every(({ bytes }) => bytes !== undefined) && this.#firstByte === 0;
  }

  get #firstByte(): number {
    return this.#segments[0]?.from.byte ?? this.#tail.byte;
  }

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    const known = this.#index.checkpoints.length;
    this.#index.write(bytes);
    const { checkpoints } = this.#index;
    for (let at = known; at < checkpoints.length; at++) {
      const next = checkpoints[at];
      if (next !== undefined) this.#cut(next);
    }
  }

  /** A row from 0 on; undefined when it is not here (yet). */
  row(line: number): Row | undefined {
    const { terminal } = this.#index;
    if (line >= terminal.firstRow) return terminal.row(line);
    if (line >= this.#tail.line) return this.#tailRows[line - this.#tail.line];
    const segment = this.#lastSegment(({ from }) => from.line <= line);
    if (segment === undefined) return undefined;
    if (segment.rows === undefined) {
      if (segment.bytes === undefined) {
        this.#handleMissing(segment.from.byte, segment.until.byte);
        return undefined;
      }
      segment.rows = rowsFrom(segment.from, segment.bytes, segment.until.line - segment.from.line);
    }
    this.#keepRows(segment);
    return segment.rows[line - segment.from.line];
  }

  /** The bytes that rows `from` to `until` need and that are not here. Neighbours are one range. */
  missing(from: number, until: number): { readonly from: number; readonly until: number }[] {
    const ranges: { from: number; until: number }[] = [];
    for (const segment of this.#segments) {
      if (segment.bytes !== undefined || segment.until.line <= from) continue;
      if (segment.from.line > until) break;
      const last = ranges.at(-1);
      if (last?.until === segment.from.byte) last.until = segment.until.byte;
      else ranges.push({ from: segment.from.byte, until: segment.until.byte });
    }
    return ranges;
  }

  /** Brings bytes that were missing, of one part or of several. */
  fill(from: number, bytes: Uint8Array): void {
    const until = from + bytes.length;
    for (const segment of this.#segments) {
      if (segment.from.byte < from || segment.bytes !== undefined) continue;
      if (segment.until.byte > until) return;
      const part = bytes.subarray(segment.from.byte - from, segment.until.byte - from);
      // Of several a copy each: some may be let go before the others.
      segment.bytes = part.length === bytes.length ? bytes : part.slice();
      this.#hold(segment);
    }
  }

  /** All bytes, if they are here. */
  allBytes(): Uint8Array[] | undefined {
    if (!this.isWhole) return undefined;
    return [...this.#segments.flatMap(({ bytes }) => bytes ?? []), ...this.#pieces];
  }

  /** A line of the tail is final for good: what lies before it becomes a segment. */
  #cut(next: Checkpoint): void {
    const bytes = joined(this.#pieces);
    const length = next.byte - this.#tail.byte;
    const segment: Segment = {
      from: this.#tail,
      until: next,
      bytes: bytes.slice(0, length),
      rows: this.#tailRows.splice(0, next.line - this.#tail.line),
    };
    this.#pieces = [bytes.slice(length)];
    this.#tail = next;
    this.#segments.push(segment);
    this.#keepRows(segment);
    this.#hold(segment);
  }

  #hold(segment: Segment): void {
    this.#heldBytes += segment.bytes?.length ?? 0;
    for (const one of this.#segments) {
      if (this.#heldBytes <= maxHeldBytes) return;
      if (one === segment || one.bytes === undefined || this.#withRows.includes(one)) continue;
      this.#heldBytes -= one.bytes.length;
      one.bytes = undefined;
    }
  }

  #keepRows(segment: Segment): void {
    if (this.#withRows.at(-1) === segment) return;
    this.#withRows = [...this.#withRows.filter((one) => one !== segment), segment];
    if (this.#withRows.length <= maxRowSegments) return;
    const oldest = this.#withRows.shift();
    if (oldest !== undefined) oldest.rows = undefined;
  }

  /** The last one for which something holds that holds for all before it. */
  #lastSegment(holds: (segment: Segment) => boolean): Segment | undefined {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const segment = this.#segments[middle];
      if (segment !== undefined && holds(segment)) low = middle + 1;
      else high = middle;
    }
    return this.#segments[low - 1];
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
