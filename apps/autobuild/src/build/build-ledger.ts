import type { Clock } from "../clock.ts";
import { isDiskFull, messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { JournalEntry } from "../run/journal.ts";
import type { DiskRoom } from "../store/disk-room.ts";
import type { Store } from "../store/store.ts";
import type { BuildOutcome } from "./build-execution.ts";
import { repeatOf, type Build } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";
import { writeEvent } from "./event-writer.ts";

export interface LedgerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
  readonly room: Pick<DiskRoom, "giveUp">;
}

/** How a build ended, with what else the store keeps of that. */
export interface BuildEnd extends BuildOutcome {
  /** Null where nobody measured it. */
  readonly durationMs: number | null;
  /** When its runner was over. @default now, where nobody knows */
  readonly finishedMs?: number;
  /** Of the console log. */
  readonly logBytes: number;
  /** Whether its commit is queued once more, in the same transaction. */
  readonly isRequeued: boolean;
}

const retryMs = 5000;

/**
 * Writes down in the store how builds go and how they end, also when the disk is full.
 *
 * Then it takes of the room that is kept for that. What the store refuses all the same is written with what comes
 * next, at the latest with the build's end, and for the end it is asked until it takes it.
 */
export class BuildLedger {
  readonly #parts: LedgerParts;
  /** What the store has refused so far, by build. The journals have it too: a server that starts reads them again. */
  readonly #unwritten = new Map<number, readonly JournalEntry[]>();
  readonly #stopping = new AbortController();

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** Writes what happened in a build. */
  write(buildId: number, entries: readonly JournalEntry[]): void {
    const { store, events } = this.#parts;
    const all = [...(this.#unwritten.get(buildId) ?? []), ...entries];
    this.#unwritten.set(buildId, all);
    try {
      this.#withReserve(() => store.transaction(() => this.#writeEntries(buildId)));
      this.#unwritten.delete(buildId);
      const build = store.build(buildId);
      if (build !== undefined) events.emit("buildChanged", build);
    } catch (error) {
      this.#report(
        `What happened in build ${buildId} could not be written down: ${messageOf(error)}`,
        error,
      );
    }
  }

  /** Writes how a build ended. Rejects when stopping; the next start finds the end in the journal. */
  async end(build: Build, { isRequeued, durationMs, ...end }: BuildEnd): Promise<void> {
    const { store, clock } = this.#parts;
    const nowMs = clock.epochMs();
    const { finishedMs = nowMs } = end;
    const write = (): void => {
      this.#writeEntries(build.id);
      if (isRequeued) store.insertBuild(repeatOf(build, "requeue", nowMs));
      store.endBuild(build.id, {
        ...end,
        finishedMs,
        durationMs: durationMs === null ? null : Math.round(durationMs),
      });
    };
    for (;;) {
      try {
        this.#withReserve(() => store.transaction(write));
        this.#unwritten.delete(build.id);
        return;
      } catch (error) {
        this.#report(
          `The end of build ${build.id} could not be written down: ${messageOf(error)}`,
          error,
        );
        if (this.#stopping.signal.aborted) throw error;
      }
      await this.#wait();
    }
  }

  /** Makes what waits for the store try once more, and then give up. */
  stop(): void {
    this.#stopping.abort();
  }

  #writeEntries(buildId: number): void {
    for (const entry of this.#unwritten.get(buildId) ?? [])
      writeEvent(this.#parts.store, buildId, entry);
  }

  #withReserve(write: () => void): void {
    for (;;) {
      try {
        write();
        return;
      } catch (error) {
        if (!isDiskFull(error) || !this.#parts.room.giveUp()) throw error;
      }
    }
  }

  async #wait(): Promise<void> {
    const { signal } = this.#stopping;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.after(retryMs, resolve);
    signal.addEventListener("abort", () => resolve());
    if (signal.aborted) resolve();
    await promise;
    cancel();
  }

  #report(message: string, error: unknown): void {
    this.#parts.events.emit("problem", { message, error });
  }
}
