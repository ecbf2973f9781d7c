import type { LogReader } from "./log-reader.ts";

const chunkBytes = 64 * 1024;

/** A log as the body of an HTTP answer: what it holds when it is asked for, at the reader's pace. */
export class LogBody {
  readonly #log: LogReader;

  constructor(log: LogReader) {
    this.#log = log;
  }

  stream(): ReadableStream<Uint8Array> {
    const log = this.#log;
    const end = log.length;
    const encoder = new TextEncoder();
    let next = 0;
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
