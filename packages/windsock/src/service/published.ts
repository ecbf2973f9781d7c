const maxRemembered = 1000;

/** Publishes by their `Idempotency-Key`, so that a repeat is answered and not published again. Beyond 1,000 the oldest is forgotten. */
export class PublishedKeys {
  readonly #seqs = new Map<string, Promise<number>>();

  /** The answer to the publish with this key: its `seq`. */
  get(key: string): Promise<number> | undefined {
    return this.#seqs.get(key);
  }

  /** Failures are forgotten: they may be tried again. */
  remember(key: string, seq: Promise<number>): void {
    this.#seqs.set(key, seq);
    seq.catch(() => this.#seqs.delete(key));
    if (this.#seqs.size <= maxRemembered) return;
    for (const oldest of this.#seqs.keys()) {
      this.#seqs.delete(oldest);
      break;
    }
  }
}
