import { escapeSequence } from "./escape.ts";
import { windowRows } from "./row-window.ts";
import type { Row } from "./row.ts";
import { maxColumns, Screen, type ScreenListener } from "./screen.ts";
import { plainStyle, restyled, selectGraphicRendition, type Style } from "./style.ts";
import { dataOf, styleOf, type TerminalState } from "./terminal-state.ts";

export { maxColumns, windowRows };

export interface TerminalStart {
  /** The index of its first row. @default 0 */
  readonly firstRow?: number;
  /** Of the first byte that it gets. @default 0 */
  readonly offset?: number;
  readonly state?: TerminalState;
}

/**
 * A terminal without a screen: bytes in, rows out, however the bytes are cut.
 *
 * It knows CR, BS, TAB, erasing, moving the cursor, colours and links; all else that steers a terminal
 * is passed over. The last 100 rows may still change; what is above is final, and rows keep their
 * index for good. All it holds is bounded: 100 rows of 4,096 cells, and the start of one sequence.
 */
export class Terminal {
  readonly #screen: Screen;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #style: Style = plainStyle;
  /** The start of a character or a sequence whose rest has not come. */
  #rest: Uint8Array = new Uint8Array();
  /** Of the byte behind all that was written, `#rest` included. */
  #offset: number;

  constructor(
    listener: ScreenListener = {},
    { firstRow = 0, offset = 0, state = {} }: TerminalStart = {},
  ) {
    this.#screen = new Screen(listener, firstRow, offset, state);
    this.#offset = offset;
    if (state.style !== undefined) this.#style = styleOf(state.style);
  }

  /** The index of the first row that may still change. */
  get firstRow(): number {
    return this.#screen.firstRow;
  }

  /** How many rows there are, final ones included. */
  get rowCount(): number {
    return this.#screen.firstRow + this.#screen.rows.length;
  }

  /** The rows that may still change. */
  get rows(): readonly Row[] {
    return this.#screen.rows.toArray();
  }

  /** One of them, by its index in the log. */
  row(index: number): Row | undefined {
    return this.#screen.rows.at(index - this.#screen.firstRow);
  }

  get offset(): number {
    return this.#offset;
  }

  /** Where this terminal stands, to be gone on with from the line that begins at `offset`. */
  stateAtLine(): TerminalState {
    return { ...this.#styleState, ...this.#screen.savedState() };
  }

  /** Where it stands, wherever that is. Undefined while a sequence has come by half. */
  stateWithScreen(): TerminalState | undefined {
    if (this.#rest.length > 0) return undefined;
    return { ...this.#styleState, ...this.#screen.state() };
  }

  get #styleState(): TerminalState {
    return this.#style === plainStyle ? {} : { style: dataOf(this.#style) };
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
          this.#screen.print(latin.slice(index, end), this.#style, true);
        } else {
          const held = end === bytes.length && !isLast ? incompleteEnd(bytes, index) : 0;
          const text = this.#decoder.decode(bytes.subarray(index, end - held));
          this.#screen.print(shown(text), this.#style);
          if (held > 0) return end - held;
        }
        index = end;
        continue;
      }
      switch (byte) {
        case 0x08:
          this.#screen.backspace();
          break;
        case 0x09:
          this.#screen.tab();
          break;
        case 0x0a:
        case 0x0b:
        case 0x0c:
          this.#screen.lineFeed(start + index + 1);
          break;
        case 0x0d:
          this.#screen.carriageReturn();
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

  #obey(final: string, parameters: string): void {
    const screen = this.#screen;
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
        if (parameters === "") screen.save(this.#style);
        return;
      case "8":
      case "u":
        if (parameters === "") this.#style = screen.restore() ?? this.#style;
        return;
    }
    if (!/^\d{0,9}(?:;\d{0,9})*$/.test(parameters)) return;
    const [first = ""] = parameters.split(";", 1);
    const count = Math.max(1, Number(first));
    switch (final) {
      case "A":
        screen.moveRows(-count);
        break;
      case "B":
        screen.moveRows(count);
        break;
      case "C":
        screen.moveColumns(count);
        break;
      case "D":
        screen.moveColumns(-count);
        break;
      case "E":
        screen.moveRows(count);
        screen.toColumn(0);
        break;
      case "F":
        screen.moveRows(-count);
        screen.toColumn(0);
        break;
      case "G":
      case "\u0060":
        screen.toColumn(count - 1);
        break;
      case "X":
        screen.erase(count);
        break;
      case "K":
        screen.eraseInRow(Number(first));
        break;
      case "J":
        // Only what is below: clearing the screen must not take away what a reader has seen.
        if (Number(first) === 0) screen.eraseBelow();
        break;
    }
  }

  /** OSC 8: `8;parameters;address`, and without an address the end of a link. */
  #link(text: string): void {
    const match = /^8;[^;]*;(.*)$/s.exec(text);
    if (match === null) return;
    const address = match[1] ?? "";
    const link = /^https?:\/\/[^\s"<>\\^\u0060{|}]+$/i.test(address) ? address : "";
    this.#style = restyled(this.#style, { link });
  }
}

const nothing = new Uint8Array();

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
