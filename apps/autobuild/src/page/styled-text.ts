/** A piece of a line, and the classes that it is shown with: none is the console's own green. */
export interface Piece {
  readonly text: string;
  readonly classes: string;
}

/** A line with more pieces than this shows the rest in one style: a line must not cost more than a line. */
const maxPieces = 64;

/* oxlint-disable no-control-regex -- control characters are what these look for */
/** SGR sequences are captured; all others, titles and links among them, are passed over. */
const escapes =
  /\u001B(?:\[([\d;:]*)m|\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[ -/]*[0-~])/g;
const controls = /[\u0000-\u0008\u000A-\u001F\u007F-\u009F]/g;
/* oxlint-enable no-control-regex */

/**
 * Turns lines as programs print them into pieces of text with a style: the 16 basic colours, bold and dim.
 *
 * All else that steers a terminal is dropped, other control characters become U+FFFD. What a lone
 * carriage return overwrote is gone: of a progress bar the last state is shown. A style goes on
 * from line to line until it is reset, as in a terminal.
 */
export class StyledText {
  #colour = "";
  #isBold = false;
  #isDim = false;

  reset(): void {
    this.#colour = "";
    this.#isBold = this.#isDim = false;
  }

  line(line: string): Piece[] {
    const text = line.replace(/\r+$/, "");
    let pieces: Piece[] = [];
    let start = 0;
    const add = (part: string): void => {
      const kept = part.slice(part.lastIndexOf("\r") + 1);
      if (kept.length < part.length) pieces = [];
      if (kept === "") return;
      const shown = kept.replace(controls, "\uFFFD");
      const last = pieces.at(-1);
      const classes = this.#classes;
      if (last !== undefined && (last.classes === classes || pieces.length >= maxPieces))
        pieces[pieces.length - 1] = { text: last.text + shown, classes: last.classes };
      else pieces.push({ text: shown, classes });
    };
    if (text.includes("\u001B")) {
      for (const match of text.matchAll(escapes)) {
        add(text.slice(start, match.index));
        start = match.index + match[0].length;
        if (match[1] !== undefined) this.#sgr(match[1]);
      }
    }
    add(text.slice(start));
    return pieces;
  }

  get #classes(): string {
    if (this.#colour === "" && !this.#isBold && !this.#isDim) return "";
    return [this.#colour, this.#isBold ? "bold" : "", this.#isDim ? "dim" : ""]
      .filter((name) => name !== "")
      .join(" ");
  }

  #sgr(parameters: string): void {
    const codes = parameters.split(/[;:]/).map(Number);
    for (let index = 0; index < codes.length; index++) {
      const code = codes[index] ?? 0;
      if (code === 0) this.reset();
      else if (code === 1) this.#isBold = true;
      else if (code === 2) this.#isDim = true;
      else if (code === 22) this.#isBold = this.#isDim = false;
      else if (code === 39) this.#colour = "";
      else if (code >= 30 && code <= 37) this.#colour = `c${code - 30}`;
      else if (code >= 90 && code <= 97) this.#colour = `c${code - 82}`;
      else if (code === 38 || code === 48) {
        // `38;5;n` names one of 256, `38;2;r;g;b` any; of those the first 16 are ours.
        const isPalette = codes[index + 1] === 5;
        const number = codes[index + 2] ?? 0;
        if (code === 38) this.#colour = isPalette && number < 16 ? `c${number}` : "";
        index += isPalette ? 2 : 4;
      }
    }
  }
}
