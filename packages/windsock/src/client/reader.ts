import { ClientError } from "./client-error.ts";

/** What may wait for one loop that is slower than its messages. */
export interface ReaderLimits {
  /** @default 10000 */
  readonly maxBufferMessages: number;
  /** @default 8388608 */
  readonly maxBufferBytes: number;
}

interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What one `for await` reads from: values in order, a bounded number of them.
 *
 * ```
 *   reading ──end(), end(error), buffer full──► ending ──all was read──► over
 *      └──────────────── break, return() ───────────────────────────────▲
 * ```
 *
 * At the bound it takes no more: the loop gets what was there, without a hole, and then
 * `WINDSOCK_SLOW_READER`. Other readers and handlers go on.
 */
export class Reader<T> implements AsyncIterableIterator<T, undefined> {
  readonly #limits: ReaderLimits;
  readonly #onOver: (reader: Reader<T>) => void;
  #buffer: { readonly value: T; readonly bytes: number }[] = [];
  #bytes = 0;
  #waiting: Waiting<T>[] = [];
  #end: { error: ClientError | undefined } | undefined;

  constructor(limits: ReaderLimits, onOver: (reader: Reader<T>) => void) {
    this.#limits = limits;
    this.#onOver = onOver;
  }

  push(value: T, bytes: number): void {
    if (this.#end !== undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ value, done: false });
      return;
    }
    const { maxBufferMessages, maxBufferBytes } = this.#limits;
    if (this.#buffer.length >= maxBufferMessages || this.#bytes + bytes > maxBufferBytes) {
      this.end(
        new ClientError("WINDSOCK_SLOW_READER", {
          messages: this.#buffer.length,
          bytes: this.#bytes,
        }),
      );
      return;
    }
    this.#buffer.push({ value, bytes });
    this.#bytes += bytes;
  }

  /** Nothing more comes. With an error, the loop throws it when it has read the rest. */
  end(error?: ClientError): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#onOver(this);
    // Waiting loops have read everything.
    for (const waiting of this.#waiting.splice(0)) this.#finish(waiting);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => {
      const first = this.#buffer.shift();
      if (first !== undefined) {
        this.#bytes -= first.bytes;
        resolve({ value: first.value, done: false });
      } else if (this.#end === undefined) this.#waiting.push({ resolve, reject });
      else this.#finish({ resolve, reject });
    });
  }

  /** The loop was left. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#buffer = [];
    this.end();
    return this.next();
  }

  /** All that waits, at once; nothing more is taken. */
  drain(): { readonly value: T; readonly bytes: number }[] {
    this.end();
    return this.#buffer;
  }

  /** What it ended with and has not thrown yet. */
  get error(): ClientError | undefined {
    return this.#end?.error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** An error is thrown once; then the reader is done. */
  #finish({ resolve, reject }: Waiting<T>): void {
    const error = this.#end?.error;
    this.#end = { error: undefined };
    if (error === undefined) resolve({ value: undefined, done: true });
    else reject(error);
  }
}
