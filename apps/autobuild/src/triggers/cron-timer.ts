import type { Clock } from "../clock.ts";
import type { CronEntry } from "../plan/config-schema.ts";
import { nextTime } from "../plan/cron.ts";

/** What a cron timer works with. */
export interface CronTimerParts {
  readonly clock: Clock;
  /** Up to when the times of a table are kept, from a memory that outlives the process. */
  lastKept(key: string): number | undefined;
  saveKept(key: string, untilMs: number): void;
  /** Called once for each time that comes. */
  handleDue(entry: CronEntry): void;
}

/** The wall clock is looked at so often at least: it may be set, and a machine may sleep. */
const lookAgainMs = 60_000;
/** A time kept that lies further ahead than this was kept under a clock that was wrong. */
const clockWasWrongMs = 2 * 60 * 60_000;

/**
 * Keeps the time tables of one repository.
 *
 * Each time is kept once, also over a restart and a clock that is set back; when several have passed at
 * once (a machine that slept, a clock that was set forward), one build is enough. What passed while AutoBuild was off is
 * not made up.
 */
export class CronTimer {
  readonly #parts: CronTimerParts;
  #entries: { entry: CronEntry; key: string; dueMs: number }[] = [];
  #cancel = (): void => {};
  #isStopped = false;

  constructor(parts: CronTimerParts) {
    this.#parts = parts;
  }

  /** Replaces the tables. */
  set(entries: readonly CronEntry[]): void {
    const nowMs = this.#parts.clock.epochMs();
    this.#entries = entries.flatMap((entry) => {
      const key = JSON.stringify([entry.schedule, entry.branch ?? null, entry.timezone ?? null]);
      const dueMs = this.#next(entry, key, nowMs);
      return dueMs === undefined ? [] : [{ entry, key, dueMs }];
    });
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #next(entry: CronEntry, key: string, nowMs: number): number | undefined {
    const kept = this.#parts.lastKept(key) ?? 0;
    return nextTime(entry, kept > nowMs + clockWasWrongMs ? nowMs : Math.max(nowMs, kept));
  }

  #schedule(leastMs = 0): void {
    this.#cancel();
    if (this.#isStopped || this.#entries.length === 0) return;
    const waitMs =
      Math.min(...this.#entries.map(({ dueMs }) => dueMs)) - this.#parts.clock.epochMs();
    this.#cancel = this.#parts.clock.after(Math.min(Math.max(waitMs, leastMs), lookAgainMs), () =>
      this.#look(),
    );
  }

  #look(): void {
    const nowMs = this.#parts.clock.epochMs();
    try {
      this.#entries = this.#entries.flatMap((waiting) => {
        const { entry, key, dueMs } = waiting;
        const isDue = dueMs <= nowMs;
        // Kept before anything can go wrong: a build that is lost is better than one each minute.
        if (isDue) this.#parts.saveKept(key, nowMs);
        if (isDue) this.#parts.handleDue(entry);
        // Also when it is not due: the clock may have been set back.
        const nextMs = this.#next(entry, key, nowMs);
        return nextMs === undefined ? [] : [{ entry, key, dueMs: nextMs }];
      });
      this.#schedule();
    } catch (error) {
      // The store refused, and nothing was begun: all of it is looked at again.
      this.#schedule(lookAgainMs);
      throw error;
    }
  }
}
