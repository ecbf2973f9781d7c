/** How far a stretch of bytes reaches: the frame in which it ends, and how much of that there is. */
export interface Place {
  readonly frame: number;
  readonly partial: number;
}

interface Chunk {
  readonly bytes: Buffer;
  /** Where each frame ends. */
  readonly ends: Uint32Array;
}

const framesPerChunk = 1024;
/** Beyond, the chunk that was made first goes, and is made again when it is needed. */
const maxChunks = 64;

/**
 * Frames 0, 1, 2, ..., each made from its number alone, and together one stretch of bytes.
 * Comparing a read with it costs one `memcmp` a chunk, however many frames it holds.
 */
export class FrameSequence {
  readonly #make: (frame: number) => Buffer;
  readonly #period: number;
  readonly #chunks = new Map<number, Chunk>();

  /** `period`: after so many frames, a multiple of 1,024, they are the same again. */
  constructor(make: (frame: number) => Buffer, period: number = Infinity) {
    this.#make = make;
    this.#period = period / framesPerChunk;
  }

  /** Makes what comes first, ahead of what is measured. */
  prepare(): this {
    for (let chunk = 0; chunk < Math.min(4, this.#period); chunk++) this.#chunk(chunk);
    return this;
  }

  /** Where these bytes end, if they are what comes from `frame` and `partial` on; else undefined. */
  match(frame: number, partial: number, bytes: Buffer, length: number): Place | undefined {
    let at = frame;
    let inside = partial;
    for (let done = 0; ;) {
      const { bytes: expected, ends } = this.#chunk(Math.floor(at / framesPerChunk));
      const within = at % framesPerChunk;
      const start = (within === 0 ? 0 : (ends[within - 1] ?? 0)) + inside;
      const part = Math.min(length - done, expected.length - start);
      if (expected.compare(bytes, done, done + part, start, start + part) !== 0) return undefined;
      done += part;
      const next = frameAt(ends, start + part);
      inside = start + part - (next === 0 ? 0 : (ends[next - 1] ?? 0));
      at += next - within;
      if (done === length) return { frame: at, partial: inside };
    }
  }

  frame(frame: number): Buffer {
    return this.slice(frame, 1);
  }

  /** Some frames in a row, as one stretch of bytes. */
  slice(first: number, count: number): Buffer {
    const within = first % framesPerChunk;
    const { bytes, ends } = this.#chunk(Math.floor(first / framesPerChunk));
    const start = within === 0 ? 0 : ends[within - 1];
    if (within + count <= framesPerChunk) return bytes.subarray(start, ends[within + count - 1]);
    const here = framesPerChunk - within;
    return Buffer.concat([bytes.subarray(start), this.slice(first + here, count - here)]);
  }

  #chunk(number: number): Chunk {
    const key = number % this.#period;
    let chunk = this.#chunks.get(key);
    if (chunk !== undefined) return chunk;
    const first = key * framesPerChunk;
    const frames = Array.from({ length: framesPerChunk }, (_, index) => this.#make(first + index));
    const ends = new Uint32Array(framesPerChunk);
    let end = 0;
    for (const [index, { length }] of frames.entries()) {
      end += length;
      ends[index] = end;
    }
    chunk = { bytes: Buffer.concat(frames), ends };
    if (this.#chunks.size >= maxChunks) {
      const [oldest] = this.#chunks.keys();
      if (oldest !== undefined) this.#chunks.delete(oldest);
    }
    this.#chunks.set(key, chunk);
    return chunk;
  }
}

/** The first frame that ends behind `offset`. */
function frameAt(ends: Uint32Array, offset: number): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
