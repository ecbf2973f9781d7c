import type { Row } from "./row.ts";

/** How far up output may still change: a row further up is final. */
export const windowRows = 100;
/** One more is there for a moment; a power of two, so that places are found by a mask. */
const slots = 128;

/**
 * The last rows of a terminal, in a ring.
 *
 * `push` and `shift` of an array of a hundred made up two fifths of reading a log: each pair of them moves all others.
 */
export class RowWindow {
  readonly #rows: (Row | undefined)[] = Array.from({ length: slots });
  #first = 0;
  #length = 0;

  constructor(rows: readonly Row[]) {
    for (const row of rows) this.push(row);
  }

  get length(): number {
    return this.#length;
  }

  at(index: number): Row | undefined {
    return index < 0 || index >= this.#length ? undefined : this.#rows[this.#slot(index)];
  }

  /** Gives the row for which there is no room any more. */
  push(row: Row): Row | undefined {
    this.#rows[this.#slot(this.#length)] = row;
    this.#length += 1;
    if (this.#length <= windowRows) return undefined;
    const gone = this.#rows[this.#first];
    this.#rows[this.#first] = undefined;
    this.#first = this.#slot(1);
    this.#length -= 1;
    return gone;
  }

  /** Takes away all from the end down to so many. */
  truncate(length: number): void {
    while (this.#length > length) {
      this.#length -= 1;
      this.#rows[this.#slot(this.#length)] = undefined;
    }
  }

  toArray(): Row[] {
    const rows: Row[] = [];
    for (let index = 0; index < this.#length; index++) {
      const row = this.at(index);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }

  #slot(index: number): number {
    return (this.#first + index) & (slots - 1);
  }
}
