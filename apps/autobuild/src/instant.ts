import { parseDuration } from "./duration.ts";

const iso =
  /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;

/**
 * A time in ms since 1970, from ISO 8601 or from how long ago it was: `2026-11-24T10:00Z`, `10m`. Undefined for what is
 * neither. A time without a zone is in that of this machine; a date is its midnight there.
 */
export function instantOf(text: string, nowMs: number): number | undefined {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  if (!iso.test(text)) return undefined;
  // JavaScript takes a date alone for UTC, and a zone only with its minutes.
  const whole = text.length === 10 ? `${text}T00:00` : text.replace(" ", "T").replace(",", ".");
  const ms = Date.parse(
    whole.replace(/([+-]\d\d)$/, "$1:00").replace(/([+-]\d\d)(\d\d)$/, "$1:$2"),
  );
  return Number.isNaN(ms) ? undefined : ms;
}
