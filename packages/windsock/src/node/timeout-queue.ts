import type { Clock, Timer } from "../actor/clock.ts";

/** What is given up when it has taken too long: one timer for all, since all have the same time. */
export class TimeoutQueue<Item> {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #expired: (item: Item) => void;
  /** With the time at which each is due: the longest first. */
  readonly #due = new Map<Item, number>();
  #timer: Timer | undefined;
  #isLooking = false;

  constructor(clock: Clock, timeoutMs: number, expired: (item: Item) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#expired = expired;
  }

  /** Those that are in time, the longest first. */
  get items(): Iterable<Item> {
    return this.#due.keys();
  }

  add(item: Item): void {
    this.#due.set(item, this.#clock.now() + this.#timeoutMs);
    this.#timer ??= this.#clock.setTimeout(this.#expire, this.#timeoutMs);
  }

  /** It is done. */
  delete(item: Item): void {
    if (!this.#due.delete(item) || this.#due.size > 0 || this.#isLooking) return;
    // In a storm the next one comes in the same round: a timer for each would cost more than all else here.
    this.#isLooking = true;
    setImmediate(this.#look);
  }

  readonly #look = (): void => {
    this.#isLooking = false;
    if (this.#due.size === 0) this.stop();
  };

  /** Whoever is late stays so, until another is added. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  readonly #expire = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [item, at] of this.#due) {
      if (at > now) {
        this.#timer ??= this.#clock.setTimeout(this.#expire, at - now);
        return;
      }
      this.#due.delete(item);
      this.#expired(item);
    }
  };
}
