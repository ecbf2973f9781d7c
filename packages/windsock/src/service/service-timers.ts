import type { Clock, Timer } from "../actor/clock.ts";

/** What the platform's timers can wait for: about 24 days. */
export const maxTimerMs: number = 2 ** 31 - 1;

export function isTimerMs(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0 && ms <= maxTimerMs;
}

/**
 * One `sendAfter`. It starts to run when its turn commits, and may be cancelled until it
 * is handled.
 *
 * ```
 *   waiting ──commit──► running ──time──► due, in the mailbox ──handled──► over
 *      └────────────────────┴─────────────────────┴──── cancelled ───────────▲
 * ```
 */
export class ServiceTimer {
  readonly info: unknown;
  readonly ms: number;
  readonly #timers: ServiceTimers;
  #timer: Timer | undefined;
  #state: "waiting" | "running" | "due" | "over" = "waiting";

  constructor(timers: ServiceTimers, info: unknown, ms: number) {
    this.#timers = timers;
    this.info = info;
    this.ms = ms;
  }

  /** `due` puts it into the mailbox, where `take` says whether it still counts. */
  start(clock: Clock, due: (timer: ServiceTimer) => void): void {
    if (this.#state !== "waiting") return;
    this.#state = "running";
    this.#timer = clock.setTimeout(() => {
      this.#state = "due";
      due(this);
    }, this.ms);
  }

  /** False: it was cancelled meanwhile, or its incarnation has ended. */
  take(): boolean {
    if (this.#state !== "due") return false;
    this.#end();
    return true;
  }

  cancel(): void {
    if (this.#state === "over") return;
    this.#timer?.cancel();
    this.#end();
  }

  #end(): void {
    this.#state = "over";
    this.#timers.ended(this);
  }
}

/** The timers of one incarnation: bounded, and cancelled together. */
export class ServiceTimers {
  #open: Set<ServiceTimer> | undefined;

  get size(): number {
    return this.#open?.size ?? 0;
  }

  create(info: unknown, ms: number): ServiceTimer {
    const timer = new ServiceTimer(this, info, ms);
    (this.#open ??= new Set()).add(timer);
    return timer;
  }

  ended(timer: ServiceTimer): void {
    this.#open?.delete(timer);
  }

  cancelAll(): void {
    for (const timer of this.#open ?? []) timer.cancel();
  }
}
