export interface UnreadListener {
  /** Reads these; they are few enough to be read at once. */
  handleBytes(bytes: Uint8Array): void;
  /** Some have been read. */
  handleRead(): void;
  /** There were more than are kept: all of them are gone. */
  handleOverflow(): void;
}

/** More is not kept: who is so far behind sees the end sooner by going there. */
const maxUnreadBytes = 16 * 1024 * 1024;
/** So long they are read between two frames; the rest of the time is the browser's. */
const budgetMs = 8;
const sliceBytes = 16 * 1024;
/**
 * Without a frame for so long it goes on: a window behind others has none. Not earlier: a frame that is late on a busy
 * machine must not find several rounds of reading before it.
 */
const noFrameMs = 100;

/** Bytes that have come and are not read yet. A few are read at once, a flood is read for some milliseconds a frame. */
export class UnreadBytes {
  readonly #listener: UnreadListener;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  /** Of the first piece, how much is read. */
  #used = 0;
  /** Since the last frame. */
  #spentMs = 0;
  #frame: number | undefined;
  #timer: number | undefined;

  constructor(listener: UnreadListener) {
    this.#listener = listener;
  }

  push(bytes: Uint8Array): void {
    if (this.#length + bytes.length > maxUnreadBytes) {
      this.clear();
      this.#listener.handleOverflow();
      return;
    }
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    this.#read();
  }

  clear(): void {
    this.#pieces.length = this.#length = this.#used = 0;
  }

  close(): void {
    this.clear();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
  }

  #read(): void {
    // A page that nobody sees has no frames to be in time for.
    const leftMs = document.hidden ? Infinity : budgetMs - this.#spentMs;
    if (leftMs <= 0 || this.#length === 0) return;
    const startMs = performance.now();
    let usedMs = 0;
    for (
      let slice = this.#next();
      slice !== undefined;
      slice = usedMs < leftMs ? this.#next() : undefined
    ) {
      this.#listener.handleBytes(slice);
      usedMs = performance.now() - startMs;
    }
    this.#spentMs += usedMs;
    this.#awaitFrame();
    this.#listener.handleRead();
  }

  #next(): Uint8Array | undefined {
    const [piece] = this.#pieces;
    if (piece === undefined) return undefined;
    const slice = piece.subarray(this.#used, this.#used + sliceBytes);
    this.#used += slice.length;
    this.#length -= slice.length;
    if (this.#used === piece.length) {
      this.#pieces.shift();
      this.#used = 0;
    }
    return slice;
  }

  /** Behind the next frame the time counts anew. */
  #awaitFrame(): void {
    if (this.#timer !== undefined) return;
    const goOn = (): void => {
      if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
      this.#frame = this.#timer = undefined;
      this.#spentMs = 0;
      this.#read();
    };
    this.#timer = window.setTimeout(goOn, noFrameMs);
    this.#frame = requestAnimationFrame(() => {
      this.#frame = undefined;
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(goOn);
    });
  }
}
