import { cellWidth, isSimple, widthOf } from "./cell-width.ts";
import { plainStyle, type Style } from "./style.ts";

/** A piece of a row in one style, up to `end`, in UTF-16 units. */
export interface Run {
  readonly end: number;
  readonly style: Style;
}

/** Marks that take no cell of their own, in one style. */
interface Marks {
  text: string;
  readonly style: Style;
}

/** What stands in the second cell of a wide character. */
const secondHalf = -1;
const space = 0x20;
const maxPalette = 8192;
const decoder = new TextDecoder("utf-16le", { ignoreBOM: true });

/**
 * A row that is drawn over, cell by cell: what is put costs as much as it is long, not as the row is.
 * Text and runs are made when they are asked for.
 */
export class Cells {
  /** In cells. */
  width = 0;
  /** Of the text, in UTF-16 units. */
  length = 0;
  /** Of the character in each cell. */
  #codes = new Int32Array();
  /** Of each cell, in the palette. */
  #styles = new Uint16Array();
  #palette: Style[] = [plainStyle];
  #places = new Map<Style, number>();
  /** At 0 those before the first cell, at 1 those behind it, and so on. Empty where there have been none. */
  readonly #marks: (Marks[] | undefined)[] = [];
  /** How many cells are not one unit of the text each. */
  #oddCount = 0;

  /** Takes over a row that was not drawn over so far. */
  begin(text: string, runs: readonly Run[]): void {
    this.width = this.length = this.#oddCount = 0;
    this.#marks.length = 0;
    this.#palette.length = 1;
    this.#places.clear();
    this.#ensure(text.length + 16);
    if (runs.length === 0 && isSimple(text)) {
      for (let index = 0; index < text.length; index++) this.#codes[index] = text.charCodeAt(index);
      this.#styles.fill(0, 0, text.length);
      this.width = this.length = text.length;
      return;
    }
    let start = 0;
    for (const { end, style } of runs.length > 0
      ? runs
      : [{ end: text.length, style: plainStyle }]) {
      this.put(this.width, text.slice(start, end), style);
      start = end;
    }
  }

  get hasMarkAtStart(): boolean {
    return this.#marks[0] !== undefined;
  }

  /** Puts a text at a cell, over what is there. Gives the cell behind it. */
  put(column: number, text: string, style: Style): number {
    if (column > this.width) this.#blank(this.width, column);
    const end = column + widthOf(text);
    this.#ensure(end);
    this.#split(column);
    this.#split(end);
    const place = style === plainStyle ? 0 : this.#placeOf(style);
    let cell = column;
    for (let index = 0; index < text.length; index++) {
      const code = text.codePointAt(index) ?? 0;
      if (code > 0xffff) index += 1;
      const width = cellWidth(code);
      if (width === 0) {
        this.#mark(cell, String.fromCodePoint(code), style);
        continue;
      }
      this.#set(cell, code, place);
      if (width === 2) this.#set(cell + 1, secondHalf, place);
      cell += width;
    }
    return end;
  }

  /** Blanks the cells in [from, to). At the end of the row they are taken away. */
  erase(from: number, to: number): void {
    if (from >= this.width) return;
    this.#split(from);
    if (to < this.width) {
      this.#split(to);
      this.#blank(from, to);
    } else {
      this.#forget(from, this.width);
      this.width = from;
    }
  }

  text(): string {
    if (this.#oddCount === 0 && this.length === this.width)
      return decoder.decode(new Uint16Array(this.#codes.subarray(0, this.width)));
    const units = new Uint16Array(this.length);
    let count = 0;
    for (let cell = -1; cell < this.width; cell++) {
      const code = cell < 0 ? secondHalf : (this.#codes[cell] ?? space);
      if (code > 0xffff) {
        units[count++] = 0xd800 + ((code - 0x10000) >> 10);
        units[count++] = 0xdc00 + ((code - 0x10000) & 0x3ff);
      } else if (code !== secondHalf) units[count++] = code;
      for (const { text } of this.#marks[cell + 1] ?? [])
        for (let index = 0; index < text.length; index++) units[count++] = text.charCodeAt(index);
    }
    return decoder.decode(units);
  }

  /** None where all is plain. */
  runs(): Run[] {
    const runs: Run[] = [];
    if (this.#palette.length === 1 && this.#marks.length === 0) return runs;
    let end = 0;
    let last: Style | undefined;
    const add = (length: number, style: Style): void => {
      if (length === 0) return;
      end += length;
      if (style === last) runs[runs.length - 1] = { end, style };
      else runs.push({ end, style });
      last = style;
    };
    for (const { text, style } of this.#marks[0] ?? []) add(text.length, style);
    for (let cell = 0; cell < this.width;) {
      const place = this.#styles[cell] ?? 0;
      let length = 0;
      let marks: Marks[] | undefined;
      do {
        length += unitsOf(this.#codes[cell] ?? space);
        cell += 1;
        marks = cell < this.#marks.length ? this.#marks[cell] : undefined;
      } while (cell < this.width && this.#styles[cell] === place && marks === undefined);
      add(length, this.#palette[place] ?? plainStyle);
      for (const { text, style } of marks ?? []) add(text.length, style);
    }
    return runs.length === 1 && last === plainStyle ? [] : runs;
  }

  #set(cell: number, code: number, place: number): void {
    if (cell < this.width) this.#forget(cell, cell + 1);
    else this.width = cell + 1;
    const units = unitsOf(code);
    if (units !== 1) this.#oddCount += 1;
    this.length += units;
    this.#codes[cell] = code;
    this.#styles[cell] = place;
  }

  /** Where a wide character would be cut in two, both its cells become blank. Marks stay. */
  #split(cell: number): void {
    if (cell >= this.width || this.#codes[cell] !== secondHalf) return;
    const units = unitsOf(this.#codes[cell - 1] ?? space);
    this.length += 2 - units;
    this.#oddCount -= units === 1 ? 1 : 2;
    this.#codes.fill(space, cell - 1, cell + 1);
    this.#styles.fill(0, cell - 1, cell + 1);
  }

  /** Plain blanks in [from, to), which begins within the row or at its end. */
  #blank(from: number, to: number): void {
    this.#ensure(to);
    this.#forget(from, Math.min(to, this.width));
    this.width = Math.max(this.width, to);
    this.length += to - from;
    this.#codes.fill(space, from, to);
    this.#styles.fill(0, from, to);
  }

  /** Takes cells, and the marks behind them, out of the counts. */
  #forget(from: number, to: number): void {
    if (this.#oddCount === 0) this.length -= to - from;
    else
      for (let cell = from; cell < to; cell++) {
        const units = unitsOf(this.#codes[cell] ?? space);
        if (units !== 1) this.#oddCount -= 1;
        this.length -= units;
      }
    for (let place = from + 1; place <= to && place < this.#marks.length; place++) {
      for (const { text } of this.#marks[place] ?? []) this.length -= text.length;
      this.#marks[place] = undefined;
    }
  }

  /** Puts a mark before a cell, that is on the one before it. */
  #mark(cell: number, text: string, style: Style): void {
    this.length += text.length;
    while (this.#marks.length <= cell) this.#marks.push(undefined);
    const marks = this.#marks[cell];
    const last = marks?.at(-1);
    if (marks === undefined) this.#marks[cell] = [{ text, style }];
    else if (last?.style === style) last.text += text;
    else marks.push({ text, style });
  }

  #ensure(width: number): void {
    if (width <= this.#codes.length) return;
    const codes = new Int32Array(Math.max(width, 2 * this.#codes.length));
    const styles = new Uint16Array(codes.length);
    codes.set(this.#codes);
    styles.set(this.#styles);
    this.#codes = codes;
    this.#styles = styles;
  }

  #placeOf(style: Style): number {
    const known = this.#places.get(style);
    if (known !== undefined) return known;
    if (this.#palette.length >= maxPalette) this.#renewPalette();
    this.#places.set(style, this.#palette.length);
    return this.#palette.push(style) - 1;
  }

  /** Keeps the styles that are in use: twice as many as there are cells find room. */
  #renewPalette(): void {
    const old = this.#palette;
    this.#palette = [plainStyle];
    this.#places = new Map();
    for (let cell = 0; cell < this.width; cell++) {
      const style = old[this.#styles[cell] ?? 0] ?? plainStyle;
      this.#styles[cell] = style === plainStyle ? 0 : this.#placeOf(style);
    }
  }
}

/** Of the text, that a cell takes. */
function unitsOf(code: number): number {
  return code === secondHalf ? 0 : code > 0xffff ? 2 : 1;
}
