/** What a decoder does to bytes. */
export interface LineLimits {
  /** A longer line is broken into several, between characters. @default 16 KiB */
  readonly maxLineBytes: number;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Turns a child's bytes into whole lines of UTF-8, each ending in a line feed.
 *
 * What is not UTF-8 becomes U+FFFD, and carriage returns before a line feed are left out. All else stays as it came, escape sequences
 * and lone carriage returns too: a viewer decides what to make of them. Holds one unfinished line of at
 * most `maxLineBytes`.
 */
export class LineDecoder {
  readonly #maxLineBytes: number;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest: Buffer = Buffer.alloc(0);

  constructor({ maxLineBytes }: LineLimits) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that these bytes complete; empty when there are none. */
  push(bytes: Uint8Array): Buffer {
    return this.#split(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The unfinished line with a line feed added; empty when there is none. */
  end(): Buffer {
    const lines = this.#split(this.#decoder.decode());
    const rest = this.#rest.at(-1) === carriageReturn ? this.#rest.subarray(0, -1) : this.#rest;
    if (this.#rest.length === 0) return lines;
    this.#rest = Buffer.alloc(0);
    return Buffer.concat([lines, rest, lineFeed]);
  }

  #split(text: string): Buffer {
    if (text === "") return Buffer.alloc(0);
    const incoming = Buffer.from(text, "utf8");
    const bytes = this.#rest.length === 0 ? incoming : Buffer.concat([this.#rest, incoming]);
    const pieces: Buffer[] = [];
    let start = 0;
    let plainFrom = 0; // Since here the bytes can go out as they are, in one piece.

    const breakLongLine = (end: number): void => {
      while (end - start > this.#maxLineBytes) {
        const cut = characterStart(bytes, start + this.#maxLineBytes);
        pieces.push(bytes.subarray(plainFrom, cut), lineFeed);
        start = plainFrom = cut;
      }
    };
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      // A terminal puts one before each line feed, also where there was one.
      let textEnd = end;
      while (textEnd > start && bytes[textEnd - 1] === carriageReturn) textEnd--;
      breakLongLine(textEnd);
      if (textEnd < end) {
        pieces.push(bytes.subarray(plainFrom, textEnd));
        plainFrom = end;
      }
      start = end + 1;
    }
    // A carriage return at the very end may be half of a CR LF: it does not count towards the limit yet.
    breakLongLine(bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length);
    pieces.push(bytes.subarray(plainFrom, start));
    this.#rest = Buffer.from(bytes.subarray(start));
    return pieces.length === 1 ? (pieces[0] ?? lineFeed) : Buffer.concat(pieces);
  }
}

const lineFeed = Buffer.from([newline]);

/** The start of the character that `offset` lies in. */
function characterStart(bytes: Buffer, offset: number): number {
  let start = offset;
  while (start > 0 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start--;
  return start;
}
