import type { Clock, Timer } from "../actor/clock.ts";

/** What the platform's timers can wait for: about 24 days. */
export const maxTimerMs: number = 2 ** 31 - 1;

export function isTimerMs(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0 && ms <= maxTimerMs;
}

/** One `sendAfter`. It starts to run when its turn commits. */
export class ServiceTimer {
  readonly info: unknown;
  readonly ms: number;
  readonly #timers: ServiceTimers;
  #timer: Timer | undefined;
  #state: "waiting" | "running" | "over" = "waiting";

  constructor(timers: ServiceTimers, info: unknown, ms: number) {
    this.#timers = timers;
    this.info = info;
    this.ms = ms;
  }

  start(clock: Clock, fire: (info: unknown) => void): void {
    if (this.#state !== "waiting") return;
    this.#state = "running";
    this.#timer = clock.setTimeout(() => {
      this.#end();
      fire(this.info);
    }, this.ms);
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
  readonly #open = new Set<ServiceTimer>();

  get size(): number {
    return this.#open.size;
  }

  create(info: unknown, ms: number): ServiceTimer {
    const timer = new ServiceTimer(this, info, ms);
    this.#open.add(timer);
    return timer;
  }

  ended(timer: ServiceTimer): void {
    this.#open.delete(timer);
  }

  cancelAll(): void {
    for (const timer of this.#open) timer.cancel();
  }
}
