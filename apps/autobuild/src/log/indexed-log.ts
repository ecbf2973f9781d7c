import { setImmediate as nextRound } from "node:timers/promises";
import { LineIndex, rowsFrom, type Checkpoint } from "../terminal/line-index.ts";
import type { StepLogReader } from "./step-log-reader.ts";

/** What a search found. */
export interface SearchResult {
  /** The rows that have it, from 0, in their order. */
  readonly rows: readonly number[];
  /** There are more: these are the first. */
  readonly isCut: boolean;
  /** How many rows were looked at. */
  readonly lines: number;
}

const readBytes = 256 * 1024;
const maxHits = 10_000;

/** A log and its index, which is made of the file as far as the file goes, and anew when it is lost. */
export class IndexedLog {
  readonly reader: StepLogReader;
  readonly index = new LineIndex();
  #advancing: Promise<void> | undefined;

  constructor(reader: StepLogReader) {
    this.reader = reader;
  }

  /** Resolves when the index is as long as the log was at the call. In slices: nothing else waits for it. */
  async advance(): Promise<void> {
    await this.#advancing;
    this.#advancing ??= this.#advance().finally(() => (this.#advancing = undefined));
    await this.#advancing;
  }

  async #advance(): Promise<void> {
    await this.reader.refresh();
    const until = this.reader.length;
    while (this.index.byte < until) {
      const bytes = await this.reader.read(this.index.byte, readBytes);
      if (bytes.length === 0) return;
      this.index.write(bytes);
      await nextRound();
    }
  }

  /** All rows that have a text. Capital letters count if the text has some. */
  async search(text: string, signal: AbortSignal): Promise<SearchResult> {
    await this.advance();
    const rows: number[] = [];
    const isExact = text !== text.toLowerCase();
    const checkpoints = [...this.index.checkpoints];
    const lines = this.index.lineCount;
    for (const [at, checkpoint] of checkpoints.entries()) {
      signal.throwIfAborted();
      const next = checkpoints[at + 1];
      for (const [offset, row] of (await this.#rows(checkpoint, next)).entries()) {
        const shown = isExact ? row.text : row.text.toLowerCase();
        if (!shown.includes(text)) continue;
        if (rows.length === maxHits) return { rows, isCut: true, lines };
        rows.push(checkpoint.line + offset);
      }
      await nextRound();
    }
    return { rows, isCut: false, lines };
  }

  async #rows(
    checkpoint: Checkpoint,
    next: Checkpoint | undefined,
  ): Promise<ReturnType<typeof rowsFrom>> {
    const length = (next?.byte ?? this.index.byte) - checkpoint.byte;
    const bytes = await this.reader.read(checkpoint.byte, length);
    return rowsFrom(checkpoint, bytes, next === undefined ? Infinity : next.line - checkpoint.line);
  }
}
