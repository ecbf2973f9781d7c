import type { Group } from "../../terminal/groups.ts";

/** Rows that are not shown, [from, until), in order and apart from each other. */
interface Hidden {
  readonly from: number;
  readonly until: number;
  /** Hidden rows before it. */
  readonly before: number;
}

/** Which rows are shown, and as the how-manieth. */
export class Folds {
  #hidden: readonly Hidden[] = [];

  /** `isClosed` is asked for each group. */
  set(groups: readonly Group[], isClosed: (group: Group) => boolean): void {
    const ranges: { from: number; until: number }[] = [];
    for (const group of groups) {
      const { start, end = Infinity, hasEndRow } = group;
      if (isClosed(group)) ranges.push({ from: start + 1, until: end });
      else if (hasEndRow === true) ranges.push({ from: end - 1, until: end });
    }
    ranges.sort((a, b) => a.from - b.from || b.until - a.until);
    const hidden: Hidden[] = [];
    for (const { from, until } of ranges) {
      const last = hidden.at(-1);
      if (last !== undefined && from <= last.until) {
        if (until > last.until) hidden[hidden.length - 1] = { ...last, until };
      } else {
        const before = last === undefined ? 0 : last.before + last.until - last.from;
        if (until > from) hidden.push({ from, until, before });
      }
    }
    this.#hidden = hidden;
  }

  /** How many of the first so many rows are shown. */
  count(lines: number): number {
    const range = this.#last(({ from }) => from < lines);
    if (range === undefined) return lines;
    return lines - range.before - (Math.min(range.until, lines) - range.from);
  }

  /** The row that is shown as that one. */
  lineAt(shown: number): number {
    const range = this.#last(({ from, before }) => from - before <= shown);
    return range === undefined ? shown : shown + range.before + range.until - range.from;
  }

  /** As the how-manieth a row is shown; a hidden one counts as the one before it. */
  indexOf(line: number): number {
    const range = this.#last(({ from }) => from <= line);
    if (range === undefined) return line;
    if (line < range.until) return Math.max(0, range.from - range.before - 1);
    return line - range.before - (range.until - range.from);
  }

  isHidden(line: number): boolean {
    const range = this.#last(({ from }) => from <= line);
    return range !== undefined && line < range.until;
  }

  #last(holds: (range: Hidden) => boolean): Hidden | undefined {
    let low = 0;
    let high = this.#hidden.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = this.#hidden[middle];
      if (range !== undefined && holds(range)) low = middle + 1;
      else high = middle;
    }
    return this.#hidden[low - 1];
  }
}
