import { HistoryError } from "../errors.ts";
import type { HistoryStore, StoredCommit } from "../log/history-store.ts";

/** An actor whose commits are stored. */
export interface Recording {
  readonly address: string;
  /** What has changed since it was asked last. */
  take(): StoredCommit | undefined;
  /** What it was last asked for could not be stored: in memory it is ahead of what is true. */
  failed(error: HistoryError): void;
}

interface Waiting {
  readonly recording: Recording;
  readonly run: () => void;
  readonly fail: ((error: HistoryError) => void) | undefined;
}

/**
 * Holds back frames, acknowledgements and answers until what they are about is stored.
 * All that durable actors commit in one round of the event loop is one transaction.
 */
export class HistoryGate {
  readonly store: HistoryStore;
  readonly #dirty = new Set<Recording>();
  #waiting: Waiting[] = [];
  /** What is stored and on its way out. */
  #leaving: Waiting[] | undefined;
  #isScheduled = false;

  constructor(store: HistoryStore) {
    this.store = store;
  }

  /** This actor has something to store. */
  touch(recording: Recording): void {
    this.#dirty.add(recording);
    this.#schedule();
  }

  /** Runs at once if nothing of this actor waits, else after the transaction, in order; `fail` if there is none. */
  after(recording: Recording, run: () => void, fail?: (error: HistoryError) => void): void {
    const waiting = { recording, run, fail };
    if (this.#dirty.has(recording) || this.#waiting.length > 0) this.#waiting.push(waiting);
    else if (this.#leaving !== undefined) this.#leaving.push(waiting);
    else run();
  }

  /** Stores what there is, now. */
  flush(): void {
    this.#isScheduled = false;
    const recordings = [...this.#dirty];
    const waiting = this.#waiting;
    this.#dirty.clear();
    this.#waiting = [];
    try {
      const commits = recordings.flatMap((recording) => recording.take() ?? []);
      if (commits.length > 0) this.store.write(commits);
    } catch (error) {
      this.#fail(recordings, waiting, error);
      return;
    }
    const outer = this.#leaving;
    this.#leaving = waiting;
    try {
      // What these cause comes behind them: it grows meanwhile.
      for (const { run } of waiting) run();
    } finally {
      this.#leaving = outer;
    }
  }

  /** An actor is given up: nothing of it leaves any more. */
  forget(recording: Recording): void {
    this.#dirty.delete(recording);
    this.#waiting = this.#waiting.filter((one) => one.recording !== recording);
  }

  #fail(recordings: readonly Recording[], waiting: readonly Waiting[], error: unknown): void {
    const failure =
      error instanceof HistoryError
        ? error
        : new HistoryError(`Expected to store what was committed, got: ${String(error)}.`, {
            cause: error,
          });
    for (const { fail } of waiting) fail?.(failure);
    for (const recording of new Set([...recordings, ...waiting.map((one) => one.recording)]))
      recording.failed(failure);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }
}
