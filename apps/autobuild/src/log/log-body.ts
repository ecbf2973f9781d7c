import type { LogReader } from "./log-reader.ts";

const chunkBytes = 64 * 1024;

/** A log as the body of an HTTP answer: what it holds when it is asked for, at the reader's pace. */
export class LogBody {
  readonly #log: LogReader;
  readonly #from: number;

  /** @param from a byte offset; within a line it counts as the start of the next one */
  constructor(log: LogReader, from = 0) {
    this.#log = log;
    this.#from = from;
  }

  stream(): ReadableStream<Uint8Array> {
    const log = this.#log;
    const end = log.length;
    const encoder = new TextEncoder();
    let next = this.#from;
    return new ReadableStream({
      async pull(controller) {
        const slice = next < end ? await log.read(next, chunkBytes) : { text: "", next: end };
        next = slice.next;
        if (slice.text === "") controller.close();
        else controller.enqueue(encoder.encode(slice.text));
      },
    });
  }
}
