/** Cuts a stream of bytes into lines. Holds one unfinished line of at most `maxBytes`; a longer one throws. */
export class LineReader {
  readonly #maxBytes: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How long the unfinished line is so far. */
  get restBytes(): number {
    return this.#rest.length;
  }

  /** The lines that these bytes complete, without their line feeds. */
  push(bytes: Buffer): string[] {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = all.lastIndexOf(0x0a) + 1;
    this.#rest = all.subarray(end);
    if (this.#rest.length > this.#maxBytes)
      throw new Error(`Expected lines of at most ${this.#maxBytes} bytes, got a longer one.`);
    return end === 0 ? [] : all.toString("utf8", 0, end - 1).split("\n");
  }
}
