import type { Delivery, KeptMessage } from "./delivery.ts";

/** What each message that is kept costs beside its payload, for each who has not acknowledged it. */
export const messageOverheadBytes = 16;

/** Half a millisecond of copying. */
const settledPerSweep = 10_000;

/**
 * What all memberships of a process have not acknowledged, in bytes. A message for many is
 * one payload, and counts once.
 *
 * At the bound those give who have acknowledged nothing for longest: all that is kept for
 * them goes, and their next resume is a new join.
 */
export class PrivateBudget {
  readonly #maxBytes: number;
  /** Those that something is kept for; who acknowledged last stands last. */
  readonly #waiting = new Set<Delivery>();
  #bytes = 0;
  #sweep = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** It is kept for one more, who waits already. */
  add(message: KeptMessage): void {
    this.#bytes += messageOverheadBytes;
    if (message.keepers === 0) this.#bytes += message.bytes;
    message.keepers += 1;
    while (this.#bytes > this.#maxBytes) {
      const [longest] = this.#waiting;
      if (longest === undefined) return;
      longest.lose();
    }
  }

  remove(message: KeptMessage): void {
    this.#bytes -= messageOverheadBytes;
    message.keepers -= 1;
    if (message.keepers === 0) this.#bytes -= message.bytes;
  }

  /** Something is kept for it now, or it has acknowledged some of it, or nothing is kept for it any more. */
  moved(delivery: Delivery, isWaiting: boolean): void {
    this.#waiting.delete(delivery);
    if (!isWaiting) return;
    delivery.sweptAt = this.#sweep;
    this.#waiting.add(delivery);
  }

  /**
   * Called every few seconds: what is kept for those who have acknowledged nothing since the
   * last time gets memory of its own. Most is acknowledged within a second, and was allocated
   * among much that is gone since.
   */
  settle(): void {
    let left = settledPerSweep;
    for (const delivery of this.#waiting) {
      // Whoever stands behind it has moved later.
      if (delivery.sweptAt === this.#sweep || left <= 0) break;
      left -= delivery.settle(left);
    }
    this.#sweep += 1;
  }
}
