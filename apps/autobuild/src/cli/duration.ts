import { parseDuration } from "../duration.ts";
import { UsageError } from "./command.ts";

/** Reads `90s`, `10m`, `12h`, `90d` or `2w` as milliseconds. */
export function readDuration(text: string): number {
  const ms = parseDuration(text) ?? 0;
  if (ms > 0) return ms;
  throw new UsageError(
    `Expected a time such as 90s, 10m, 12h or 90d, got ${JSON.stringify(text)}.`,
  );
}
