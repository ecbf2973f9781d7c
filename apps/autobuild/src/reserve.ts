import { randomBytes } from "node:crypto";
import { rmSync, statSync, truncateSync, writeFileSync } from "node:fs";

/** What file systems give and take at a time is no more than this. */
const blockBytes = 4096;

/**
 * A file that keeps room on a disk, for what must still be written when the disk is full.
 *
 * Nothing here throws: what cannot be kept, on a disk that is full already, is not there to be given.
 */
export class Reserve {
  readonly #file: string;
  readonly #size: number;
  #bytes = 0;

  /** Keeps `size` bytes in a file of that path, which may have them already. */
  constructor(file: string, size: number) {
    this.#file = file;
    this.#size = size;
    if (statSync(file, { throwIfNoEntry: false })?.size === size) this.#bytes = size;
    this.refill();
  }

  /** How much is missing. */
  get missingBytes(): number {
    return this.#size - this.#bytes;
  }

  /**
   * Frees as much as somebody wants to write. False: nothing is left.
   *
   * A little at a time, as whatever filled the disk takes what is free, too.
   */
  give(bytes: number): boolean {
    if (this.#bytes === 0) return false;
    const left = this.#bytes - (Math.ceil(bytes / blockBytes) + 1) * blockBytes;
    this.#bytes = Math.max(0, left);
    try {
      truncateSync(this.#file, this.#bytes);
      return true;
    } catch {
      this.#bytes = 0;
      return false;
    }
  }

  /** Makes it whole again, where there is room. */
  refill(): void {
    if (this.missingBytes === 0) return;
    try {
      // Random, because a file system that compresses keeps no room for zeros.
      writeFileSync(this.#file, randomBytes(this.#size), { mode: 0o600 });
      this.#bytes = this.#size;
    } catch {
      this.remove();
    }
  }

  remove(): void {
    this.#bytes = 0;
    try {
      rmSync(this.#file, { force: true });
    } catch {
      // It stays, and is written over by the next one.
    }
  }
}
