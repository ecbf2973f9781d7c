const units = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
} as const;

/** A longer one is a slip, and dates stop soon after. */
const maxDurationMs = 100 * 366 * units.d;

/** A duration as people write it, everywhere in AutoBuild: `90s`, `10m`, `1h30m`, `1h 30m`, `2w`. */
export const durationPattern: RegExp =
  /^\d{1,9}(?:ms|s|m|min|h|d|w)(?: ?\d{1,9}(?:ms|s|m|min|h|d|w)){0,4}$/;

/** Reads a duration into milliseconds; undefined for a text that is none, or more than a hundred years. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|min|m|h|d|w)/g))
    sum += Number(count) * units[unit as keyof typeof units];
  return sum <= maxDurationMs ? sum : undefined;
}

/** A duration for people: `3.4 s`, `2 min 5 s`, `1 h 2 min`. None is negative, though two clocks may differ. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const wholeSeconds = Math.round(seconds);
  if (wholeSeconds < 3600) return `${Math.floor(wholeSeconds / 60)} min ${wholeSeconds % 60} s`;
  return `${Math.floor(wholeSeconds / 3600)} h ${Math.floor((wholeSeconds % 3600) / 60)} min`;
}
