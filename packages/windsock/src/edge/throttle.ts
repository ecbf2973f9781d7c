import type { Clock, Timer } from "../actor/clock.ts";
import type { Holding } from "./inflow.ts";

/** How long a client that sends too fast waits for its next share. */
const shareMs = 20;

/** The clients that send too fast: one timer lets all of them go on, a share at a time. */
export class Throttle {
  readonly #clock: Clock;
  readonly #waiting = new Set<Holding>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(holding: Holding): void {
    this.#waiting.add(holding);
    this.#timer ??= this.#clock.setTimeout(this.#share, shareMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  readonly #share = (): void => {
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const holding of waiting) holding.release(Infinity);
  };
}
