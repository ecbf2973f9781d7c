import type { AutobuildEvents } from "../build/builds.ts";
import type { Clock } from "../clock.ts";
import { isDiskFull, messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { KeptStore } from "../store/kept-store.ts";
import { SealingError } from "./sealing-thread.ts";

/** What a sealer works with. */
export interface SealerParts {
  readonly store: Pick<KeptStore, "unsealed" | "seal">;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
  /** Moves a build's logs into blocks. Rejects with a `SealingError`. */
  seal(buildId: number): Promise<unknown>;
  /** What a build's logs take of the disk. */
  bytesOf(buildId: number): Promise<number>;
  /** Whether somebody reads a build's logs, or did so lately. */
  isRead(buildId: number): boolean;
}

const sweepMs = 10 * 60_000;
const leastSweepMs = 1000;
/** Builds that are asked for at once; the sweep goes on until none is left. */
const buildsAtOnce = 100;
/** Builds whose trouble was told. */
const maxTold = 1000;

/**
 * Seals the logs of builds that ended a while ago, one build after the other, beside what else goes on.
 *
 * A build that somebody reads waits for the next sweep, and so does one that could not be sealed, which is told
 * once. A full disk ends the sweep: nothing is lost, and the next one tries again.
 */
export class Sealer {
  readonly #parts: SealerParts;
  readonly #afterMs: number | null;
  readonly #told = new Set<number>();
  #isFullTold = false;
  #sweeping: Promise<void> | undefined;
  #isStopped = false;
  #cancelTimer = (): void => {};

  /** @param afterMs how long after its end a build's logs are sealed; null: never */
  constructor(parts: SealerParts, afterMs: number | null) {
    this.#parts = parts;
    this.#afterMs = afterMs;
  }

  start(): void {
    if (this.#afterMs !== null) this.#sweep(this.#afterMs);
  }

  /** Begins nothing more, and waits for what is being sealed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer();
    await this.#sweeping;
  }

  #sweep(afterMs: number): void {
    this.#sweeping = this.#sealAll(afterMs).finally(() => {
      if (this.#isStopped) return;
      const nextMs = Math.min(sweepMs, Math.max(leastSweepMs, afterMs));
      this.#cancelTimer = this.#parts.clock.after(nextMs, () => this.#sweep(afterMs));
    });
  }

  async #sealAll(afterMs: number): Promise<void> {
    const { store, clock, events } = this.#parts;
    try {
      for (let after = 0; !this.#isStopped;) {
        const due = store.unsealed(clock.epochMs() - afterMs, after, buildsAtOnce);
        for (const buildId of due) {
          if (this.#isStopped) return;
          after = buildId;
          if (!this.#parts.isRead(buildId) && !(await this.#sealOne(buildId))) return;
        }
        if (due.length < buildsAtOnce) return;
      }
    } catch (error) {
      events.emit("problem", {
        message: `Old logs could not be sealed: ${messageOf(error)}. They stay as files.`,
        error,
      });
    }
  }

  /** Whether it makes sense to go on with others. */
  async #sealOne(buildId: number): Promise<boolean> {
    const { store, clock, events } = this.#parts;
    try {
      await this.#parts.seal(buildId);
      store.seal(buildId, await this.#parts.bytesOf(buildId), clock.epochMs());
      this.#isFullTold = false;
      return true;
    } catch (error) {
      if (this.#isStopped) return false;
      const isFull = error instanceof SealingError ? error.isDiskFull : isDiskFull(error);
      const isTold = isFull ? this.#isFullTold : this.#told.has(buildId);
      if (isFull) this.#isFullTold = true;
      else if (this.#told.size < maxTold) this.#told.add(buildId);
      if (!isTold)
        events.emit("problem", {
          message: isFull
            ? "Old logs could not be sealed: the disk is full. They stay as files, and it is tried again."
            : `The logs of build ${buildId} could not be sealed: ${messageOf(error)}. They stay as files, and it is tried again.`,
          error,
        });
      return !isFull;
    }
  }
}
