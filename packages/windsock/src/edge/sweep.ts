import type { Clock, Timer } from "../actor/clock.ts";

const intervalMs = 1000;
/** Members looked at without a pause: all of them may be due for a ping. */
const membersPerSlice = 500;

/** Who is looked at. */
export interface Swept {
  sweep(now: number): void;
}

/** Looks at every member and session about once a second, with one timer for all of them. */
export class Sweep {
  /** Whole ms, as of the last look. */
  now: number;
  readonly #clock: Clock;
  readonly #members: ReadonlyMap<string, Swept>;
  readonly #sessions: ReadonlySet<Swept>;
  #timer: Timer | undefined;
  #round: Iterator<Swept> | undefined;

  constructor(clock: Clock, members: ReadonlyMap<string, Swept>, sessions: ReadonlySet<Swept>) {
    this.#clock = clock;
    this.#members = members;
    this.#sessions = sessions;
    this.now = Math.floor(clock.now());
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#round = undefined;
  }

  #schedule(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.now = Math.floor(this.#clock.now());
      // A round that is still going on goes on with the new time.
      if (this.#round === undefined) {
        this.#round = this.#all();
        this.#slice();
      }
      this.#schedule();
    }, intervalMs);
  }

  *#all(): Generator<Swept> {
    yield* this.#members.values();
    yield* this.#sessions.values();
  }

  readonly #slice = (): void => {
    for (let looked = 0; this.#round !== undefined; looked++) {
      if (looked === membersPerSlice) {
        setImmediate(this.#slice);
        return;
      }
      const next = this.#round.next();
      if (next.done === true) this.#round = undefined;
      else next.value.sweep(this.now);
    }
  };
}
