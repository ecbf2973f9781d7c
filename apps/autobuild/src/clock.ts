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

/** A duration for people: `3.4 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const wholeSeconds = Math.round(seconds);
  if (wholeSeconds < 3600) return `${Math.floor(wholeSeconds / 60)} min ${wholeSeconds % 60} s`;
  return `${Math.floor(wholeSeconds / 3600)} h ${Math.floor((wholeSeconds % 3600) / 60)} min`;
}
