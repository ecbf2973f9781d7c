/**
 * Time, as a port: polls, back-off, time-outs and grace periods ask it, so that tests can own it.
 *
 * `epochMs` dates things for people. `monotonicMs` measures, and never jumps when the wall clock is set.
 */
export interface Clock {
  epochMs(): number;
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; calling the returned function before that drops it. */
  after(delayMs: number, task: () => void): () => void;
}

/** The machine's own time. */
export const systemClock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
} satisfies Clock;

const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
};

/** `90s`, `10m`, `12h`, `90d` or `2w` in milliseconds; undefined for what is none of these. */
export function durationOf(text: string): number | undefined {
  const [, number = "", unit = ""] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = units[unit];
  return unitMs === undefined ? undefined : Number(number) * unitMs;
}

/** A clock whose tasks cannot end the process: what one throws is reported. */
export function guardedClock(clock: Clock, report: (error: unknown) => void): Clock {
  return {
    epochMs: () => clock.epochMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) =>
      clock.after(delayMs, () => {
        try {
          task();
        } catch (error) {
          report(error);
        }
      }),
  };
}

const iso =
  /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;

/**
 * A time in ms since 1970, from ISO 8601 or from how long ago it was: `2026-11-24T10:00Z`, `10m`. Undefined for what is
 * neither. A time without a zone is in that of this machine; a date is its midnight there.
 */
export function instantOf(text: string, nowMs: number): number | undefined {
  const agoMs = durationOf(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  if (!iso.test(text)) return undefined;
  // JavaScript takes a date alone for UTC, and a zone only with its minutes.
  const whole = text.length === 10 ? `${text}T00:00` : text.replace(" ", "T").replace(",", ".");
  const ms = Date.parse(
    whole.replace(/([+-]\d\d)$/, "$1:00").replace(/([+-]\d\d)(\d\d)$/, "$1:$2"),
  );
  return Number.isNaN(ms) ? undefined : ms;
}

/** A duration for people: `3.4 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const wholeSeconds = Math.round(seconds);
  if (wholeSeconds < 3600) return `${Math.floor(wholeSeconds / 60)} min ${wholeSeconds % 60} s`;
  return `${Math.floor(wholeSeconds / 3600)} h ${Math.floor((wholeSeconds % 3600) / 60)} min`;
}
