import type { Clock, Timer } from "../actor/clock.ts";

/** The time-out of `noreply(state, { timeoutMs })`: one at most, ended by the next callback. */
export class NoreplyTimeout {
  readonly #clock: Clock;
  readonly #fire: (token: number) => void;
  #timer: Timer | undefined;
  #token = 0;

  /** `fire` puts the token into the mailbox; `take` says there whether it still counts. */
  constructor(clock: Clock, fire: (token: number) => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** Whether one runs, or has run out and waits in the mailbox. */
  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  /** Sets it in place of the one before; undefined: none. */
  set(ms: number | undefined): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (ms === undefined) return;
    this.#token += 1;
    const token = this.#token;
    this.#timer = this.#clock.setTimeout(() => this.#fire(token), ms);
  }

  /** True for the token of the one that is set, which is over then. */
  take(token: number): boolean {
    if (this.#timer === undefined || token !== this.#token) return false;
    this.#timer = undefined;
    return true;
  }
}
