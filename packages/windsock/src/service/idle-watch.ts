import type { Clock, Timer } from "../actor/clock.ts";

export interface IdleWatchOptions {
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
  /** Whether nobody and nothing needs the actor now. */
  readonly isIdle: () => boolean;
  readonly end: () => void;
}

/** Ends the actor of a key when it has been idle for a while. One timer, however often it is used. */
export class IdleWatch {
  readonly #options: IdleWatchOptions;
  #usedAt = 0;
  #timer: Timer | undefined;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
  }

  /** It was used just now, and may be idle from here on. */
  touch(): void {
    this.#usedAt = this.#options.clock.now();
    this.watch();
  }

  /** As `touch`, for what is no use of it. */
  watch(): void {
    if (this.#timer === undefined) this.#watch(this.#options.idleTimeoutMs);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(ms: number): void {
    this.#timer = this.#options.clock.setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const { clock, idleTimeoutMs, isIdle, end } = this.#options;
    const left = this.#usedAt + idleTimeoutMs - clock.now();
    if (left > 0) this.#watch(left);
    else if (isIdle()) end();
    else this.#watch(idleTimeoutMs);
  }
}
