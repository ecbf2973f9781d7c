import { constants } from "node:os";

/** What a stop may report: that it ran out of time, and something was cut. */
export interface StopReport {
  readonly timedOut: boolean;
}

export interface SignalOptions {
  /** Ends the process with this code. @default process.exit */
  readonly exit?: (code: number) => void;
  /** Where signals come from. @default process */
  readonly source?: SignalSource;
  /** Told why a stop has failed. @default console.error */
  readonly report?: (error: unknown) => void;
  /** The time, in ms, of a clock that never goes back. @default performance.now */
  readonly now?: () => number;
}

export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

const signals = ["SIGTERM", "SIGINT"] as const;

/**
 * Ctrl-C reaches the whole process group, and npm and pnpm then hand it on to their child once
 * more. Within this time, in ms, a second SIGINT is the same press of the same key.
 */
const sameKeyMs = 100;

/**
 * Stops at the first SIGTERM or SIGINT and exits when that is done: 0, or 1 if the stop rejects or
 * reports that it ran out of time. A second signal exits at once, with 128 + its number, as a
 * shell expects of a process that a signal has ended.
 *
 * @returns takes the listeners off again
 */
export function stopOnSignals(
  stop: () => Promise<StopReport | void>,
  options: SignalOptions = {},
): () => void {
  const {
    exit = (code: number) => process.exit(code),
    source = process,
    report = console.error,
    now = () => performance.now(),
  } = options;
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;

  const run = async (): Promise<void> => {
    let code = 0;
    try {
      const result = await stop();
      if (result?.timedOut) code = 1;
    } catch (error) {
      report(error);
      code = 1;
    }
    exit(code);
  };
  const listener = (signal: NodeJS.Signals): void => {
    if (first === undefined) {
      first = { signal, at: now() };
      void run();
      return;
    }
    const isSameKey =
      signal === "SIGINT" && first.signal === "SIGINT" && now() - first.at < sameKeyMs;
    if (!isSameKey) exit(128 + constants.signals[signal]);
  };

  for (const signal of signals) source.on(signal, listener);
  return () => {
    for (const signal of signals) source.off(signal, listener);
  };
}
