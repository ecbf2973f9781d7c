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

/** After so many commits that failed, each by itself, and none that did not, the store is what fails. */
const maxVainTries = 3;

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
    const failed = this.#store(recordings);
    const outer = this.#leaving;
    this.#leaving = waiting;
    try {
      // What these cause comes behind them: it grows meanwhile.
      for (const { recording, run, fail } of waiting) {
        const failure = failed.get(recording);
        if (failure === undefined) run();
        else fail?.(failure);
      }
    } finally {
      this.#leaving = outer;
    }
    for (const [recording, failure] of failed) recording.failed(failure);
  }

  /** An actor is given up: nothing of it leaves any more. */
  forget(recording: Recording): void {
    this.#dirty.delete(recording);
    this.#waiting = this.#waiting.filter((one) => one.recording !== recording);
  }

  /** All in one transaction; if that fails, each in one of its own, so that one which cannot be stored fails alone. Gives those that failed. */
  #store(recordings: readonly Recording[]): Map<Recording, HistoryError> {
    const failed = new Map<Recording, HistoryError>();
    const batch: { readonly recording: Recording; readonly commit: StoredCommit }[] = [];
    for (const recording of recordings) {
      try {
        const commit = recording.take();
        if (commit !== undefined) batch.push({ recording, commit });
      } catch (error) {
        failed.set(recording, failureOf(error));
      }
    }
    if (batch.length === 0) return failed;
    try {
      this.store.write(batch.map(({ commit }) => commit));
      return failed;
    } catch (error) {
      const [only] = batch;
      if (only !== undefined && batch.length === 1) {
        failed.set(only.recording, failureOf(error));
        return failed;
      }
    }
    let isStoring = false;
    let failure: HistoryError | undefined;
    for (const [index, { recording, commit }] of batch.entries()) {
      // It is the store, not what is in it: the others need not try.
      if (failure !== undefined && !isStoring && index >= maxVainTries) {
        failed.set(recording, failure);
        continue;
      }
      try {
        this.store.write([commit]);
        isStoring = true;
      } catch (error) {
        failure = failureOf(error);
        failed.set(recording, failure);
      }
    }
    return failed;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }
}

function failureOf(error: unknown): HistoryError {
  if (error instanceof HistoryError) return error;
  return new HistoryError(`Expected to store what was committed, got: ${String(error)}.`, {
    cause: error,
  });
}
