import { cellWidth, isSimple } from "./cell-width.ts";
import { escapeSequence } from "./escape.ts";
import { Row, type RowData, type SectionMark } from "./row.ts";
import { plainStyle, restyled, selectGraphicRendition, type Style } from "./style.ts";

/** How far up output may still change: a row further up is final. */
export const windowRows = 100;
/** A longer line goes on in another row. */
export const maxColumns = 4096;
/** Of UTF-16, marks that take no cell included. */
const maxUnitsOfRow = 4 * maxColumns;
const maxSectionsOfRow = 8;
/** A row that is longer is no mark of a section. */
const maxSectionUnits = 400;

/** What a terminal must know to go on at some byte as if it had read all before it. Plain JSON. */
export interface TerminalState {
  /** `[foreground, background, flags, link]`; absent: plain. */
  readonly style?: StyleData;
  readonly saved?: { readonly row: number; readonly column: number; readonly style: StyleData };
  /** Its rows and its cursor, where it does not begin at the start of a new line. */
  readonly screen?: {
    readonly rows: readonly RowData[];
    readonly row: number;
    readonly column: number;
  };
}

export type StyleData = readonly [number, number, number, string];

/** Who hears of rows. */
export interface TerminalListener {
  /** A row has left the window: it never changes again. In order, each once. */
  handleFinal?(row: Row, index: number): void;
  /** A line has ended for the first time, and the next one begins at byte `offset`. */
  handleLine?(row: Row, index: number, offset: number): void;
  /** The cursor is in a row above the last one. */
  handleMoveUp?(index: number): void;
}

/**
 * A terminal without a screen: bytes in, rows out, however the bytes are cut.
 *
 * It knows CR, BS, TAB, erasing, moving the cursor, colours and links; all else that steers a terminal
 * is passed over. The last 100 rows may still change; what is above is final, and rows keep their
 * index for good. All it holds is bounded: 100 rows of 4,096 cells, and the start of one sequence.
 */
export class Terminal {
  readonly #listener: TerminalListener;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #rows: Row[];
  #firstRow: number;
  /** Within the window. */
  #row: number;
  #column = 0;
  #style: Style = plainStyle;
  #saved: { row: number; column: number; style: Style } | undefined;
  /** The start of a character or a sequence whose rest has not come. */
  #rest: Uint8Array = new Uint8Array();
  /** Of the byte behind all that was written, `#rest` included. */
  #offset: number;

  constructor(
    listener: TerminalListener = {},
    { firstRow = 0, offset = 0, state = {} }: TerminalStart = {},
  ) {
    this.#listener = listener;
    this.#firstRow = firstRow;
    this.#offset = offset;
    const { screen, saved, style } = state;
    this.#rows = screen?.rows.map((row) => Row.from(row)) ?? [];
    if (this.#rows.length === 0) this.#rows.push(new Row(offset));
    this.#row = clamp(screen?.row ?? 0, 0, this.#rows.length - 1);
    this.#column = screen?.column ?? 0;
    if (style !== undefined) this.#style = styleOf(style);
    if (saved !== undefined) this.#saved = { ...saved, style: styleOf(saved.style) };
  }

  /** The index of the first row that may still change. */
  get firstRow(): number {
    return this.#firstRow;
  }

  /** How many rows there are, final ones included. */
  get rowCount(): number {
    return this.#firstRow + this.#rows.length;
  }

  /** The rows that may still change. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Where this terminal stands, to be gone on with from `offset`. Undefined within a sequence. */
  stateAtLine(): TerminalState {
    const saved = this.#saved;
    return {
      ...(this.#style === plainStyle ? {} : { style: dataOf(this.#style) }),
      ...(saved === undefined ? {} : { saved: { ...saved, style: dataOf(saved.style) } }),
    };
  }

  /** Where it stands, wherever that is. Undefined while a sequence has come by half. */
  stateWithScreen(): TerminalState | undefined {
    if (this.#rest.length > 0) return undefined;
    return {
      ...this.stateAtLine(),
      screen: {
        rows: this.#rows.map((row) => row.toData()),
        row: this.#row,
        column: this.#column,
      },
    };
  }

  write(bytes: Uint8Array): void {
    const buffer = this.#rest.length === 0 ? bytes : concatenated(this.#rest, bytes);
    const start = this.#offset - this.#rest.length;
    this.#offset += bytes.length;
    const used = this.#parse(buffer, start, false);
    // A copy: the caller's buffer may be used again.
    this.#rest = used === buffer.length ? nothing : buffer.slice(used);
  }

  /** Nothing more comes: what is incomplete is taken as it is. */
  end(): void {
    const rest = this.#rest;
    this.#rest = nothing;
    this.#parse(rest, this.#offset - rest.length, true);
  }

  /** Gives how many of the bytes were used. */
  #parse(bytes: Uint8Array, start: number, isLast: boolean): number {
    let latin: string | undefined;
    let index = 0;
    while (index < bytes.length) {
      const byte = bytes[index] ?? 0;
      if (isText(byte)) {
        let all = byte;
        let end = index + 1;
        for (; end < bytes.length; end++) {
          const next = bytes[end] ?? 0;
          if (next < 0x20 || next === 0x7f) break;
          all |= next;
        }
        if (all < 0x80) {
          // One call for many lines: of ASCII, places in the text are places in the bytes.
          latin ??= asciiOf(bytes);
          this.#print(latin.slice(index, end));
        } else {
          const held = end === bytes.length && !isLast ? incompleteEnd(bytes, index) : 0;
          this.#print(shown(this.#decoder.decode(bytes.subarray(index, end - held))));
          if (held > 0) return end - held;
        }
        index = end;
        continue;
      }
      switch (byte) {
        case 0x08:
          this.#column = Math.max(0, Math.min(this.#column, maxColumns) - 1);
          break;
        case 0x09:
          this.#column = Math.min(maxColumns - 1, (this.#column | 7) + 1);
          break;
        case 0x0a:
        case 0x0b:
        case 0x0c:
          this.#lineFeed(start + index + 1);
          break;
        case 0x0d:
          this.#takeSection();
          this.#column = 0;
          break;
        case 0x1b: {
          const sequence = escapeSequence(bytes, index);
          if (sequence === undefined) {
            if (!isLast) return index;
            break;
          }
          this.#obey(sequence.final, sequence.parameters);
          index += sequence.length;
          continue;
        }
      }
      index += 1;
    }
    return index;
  }

  #print(text: string): void {
    if (text === "") return;
    if (
      this.#column + 2 * text.length <= maxColumns &&
      this.#current.length + text.length <= maxUnitsOfRow
    ) {
      this.#column = this.#current.put(this.#column, text, this.#style);
      return;
    }
    this.#printLong(text);
  }

  /** What may go over the end of the row, or make it too long: in as few pieces as there are rows. */
  #printLong(text: string): void {
    const isTextSimple = isSimple(text);
    for (let start = 0; start < text.length;) {
      const room = maxColumns - this.#column;
      const end = isTextSimple
        ? Math.min(text.length, start + room)
        : endOfFitting(text, start, room);
      if (end === start) this.#wrap();
      else this.#printBounded(text.slice(start, end));
      start = end;
    }
  }

  /** Marks upon marks take no cell: they alone could make a row endless. */
  #printBounded(text: string): void {
    // Besides the text, blanks before it and the halves of two wide characters can make a row longer.
    if (this.#current.length + text.length + maxColumns + 2 <= maxUnitsOfRow) {
      this.#column = this.#current.put(this.#column, text, this.#style);
      return;
    }
    for (const character of text) {
      if (this.#current.length >= maxUnitsOfRow && cellWidth(character.codePointAt(0) ?? 0) === 0)
        continue;
      this.#column = this.#current.put(this.#column, character, this.#style);
    }
  }

  #wrap(): void {
    this.#column = 0;
    if (this.#row + 1 < this.#rows.length) {
      this.#row += 1;
      return;
    }
    // Within a line no byte is where the row begins; the line's own is close enough for its time.
    const row = new Row(this.#current.offset);
    row.isContinued = true;
    this.#push(row);
  }

  #lineFeed(offset: number): void {
    this.#column = 0;
    if (this.#row + 1 < this.#rows.length) {
      this.#row += 1;
      return;
    }
    const ended = this.#current;
    const index = this.#firstRow + this.#row;
    this.#push(new Row(offset));
    this.#listener.handleLine?.(ended, index, offset);
  }

  #push(row: Row): void {
    this.#rows.push(row);
    if (this.#rows.length > windowRows) {
      const final = this.#rows.shift();
      this.#firstRow += 1;
      final?.settle();
      if (final !== undefined) this.#listener.handleFinal?.(final, this.#firstRow - 1);
    }
    this.#row = this.#rows.length - 1;
  }

  get #current(): Row {
    const row = this.#rows[this.#row];
    if (row === undefined) throw new Error("Expected a row under the cursor, got none.");
    return row;
  }

  #moveTo(row: number): void {
    this.#row = clamp(row, 0, this.#rows.length - 1);
    if (this.#row < this.#rows.length - 1)
      this.#listener.handleMoveUp?.(this.#firstRow + this.#row);
  }

  #obey(final: string, parameters: string): void {
    switch (final) {
      case "m":
        if (!parameters.startsWith("?") && !parameters.startsWith(">"))
          this.#style = selectGraphicRendition(this.#style, parameters);
        return;
      case "]":
        this.#link(parameters);
        return;
      case "7":
      case "s":
        if (parameters === "")
          this.#saved = {
            row: this.#firstRow + this.#row,
            column: this.#column,
            style: this.#style,
          };
        return;
      case "8":
      case "u":
        if (parameters === "" && this.#saved !== undefined) {
          this.#moveTo(this.#saved.row - this.#firstRow);
          this.#column = this.#saved.column;
          this.#style = this.#saved.style;
        }
        return;
    }
    if (!/^\d{0,9}(?:;\d{0,9})*$/.test(parameters)) return;
    const [first = ""] = parameters.split(";", 1);
    const count = Math.max(1, Number(first));
    const column = Math.min(this.#column, maxColumns - 1);
    switch (final) {
      case "A":
        this.#moveTo(this.#row - count);
        break;
      case "B":
        this.#moveTo(this.#row + count);
        break;
      case "C":
        this.#column = Math.min(maxColumns - 1, column + count);
        break;
      case "D":
        this.#column = Math.max(0, column - count);
        break;
      case "E":
        this.#moveTo(this.#row + count);
        this.#column = 0;
        break;
      case "F":
        this.#moveTo(this.#row - count);
        this.#column = 0;
        break;
      case "G":
      case "\u0060":
        this.#column = Math.min(maxColumns, count) - 1;
        break;
      case "X":
        this.#current.erase(column, Math.min(maxColumns, column + count));
        break;
      case "K":
        this.#eraseInRow(Number(first));
        break;
      case "J":
        // Only what is below: clearing the screen must not take away what a reader has seen.
        if (Number(first) === 0) {
          this.#eraseInRow(0);
          this.#rows.length = this.#row + 1;
        }
        break;
    }
  }

  #eraseInRow(how: number): void {
    if (how === 0) this.#current.erase(this.#column, maxColumns);
    else if (how === 1) this.#current.erase(0, Math.min(maxColumns, this.#column + 1));
    else if (how === 2) this.#current.erase(0, maxColumns);
  }

  /** OSC 8: `8;parameters;address`, and without an address the end of a link. */
  #link(text: string): void {
    const match = /^8;[^;]*;(.*)$/s.exec(text);
    if (match === null) return;
    const address = match[1] ?? "";
    const link = /^https?:\/\/[^\s"<>\\^\u0060{|}]+$/i.test(address) ? address : "";
    this.#style = restyled(this.#style, { link });
  }

  /** GitLab's marks stand in the row only until the carriage return behind them. */
  #takeSection(): void {
    const row = this.#current;
    if (row.length > maxSectionUnits || !row.text.startsWith("section_")) return;
    const match = /^section_(start|end):\d{1,15}:([\w.-]{1,100})(?:\[([^\]]{0,200})\])?$/.exec(
      row.text,
    );
    if (match === null) return;
    const mark: SectionMark = {
      type: match[1] === "start" ? "start" : "end",
      name: match[2] ?? "",
      isCollapsed: /(?:^|,)collapsed=true(?:,|$)/.test(match[3] ?? ""),
    };
    if (row.sections.length < maxSectionsOfRow) row.sections = [...row.sections, mark];
    row.erase(0, maxColumns);
  }
}

export interface TerminalStart {
  /** The index of its first row. @default 0 */
  readonly firstRow?: number;
  /** Of the first byte that it gets. @default 0 */
  readonly offset?: number;
  readonly state?: TerminalState;
}

const nothing = new Uint8Array();

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

function isText(byte: number): boolean {
  return byte >= 0x20 && byte !== 0x7f;
}

const asciiDecoder = new TextDecoder("latin1");

function asciiOf(bytes: Uint8Array): string {
  return asciiDecoder.decode(bytes);
}

const upperControls = /[\u0080-\u009F]/g;

/** Control characters above ASCII steer nothing here, and have no shape of their own. */
function shown(text: string): string {
  return text.replace(upperControls, "\uFFFD");
}

/** How many bytes at the end may be the start of a character; looked for from `from` on. */
function incompleteEnd(bytes: Uint8Array, from: number): number {
  for (let length = 1; length <= 3 && bytes.length - length >= from; length++) {
    const byte = bytes[bytes.length - length] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > length ? length : 0;
    }
  }
  return 0;
}

function concatenated(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

function dataOf({ foreground, background, flags, link }: Style): StyleData {
  return [foreground, background, flags, link];
}

function styleOf([foreground, background, flags, link]: StyleData): Style {
  return restyled(plainStyle, { foreground, background, flags, link });
}
