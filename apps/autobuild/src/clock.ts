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
