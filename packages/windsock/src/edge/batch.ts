import type { Transport } from "./transport.ts";

/**
 * Those who are due the same bytes. They are gathered first and written to then: each write is a call
 * of the system, after which no code of ours is in a cache, so what runs between two of them should be little.
 */
export class Batch {
  #buffer: Buffer | undefined;
  readonly #wires: Transport[] = [];

  add(wire: Transport, buffer: Buffer): void {
    if (buffer !== this.#buffer) {
      this.write();
      this.#buffer = buffer;
    }
    this.#wires.push(wire);
  }

  write(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    for (const wire of this.#wires) wire.write(buffer);
    this.#wires.length = 0;
    this.#buffer = undefined;
  }
}
