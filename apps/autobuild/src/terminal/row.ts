import { cellWidth, isSimple } from "./cell-width.ts";
import { plainStyle, restyled, type Style } from "./style.ts";

/** A piece of a row in one style, up to `end`, in UTF-16 units. */
export interface Run {
  readonly end: number;
  readonly style: Style;
}

/** A mark of GitLab's dialect, found in a row before it was overwritten. */
export interface SectionMark {
  readonly type: "start" | "end";
  readonly name: string;
  readonly isCollapsed: boolean;
}

/** A row as plain data. Runs are `[end, foreground, background, flags, link]`. */
export interface RowData {
  readonly text: string;
  readonly runs: readonly (readonly [number, number, number, number, string])[];
  readonly isContinued: boolean;
  readonly offset: number;
  readonly sections: readonly SectionMark[];
}

/** One row of a terminal: a text and its styles. The runs cover the text, or are none where all of it is plain. */
export class Row {
  text = "";
  runs: Run[] = [];
  /** The byte of the log with which it began. */
  offset: number;
  sections: readonly SectionMark[] = [];
  /** It goes on with the row above it: a line longer than a row may be. */
  isContinued = false;
  /** In cells. */
  width = 0;
  /** Another after each change. */
  version = 0;
  /** One cell is one UTF-16 unit. */
  #isSimple = true;

  constructor(offset: number) {
    this.offset = offset;
  }

  static from({ text, runs, isContinued, offset, sections }: RowData): Row {
    const row = new Row(offset);
    row.sections = sections;
    row.text = text;
    row.runs = runs.map(([end, foreground, background, flags, link]) => ({
      end,
      style: restyled(plainStyle, { foreground, background, flags, link }),
    }));
    row.isContinued = isContinued;
    row.#measure();
    return row;
  }

  toData(): RowData {
    return {
      text: this.text,
      runs: this.runs.map(({ end, style }) => [
        end,
        style.foreground,
        style.background,
        style.flags,
        style.link,
      ]),
      isContinued: this.isContinued,
      offset: this.offset,
      sections: this.sections,
    };
  }

  /** Puts a text at a cell, over what is there. Gives the cell behind it. */
  put(column: number, text: string, style: Style): number {
    this.version += 1;
    const isTextSimple = isSimple(text);
    if (column < this.width) return this.#overwrite(column, text, style);
    if (column > this.width) this.#append(" ".repeat(column - this.width), plainStyle, true);
    this.#append(text, style, isTextSimple);
    return this.width;
  }

  /** Blanks the cells in [from, to). */
  erase(from: number, to: number): void {
    this.version += 1;
    if (from >= this.width) return;
    if (to >= this.width) {
      this.#cut(from);
      return;
    }
    this.#overwrite(from, " ".repeat(to - from), plainStyle);
  }

  #append(text: string, style: Style, isTextSimple: boolean): void {
    if (style !== plainStyle || this.runs.length > 0) {
      if (this.runs.length === 0 && this.text !== "")
        this.runs.push({ end: this.text.length, style: plainStyle });
      const end = this.text.length + text.length;
      const last = this.runs.at(-1);
      if (last?.style === style) this.runs[this.runs.length - 1] = { end, style };
      else this.runs.push({ end, style });
    }
    this.text += text;
    this.#isSimple &&= isTextSimple;
    this.width += isTextSimple ? text.length : widthOf(text);
  }

  #overwrite(column: number, text: string, style: Style): number {
    const end = column + widthOf(text);
    const head = this.#cellAt(column);
    // What is left of a wide character that is overwritten by half is blank.
    const padding = " ".repeat(Math.max(0, column - head.cell));
    const inserted = padding + text;
    let tail = "";
    let to = this.text.length;
    if (end < this.width) {
      const next = this.#cellAt(end);
      to = next.index + (next.cell < end ? next.length : 0);
      tail = next.cell < end ? " ".repeat(next.cell + 2 - end) : "";
    }
    const from = head.index;
    this.#restyle(from, from + padding.length, from + inserted.length, to, tail.length, style);
    this.text = this.text.slice(0, from) + inserted + tail + this.text.slice(to);
    if (this.#isSimple && isSimple(text)) this.width = this.text.length;
    else this.#measure();
    return end;
  }

  /** The runs after [from, to) was replaced by padding up to `start`, the new text up to `end`, and a plain tail. */
  #restyle(
    from: number,
    start: number,
    end: number,
    to: number,
    tailLength: number,
    style: Style,
  ): void {
    if (this.runs.length === 0 && style === plainStyle) return;
    const old: readonly Run[] =
      this.runs.length > 0 ? this.runs : [{ end: this.text.length, style: plainStyle }];
    const runs: Run[] = [];
    const add = (runEnd: number, runStyle: Style): void => {
      const last = runs.at(-1);
      if (runEnd <= (last?.end ?? 0)) return;
      if (last?.style === runStyle) runs[runs.length - 1] = { end: runEnd, style: runStyle };
      else runs.push({ end: runEnd, style: runStyle });
    };
    for (const run of old) {
      add(Math.min(run.end, from), run.style);
      if (run.end >= from) break;
    }
    add(start, plainStyle);
    add(end, style);
    add(end + tailLength, plainStyle);
    const moved = end + tailLength - to;
    for (const run of old) if (run.end > to) add(run.end + moved, run.style);
    this.runs = runs.length === 1 && runs[0]?.style === plainStyle ? [] : runs;
  }

  /** Keeps the cells before a column. */
  #cut(column: number): void {
    const { index, cell } = this.#cellAt(column);
    this.text = this.text.slice(0, index);
    const runs: Run[] = [];
    for (const run of this.runs) {
      if (run.end >= index) {
        if (index > (runs.at(-1)?.end ?? 0)) runs.push({ end: index, style: run.style });
        break;
      }
      runs.push(run);
    }
    this.runs = runs.length === 1 && runs[0]?.style === plainStyle ? [] : runs;
    this.#measure();
    if (column > cell) this.#append(" ".repeat(column - cell), plainStyle, true);
  }

  #measure(): void {
    this.#isSimple = isSimple(this.text);
    this.width = this.#isSimple ? this.text.length : widthOf(this.text);
  }

  /** The character that covers a cell: where it begins in the text and in cells. Behind the last: the end. */
  #cellAt(column: number): { index: number; cell: number; length: number } {
    if (this.#isSimple) {
      const index = Math.min(column, this.text.length);
      return { index, cell: index, length: 1 };
    }
    let cell = 0;
    let index = 0;
    for (const character of this.text) {
      const width = cellWidth(character.codePointAt(0) ?? 0);
      if (cell + width > column) return { index, cell, length: character.length };
      cell += width;
      index += character.length;
    }
    return { index, cell, length: 0 };
  }
}

/** In cells. */
export function widthOf(text: string): number {
  if (isSimple(text)) return text.length;
  let width = 0;
  for (const character of text) width += cellWidth(character.codePointAt(0) ?? 0);
  return width;
}
