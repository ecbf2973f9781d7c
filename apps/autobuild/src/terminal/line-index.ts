import { isErrorLine } from "./error-line.ts";
import { Groups, type Group, type GroupsState } from "./groups.ts";
import type { Row } from "./row.ts";
import type { TerminalState } from "./terminal-state.ts";
import { Terminal } from "./terminal.ts";

/** A place from which a log can be read as if from its beginning. Plain JSON. */
export interface Checkpoint {
  readonly byte: number;
  /** The row with which it begins. All rows before it are final there. */
  readonly line: number;
  readonly state: TerminalState;
  /** How far the groups were. */
  readonly groups: Omit<GroupsState, "groups"> & { readonly count: number };
  /** How many lines had looked like errors. */
  readonly errors: number;
}

/** What is known of a log up to its newest checkpoint, for a client or the disk. Plain JSON. */
export interface IndexData {
  /** In the order of their bytes; the first is the beginning. */
  readonly checkpoints: readonly Checkpoint[];
  /** All, those that began behind the newest checkpoint too. */
  readonly groups: readonly Group[];
  /** Rows that look like errors; the first 200. */
  readonly errors: readonly number[];
}

export const everyLines = 1000;
const everyBytes = 64 * 1024;
/** Output that moves about in the same rows has no line to begin at: then the rows are kept with the place. */
const screenEveryBytes = 1024 * 1024;
const sliceBytes = 64 * 1024;
const maxErrors = 200;

export const beginning: Checkpoint = {
  byte: 0,
  line: 0,
  state: {},
  groups: { count: 0, open: [] },
  errors: 0,
};

/**
 * Reads a log once, in any pieces, and remembers places to begin at: every 1,000 lines or 64 KiB.
 *
 * A checkpoint counts only when the line before it has become final: output that goes back over it with
 * the cursor takes it away again. So rows [a.line, b.line) of neighbours a and b are what the bytes
 * [a.byte, b.byte) make of a's state, and no others.
 */
export class LineIndex {
  readonly terminal: Terminal;
  readonly #checkpoints: Checkpoint[];
  readonly #groups: Groups;
  readonly #errors: number[];
  readonly #handleFinal: (row: Row, index: number) => void;
  #candidate: Checkpoint | undefined;
  #screenAfter = screenEveryBytes;

  /** Goes on behind the newest checkpoint of `data`. `handleFinal` gets each row from there on once. */
  constructor(data?: IndexData, handleFinal: (row: Row, index: number) => void = () => {}) {
    this.#checkpoints = [...(data?.checkpoints ?? [beginning])];
    const start = this.#checkpoints.at(-1) ?? beginning;
    this.#groups = new Groups(data === undefined ? undefined : groupsAt(start, data.groups));
    this.#errors = data?.errors.slice(0, start.errors) ?? [];
    this.#handleFinal = handleFinal;
    this.terminal = new Terminal(
      {
        handleFinal: (row, index) => this.#final(row, index),
        handleLine: (row, index, offset) => this.#line(row, index, offset),
        handleErase: (index) => {
          this.#groups.rewind(index);
          while ((this.#errors.at(-1) ?? -1) >= index) this.#errors.pop();
        },
        handleMoveUp: (index) => {
          if (this.#candidate !== undefined && index < this.#candidate.line)
            this.#candidate = undefined;
        },
      },
      { firstRow: start.line, offset: start.byte, state: start.state },
    );
  }

  get checkpoints(): readonly Checkpoint[] {
    return this.#checkpoints;
  }

  get groups(): readonly Group[] {
    return this.#groups.all;
  }

  get errors(): readonly number[] {
    return this.#errors;
  }

  /** Up to where it has read. */
  get byte(): number {
    return this.terminal.offset;
  }

  /** How many lines there are; the empty one that a line feed has begun is none yet. */
  get lineCount(): number {
    const { rowCount } = this.terminal;
    return rowCount - (this.terminal.row(rowCount - 1)?.length === 0 ? 1 : 0);
  }

  get data(): IndexData {
    return { checkpoints: this.#checkpoints, groups: this.groups, errors: this.#errors };
  }

  write(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += sliceBytes) {
      this.terminal.write(bytes.subarray(start, start + sliceBytes));
      this.#keepScreen();
    }
  }

  #final(row: Row, index: number): void {
    this.#handleFinal(row, index);
    // Called when the row is out already: the window begins behind it.
    if (this.#candidate !== undefined && this.terminal.firstRow >= this.#candidate.line) {
      this.#checkpoints.push(this.#candidate);
      this.#candidate = undefined;
      this.#screenAfter = screenEveryBytes;
    }
  }

  #line(row: Row, index: number, offset: number): void {
    this.#groups.line(row, index, offset);
    if (this.#errors.length < maxErrors && isErrorLine(row.text)) this.#errors.push(index);
    if (this.#candidate !== undefined) return;
    const last = this.#checkpoints.at(-1) ?? beginning;
    if (offset - last.byte < everyBytes && index + 1 - last.line < everyLines) return;
    this.#candidate = this.#checkpointAt(offset, index + 1, this.terminal.stateAtLine());
  }

  #keepScreen(): void {
    const last = this.#checkpoints.at(-1) ?? beginning;
    const { offset, firstRow } = this.terminal;
    if (offset - last.byte < this.#screenAfter) return;
    const state = this.terminal.stateWithScreen();
    if (state === undefined) return;
    const checkpoint = this.#checkpointAt(offset, firstRow, state);
    // It lies before this one.
    this.#candidate = undefined;
    // Nothing is final since the last one: this one stands for it.
    if (last.line === firstRow) this.#checkpoints[this.#checkpoints.length - 1] = checkpoint;
    else this.#checkpoints.push(checkpoint);
    // All that is kept this way stays below an eighth of the log.
    const bytes = (state.screen?.rows ?? []).reduce(
      (sum, { text, runs }) => sum + 2 * text.length + 64 * runs.length,
      0,
    );
    this.#screenAfter = Math.max(screenEveryBytes, 8 * bytes);
  }

  #checkpointAt(byte: number, line: number, state: TerminalState): Checkpoint {
    return {
      byte,
      line,
      state,
      groups: { ...this.#groups.state(line), count: this.#groups.all.length },
      errors: this.#errors.length,
    };
  }
}

/** The groups as they were at a checkpoint: what was open there had no end yet. */
function groupsAt({ groups }: Checkpoint, all: readonly Group[]): GroupsState {
  const { count, ...open } = groups;
  const known = all.slice(0, count);
  for (const { index } of open.open) {
    const group = known[index];
    if (group === undefined) continue;
    const { end: _end, until: _until, hasEndRow: _hasEndRow, ...rest } = group;
    known[index] = rest;
  }
  return { ...open, groups: known };
}

/** The rows from a checkpoint on that these bytes make, `count` at most; the last 100 may not be final. */
export function rowsFrom(
  { byte, line, state }: Checkpoint,
  bytes: Uint8Array,
  count = Infinity,
): Row[] {
  const rows: Row[] = [];
  const terminal = new Terminal(
    { handleFinal: (row) => void rows.push(row) },
    { firstRow: line, offset: byte, state },
  );
  terminal.write(bytes);
  rows.push(...terminal.rows);
  return rows.length > count ? rows.slice(0, count) : rows;
}
