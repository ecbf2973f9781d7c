import { open, stat } from "node:fs/promises";
import { systemCodeOf } from "../errors.ts";

/** Bytes at offsets, only ever more of them: those that were read once never change. */
export interface LogBytes {
  /** How many there are; undefined where there is no such file, or none any more. */
  size(): Promise<number | undefined>;
  /** Fewer where they end before; none where the file is gone: removed by retention, or by somebody. */
  read(from: number, length: number): Promise<Buffer>;
}

/** The bytes of a file. */
export class PlainFile implements LogBytes {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async size(): Promise<number | undefined> {
    return (await unlessMissing(stat(this.path)))?.size;
  }

  async read(from: number, length: number): Promise<Buffer> {
    return (await this.readIfThere(from, length)) ?? Buffer.alloc(0);
  }

  /** The same, but undefined where the file is gone. */
  async readIfThere(from: number, length: number): Promise<Buffer | undefined> {
    if (length <= 0) return Buffer.alloc(0);
    const handle = await unlessMissing(open(this.path, "r"));
    if (handle === undefined) return undefined;
    try {
      const bytes = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(bytes, filled, length - filled, from + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } finally {
      await handle.close();
    }
  }
}

/** The bytes of one file, or of another one while that is not there. */
export class FirstThere implements LogBytes {
  readonly #first: LogBytes;
  readonly #second: LogBytes;

  constructor(first: LogBytes, second: LogBytes) {
    this.#first = first;
    this.#second = second;
  }

  async size(): Promise<number | undefined> {
    return (await this.#first.size()) ?? this.#second.size();
  }

  async read(from: number, length: number): Promise<Buffer> {
    const bytes = await this.#first.read(from, length);
    // Nothing at its end, and nothing where it is not: the other one tells.
    return bytes.length > 0 || (await this.#first.size()) !== undefined
      ? bytes
      : this.#second.read(from, length);
  }
}

async function unlessMissing<Value>(value: Promise<Value>): Promise<Value | undefined> {
  try {
    return await value;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
