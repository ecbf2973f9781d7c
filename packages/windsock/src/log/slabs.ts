import type { Payload } from "../protocol/port.ts";

const minSlabBytes = 512;
const maxSlabBytes = 32 * 1024;
/** A slab is at most such a part of what the log holds: one that a single old entry keeps alive costs little beside it. */
const slabPart = 8;

/**
 * The memory in which one log or queue keeps its payloads, in the order in which they come and go.
 *
 * Node cuts small buffers from slabs of 64 KiB that it shares among all who ask. Of what
 * is allocated in a server nearly everything is gone a moment later, but one entry of a
 * log in such a slab would keep the whole of it: a log took two to five times what it
 * holds, and a thousand quiet ones 64 KiB each.
 */
export class Slabs {
  #slab: ArrayBuffer | undefined;
  #used = 0;

  /** A copy of these bytes for a log that holds `heldBytes`. */
  keep(bytes: Uint8Array, heldBytes: number): Uint8Array {
    const { length } = bytes;
    const size = Math.min(Math.max(heldBytes / slabPart, minSlabBytes), maxSlabBytes);
    if (length * 2 > size) return ownCopyOf(bytes);
    if (this.#slab === undefined || this.#used + length > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(2 ** Math.floor(Math.log2(size)));
      this.#used = 0;
    }
    const kept = new Uint8Array(this.#slab, this.#used, length);
    kept.set(bytes);
    this.#used += length;
    return kept;
  }

  /** As `keep`, for the payload of an item. */
  keepItem<Item extends { readonly payload: Payload }>(item: Item, heldBytes: number): Item {
    const { kind, bytes } = item.payload;
    return { ...item, payload: { kind, bytes: this.keep(bytes, heldBytes) } };
  }

  /** The log is empty. */
  clear(): void {
    this.#slab = undefined;
  }
}

/** These bytes in memory of their own, to the byte: for what stays longer than what it was allocated among. */
export function ownCopyOf(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
