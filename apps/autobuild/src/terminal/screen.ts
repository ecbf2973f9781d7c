import { cellWidth, isSimple } from "./cell-width.ts";
import { RowWindow } from "./row-window.ts";
import { Row } from "./row.ts";
import { maxSectionUnits, sectionMarkOf } from "./section-mark.ts";
import type { Style } from "./style.ts";
import { dataOf, styleOf, type TerminalState } from "./terminal-state.ts";

/** A longer line goes on in another row. */
export const maxColumns = 4096;
/** Of UTF-16, marks that take no cell included. */
const maxUnitsOfRow = 4 * maxColumns;
const maxSectionsOfRow = 8;

/** Who hears of rows. */
export interface ScreenListener {
  /** A row has left the window: it never changes again. In order, each once. */
  handleFinal?(row: Row, index: number): void;
  /** A line has ended for the first time, or anew after `handleErase`, and the next one begins at byte `offset`. */
  handleLine?(row: Row, index: number, offset: number): void;
  /** The rows below this one are gone, and this one may become another: their lines end once more. */
  handleErase?(index: number): void;
  /** The cursor is in a row above the last one. */
  handleMoveUp?(index: number): void;
}

interface SavedCursor {
  readonly row: number;
  readonly column: number;
  readonly style: Style;
}

/** The rows that may still change, and the cursor in them. */
export class Screen {
  readonly rows: RowWindow;
  /** The index of the first of them. */
  firstRow: number;
  readonly #listener: ScreenListener;
  /** Within the window. */
  #row: number;
  #column: number;
  #saved: SavedCursor | undefined;

  constructor(
    listener: ScreenListener,
    firstRow: number,
    offset: number,
    { screen, saved }: TerminalState,
  ) {
    this.#listener = listener;
    this.firstRow = firstRow;
    this.rows = new RowWindow(screen?.rows.map((row) => Row.from(row)) ?? []);
    if (this.rows.length === 0) this.rows.push(new Row(offset));
    this.#row = clamp(screen?.row ?? 0, 0, this.rows.length - 1);
    this.#column = screen?.column ?? 0;
    if (saved !== undefined) this.#saved = { ...saved, style: styleOf(saved.style) };
  }

  /** Of the saved cursor alone: what a screen must know that begins with a new line. */
  savedState(): TerminalState {
    const saved = this.#saved;
    return saved === undefined ? {} : { saved: { ...saved, style: dataOf(saved.style) } };
  }

  state(): TerminalState {
    const rows = this.rows.toArray().map((row) => row.toData());
    return { ...this.savedState(), screen: { rows, row: this.#row, column: this.#column } };
  }

  /** `isAscii` spares looking through the text once more. */
  print(text: string, style: Style, isAscii: boolean = false): void {
    if (text === "") return;
    if (
      this.#column + 2 * text.length <= maxColumns &&
      this.#current.length + text.length <= maxUnitsOfRow
    )
      this.#column = this.#current.put(this.#column, text, style, isAscii || isSimple(text));
    else this.#printLong(text, style);
  }

  lineFeed(offset: number): void {
    this.#column = 0;
    if (this.#row + 1 < this.rows.length) {
      this.#row += 1;
      return;
    }
    const ended = this.#current;
    const index = this.firstRow + this.#row;
    this.#push(new Row(offset));
    this.#listener.handleLine?.(ended, index, offset);
  }

  carriageReturn(): void {
    this.#takeSection();
    this.#column = 0;
    this.#current.restart();
  }

  backspace(): void {
    this.#column = Math.max(0, Math.min(this.#column, maxColumns) - 1);
  }

  tab(): void {
    this.#column = Math.min(maxColumns - 1, (this.#column | 7) + 1);
  }

  moveRows(count: number): void {
    this.#moveTo(this.#row + count);
  }

  moveColumns(count: number): void {
    this.toColumn(Math.min(this.#column, maxColumns - 1) + count);
  }

  toColumn(column: number): void {
    this.#column = clamp(column, 0, maxColumns - 1);
  }

  save(style: Style): void {
    this.#saved = { row: this.firstRow + this.#row, column: this.#column, style };
  }

  /** Gives the style that was saved with the cursor, if one was. */
  restore(): Style | undefined {
    const saved = this.#saved;
    if (saved === undefined) return undefined;
    this.#moveTo(saved.row - this.firstRow);
    this.#column = saved.column;
    return saved.style;
  }

  /** Blanks so many cells from the cursor on. */
  erase(count: number): void {
    const column = Math.min(this.#column, maxColumns - 1);
    this.#current.erase(column, Math.min(maxColumns, column + count));
  }

  /** 0: from the cursor to the end of its row, 1: from the start to the cursor, 2: all of it. */
  eraseInRow(how: number): void {
    if (how === 0) this.#current.erase(this.#column, maxColumns);
    else if (how === 1) this.#current.erase(0, Math.min(maxColumns, this.#column + 1));
    else if (how === 2) this.#current.erase(0, maxColumns);
  }

  /** From the cursor to the end of its row, and all rows below. */
  eraseBelow(): void {
    this.eraseInRow(0);
    if (this.#row + 1 === this.rows.length) return;
    this.rows.truncate(this.#row + 1);
    this.#listener.handleErase?.(this.firstRow + this.#row);
  }

  /** What may go over the end of the row, or make it too long: in as few pieces as there are rows. */
  #printLong(text: string, style: Style): void {
    const isTextSimple = isSimple(text);
    for (let start = 0; start < text.length;) {
      const room = maxColumns - this.#column;
      const end = isTextSimple
        ? Math.min(text.length, start + room)
        : endOfFitting(text, start, room);
      if (end === start) this.#wrap();
      else this.#printBounded(text.slice(start, end), style);
      start = end;
    }
  }

  /** Marks upon marks take no cell: they alone could make a row endless. */
  #printBounded(text: string, style: Style): void {
    // Besides the text, blanks before it and the halves of two wide characters can make a row longer.
    if (this.#current.length + text.length + maxColumns + 2 <= maxUnitsOfRow) {
      this.#column = this.#current.put(this.#column, text, style);
      return;
    }
    for (const character of text) {
      if (this.#current.length >= maxUnitsOfRow && cellWidth(character.codePointAt(0) ?? 0) === 0)
        continue;
      this.#column = this.#current.put(this.#column, character, style);
    }
  }

  #wrap(): void {
    this.#column = 0;
    if (this.#row + 1 < this.rows.length) {
      this.#row += 1;
      return;
    }
    // Within a line no byte is where the row begins; the line's own is close enough for its time.
    const row = new Row(this.#current.offset);
    row.isContinued = true;
    this.#push(row);
  }

  #push(row: Row): void {
    const final = this.rows.push(row);
    if (final !== undefined) {
      this.firstRow += 1;
      final.settle();
      this.#listener.handleFinal?.(final, this.firstRow - 1);
    }
    this.#row = this.rows.length - 1;
  }

  get #current(): Row {
    const row = this.rows.at(this.#row);
    if (row === undefined) throw new Error("Expected a row under the cursor, got none.");
    return row;
  }

  #moveTo(row: number): void {
    this.#row = clamp(row, 0, this.rows.length - 1);
    if (this.#row < this.rows.length - 1) this.#listener.handleMoveUp?.(this.firstRow + this.#row);
  }

  /** GitLab's marks stand in the row only until the carriage return behind them. */
  #takeSection(): void {
    const row = this.#current;
    if (row.length > maxSectionUnits) return;
    const mark = sectionMarkOf(row.printedText);
    if (mark === undefined) return;
    if (row.sections.length < maxSectionsOfRow) row.sections = [...row.sections, mark];
    row.erase(0, maxColumns);
  }
}

/** Up to where a text takes no more than so many cells, the marks behind them included. */
function endOfFitting(text: string, start: number, cells: number): number {
  let room = cells;
  let index = start;
  while (index < text.length) {
    const code = text.codePointAt(index) ?? 0;
    room -= cellWidth(code);
    if (room < 0) break;
    index += code > 0xffff ? 2 : 1;
  }
  return index;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
