/** The time that actors, limits and heartbeats live in. Tests put a virtual one in its place. */
export interface Clock {
  /** Milliseconds that only grow: a jump of the wall clock does not show. */
  now(): number;
  setTimeout(run: () => void, ms: number): Timer;
}

export interface Timer {
  /** Idempotent; harmless after it ran. */
  cancel(): void;
}

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout;
  constructor(run: () => void, ms: number) {
    this.#handle = setTimeout(run, ms);
  }
  cancel(): void {
    clearTimeout(this.#handle);
  }
}

export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  setTimeout: (run: () => void, ms: number) => new SystemTimer(run, ms),
});

/** Rejects with `timedOut()` when the promise has not settled after `ms`. What it does later is ignored. */
export function settleWithin<Value>(
  promise: PromiseLike<Value>,
  ms: number,
  clock: Clock,
  timedOut: () => Error,
): Promise<Value> {
  return new Promise<Value>((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(timedOut()), ms);
    // As a promise: a foreign thenable may throw, or give another thenable.
    Promise.resolve(promise).then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        // A rejection is handed on as it came: what user code rejects with is not ours to change.
        reject(error);
      },
    );
  });
}
