const units = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Durations as a person writes them: `90s`, `10m`, `1h30m`, `1h 30m`. */
export const durationPattern: RegExp =
  /^\d{1,9}(?:ms|s|m|min|h|d)(?: ?\d{1,9}(?:ms|s|m|min|h|d)){0,4}$/;

/** Reads a duration into milliseconds; undefined for a text that is none. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|min|m|h|d)/g))
    sum += Number(count) * units[unit as keyof typeof units];
  return sum;
}
