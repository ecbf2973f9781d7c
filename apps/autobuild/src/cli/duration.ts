import { UsageError } from "./command.ts";

const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
};

/** Reads `90s`, `10m`, `12h`, `90d` or `2w` as milliseconds. */
export function readDuration(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const ms = Number(number) * (units[unit] ?? 0);
  if (ms > 0) return ms;
  throw new UsageError(
    `Expected a time such as 90s, 10m, 12h or 90d, got ${JSON.stringify(text)}.`,
  );
}
