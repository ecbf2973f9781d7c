import type { Clock, Timer } from "../actor/clock.ts";

/** A connection that is being closed. */
export interface Closing {
  destroy(): void;
}

/** Ends connections that take too long to close: one timer for all, since all have the same time. */
export class CloseTimeouts {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** With the time at which each is due: the longest first. */
  readonly #due = new Map<Closing, number>();
  #timer: Timer | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  add(closing: Closing): void {
    this.#due.set(closing, this.#clock.now() + this.#timeoutMs);
    this.#timer ??= this.#clock.setTimeout(this.#expire, this.#timeoutMs);
  }

  /** It is closed. */
  delete(closing: Closing): void {
    if (!this.#due.delete(closing) || this.#due.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [closing, at] of this.#due) {
      if (at > now) {
        this.#timer = this.#clock.setTimeout(this.#expire, at - now);
        return;
      }
      this.#due.delete(closing);
      closing.destroy();
    }
  };
}
