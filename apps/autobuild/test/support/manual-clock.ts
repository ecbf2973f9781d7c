import type { Clock } from "../../src/clock.ts";

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #epochMs = 1_800_000_000_000;
  #timers: { dueMs: number; task: () => void }[] = [];

  epochMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  /** Sets the wall clock ahead or back; no time passes. */
  setBy(byMs: number): void {
    this.#epochMs += byMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How long until the next timer; undefined when there is none. */
  get nextDelayMs(): number | undefined {
    if (this.#timers.length === 0) return undefined;
    return Math.min(...this.#timers.map(({ dueMs }) => dueMs)) - this.#nowMs;
  }

  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const next = this.#timers
        .filter(({ dueMs }) => dueMs <= untilMs)
        .toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.task();
    }
    this.#nowMs = untilMs;
  }
}
