export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Fewer values say nothing about their spread. */
const minValues = 5;
const resamples = 4000;

/** The 95 % interval of the median, by bootstrap: the same values give the same interval. Undefined below five values. */
export function interval(values: readonly number[]): Interval | undefined {
  if (values.length < minValues) return undefined;
  const random = generator(values.length);
  const medians = Array.from({ length: resamples }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? 0)),
  ).sort((a, b) => a - b);
  return {
    low: medians[Math.floor(resamples * 0.025)] ?? Number.NaN,
    high: medians[Math.ceil(resamples * 0.975) - 1] ?? Number.NaN,
  };
}

/** Mulberry32: small, even, and the same at each run. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
