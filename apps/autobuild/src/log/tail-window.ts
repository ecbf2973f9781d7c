/**
 * The newest bytes of a log in memory, so that viewers at the hot end cost no disk reads.
 *
 * Always covers the bytes from `start` to `end` of the log, at most `capacityBytes` of them.
 */
export class TailWindow {
  readonly #bytes: Buffer;
  #start: number;
  #end: number;

  constructor(capacityBytes: number, offset: number) {
    this.#bytes = Buffer.allocUnsafe(capacityBytes);
    this.#start = offset;
    this.#end = offset;
  }

  get start(): number {
    return this.#start;
  }

  append(bytes: Buffer): void {
    const capacity = this.#bytes.length;
    const kept = bytes.subarray(-capacity);
    let used = this.#end - this.#start;
    if (used + kept.length > capacity) {
      // Half of the window goes at once, so that a byte is moved once per half window and not per append.
      const keep = Math.min(used, capacity - kept.length, capacity >> 1);
      this.#bytes.copyWithin(0, used - keep, used);
      used = keep;
    }
    kept.copy(this.#bytes, used);
    this.#end += bytes.length;
    this.#start = this.#end - used - kept.length;
  }

  /** The bytes from `from` up to `end`; a view that the next `append` overwrites. */
  from(from: number): Buffer {
    return this.#bytes.subarray(from - this.#start, this.#end - this.#start);
  }
}
