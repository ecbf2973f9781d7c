const bucketMs = 0.05;
const buckets = 1_200_000;

/** A histogram of times, in steps of 50 us up to a minute. */
export class Latencies {
  readonly #counts = new Uint32Array(buckets);
  #total = 0;

  add(ms: number): void {
    const bucket = Math.min(buckets - 1, Math.max(0, Math.floor(ms / bucketMs)));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  /** The time that this share of all is not above. 0 when there are none. */
  quantile(share: number): number {
    const rank = share * this.#total;
    let seen = 0;
    for (let bucket = 0; bucket < buckets && this.#total > 0; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) return (bucket + 1) * bucketMs;
    }
    return 0;
  }
}
