import { cellWidth, isSimple, widthOf } from "./cell-width.ts";
import { Cells, type Run } from "./cells.ts";
import type { SectionMark } from "./section-mark.ts";
import { plainStyle, restyled, type Style } from "./style.ts";

/** A row as plain data. Runs are `[end, foreground, background, flags, link]`. */
export interface RowData {
  readonly text: string;
  readonly runs: readonly (readonly [number, number, number, number, string])[];
  readonly isContinued: boolean;
  readonly offset: number;
  readonly sections: readonly SectionMark[];
  /** Absent where all of it was printed in one go. */
  readonly printed?: number;
  /** The cursor has come back to its start, and nothing was printed since. */
  readonly isRestarted?: true;
}

/** With more blanks before a text a row is better kept by its cells. */
const maxPadding = 64;
/** To make them anew for each row would be most of the work on some logs. */
const spareCells: Cells[] = [];
const maxSpareCells = 4;

/** One row of a terminal: a text and its styles. The runs cover the text, or are none where all of it is plain. */
export class Row {
  /** The byte of the log with which it began. */
  offset: number;
  sections: readonly SectionMark[] = [];
  /** It goes on with the row above it: a line longer than a row may be. */
  isContinued = false;
  /** Another after each change. */
  version = 0;
  #text = "";
  #runs: Run[] = [];
  #width = 0;
  /** Known to have one cell for each UTF-16 unit. */
  #isSimple = true;
  /** Since it has been drawn over. */
  #cells: Cells | undefined;
  /** The cells are what counts; text and runs are made of them when they are asked for. */
  #isDrawn = false;
  #isStale = false;
  /** The cell behind what was printed since the cursor came back to the start; what is behind it is of before. */
  #printed = 0;
  #isRestarted = false;

  constructor(offset: number) {
    this.offset = offset;
  }

  static from({ text, runs, isContinued, offset, sections, printed, isRestarted }: RowData): Row {
    const row = new Row(offset);
    row.sections = sections;
    row.#text = text;
    row.#runs = runs.map(([end, foreground, background, flags, link]) => ({
      end,
      style: restyled(plainStyle, { foreground, background, flags, link }),
    }));
    row.isContinued = isContinued;
    row.#isSimple = isSimple(text);
    row.#width = widthOf(text);
    row.#printed = printed ?? row.#width;
    row.#isRestarted = isRestarted ?? false;
    return row;
  }

  get text(): string {
    if (this.#isStale) this.#render();
    return this.#text;
  }

  get runs(): readonly Run[] {
    if (this.#isStale) this.#render();
    return this.#runs;
  }

  /** The text without what the row had before: a mark is often printed over the end of a progress bar. */
  get printedText(): string {
    const { text } = this;
    if (this.#printed >= this.width) return text;
    let cells = 0;
    let end = 0;
    for (const character of text) {
      cells += cellWidth(character.codePointAt(0) ?? 0);
      if (cells > this.#printed) break;
      end += character.length;
    }
    return text.slice(0, end);
  }

  /** Of the text, in UTF-16 units. */
  get length(): number {
    return this.#isDrawn && this.#cells !== undefined ? this.#cells.length : this.#text.length;
  }

  /** In cells. */
  get width(): number {
    return this.#isDrawn && this.#cells !== undefined ? this.#cells.width : this.#width;
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
      ...(this.#printed < this.width ? { printed: this.#printed } : {}),
      ...(this.#isRestarted ? { isRestarted: true } : {}),
    };
  }

  /** Puts a text at a cell, over what is there. Gives the cell behind it. */
  put(column: number, text: string, style: Style, isTextSimple: boolean = isSimple(text)): number {
    const end = this.#put(column, text, style, isTextSimple);
    this.#printed = this.#isRestarted ? end : Math.max(this.#printed, end);
    this.#isRestarted = false;
    return end;
  }

  /** The cursor is back at its start: what is printed next counts anew. */
  restart(): void {
    this.#isRestarted = true;
  }

  #put(column: number, text: string, style: Style, isTextSimple: boolean): number {
    this.version += 1;
    const width = isTextSimple ? text.length : widthOf(text);
    if (column === 0 && width >= this.width) this.#clear();
    const padding = column - this.#width;
    if (this.#isDrawn || padding < 0 || padding > maxPadding)
      return this.#drawn().put(column, text, style);
    if (padding > 0) this.#append(" ".repeat(padding), plainStyle, padding);
    this.#isSimple &&= isTextSimple;
    this.#append(text, style, width);
    return this.#width;
  }

  /** Blanks the cells in [from, to). At the end of the row they are taken away. */
  erase(from: number, to: number): void {
    this.version += 1;
    if (from >= this.width) return;
    if (from === 0 && to >= this.width) this.#clear();
    if (this.width > 0) this.#drawn().erase(from, to);
  }

  /** Nothing changes it any more: what only changes need is let go. */
  settle(): void {
    if (this.#isStale) this.#render();
    this.#width = this.width;
    this.#isSimple &&= !this.#isDrawn;
    this.#isDrawn = false;
    if (this.#cells !== undefined && spareCells.length < maxSpareCells)
      spareCells.push(this.#cells);
    this.#cells = undefined;
  }

  #append(text: string, style: Style, width: number): void {
    if (style !== plainStyle || this.#runs.length > 0) {
      if (this.#runs.length === 0 && this.#text !== "")
        this.#runs.push({ end: this.#text.length, style: plainStyle });
      const end = this.#text.length + text.length;
      const last = this.#runs.at(-1);
      if (last?.style === style) this.#runs[this.#runs.length - 1] = { end, style };
      else this.#runs.push({ end, style });
    }
    this.#text += text;
    this.#width += width;
  }

  /** Takes all of it away. But marks before the first cell belong to none, and stay with the row. */
  #clear(): void {
    if (this.#isDrawn ? this.#cells?.hasMarkAtStart : this.#hasMarkAtStart) return;
    this.#isDrawn = false;
    this.#isStale = false;
    this.#text = "";
    this.#runs = [];
    this.#width = 0;
    this.#isSimple = true;
  }

  get #hasMarkAtStart(): boolean {
    return !this.#isSimple && this.#text !== "" && cellWidth(this.#text.codePointAt(0) ?? 0) === 0;
  }

  #drawn(): Cells {
    this.#cells ??= spareCells.pop() ?? new Cells();
    if (!this.#isDrawn) this.#cells.begin(this.#text, this.#runs);
    this.#isDrawn = true;
    this.#isStale = true;
    return this.#cells;
  }

  #render(): void {
    if (this.#cells === undefined) return;
    this.#text = this.#cells.text();
    this.#runs = this.#cells.runs();
    this.#isStale = false;
  }
}
