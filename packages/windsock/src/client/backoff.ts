const baseMs = 500;
const capMs = 30_000;

/** A connection, or a join, that lasted this long lets the next wait begin at the shortest again. */
export const stableMs = 10_000;

/** A wait with full jitter: drawn from the whole range, so that many clients do not come back at once. */
export function backoffMs(attempt: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** attempt);
}

/** Where a server is crowded, waits are drawn by this many failures at least: everybody else comes back as well. */
export const crowdedFailures = 3;

/** The attempt from which on every wait is drawn from the longest range. */
export const longestAttempt = 6;
