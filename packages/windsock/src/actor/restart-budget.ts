/** How often an actor may restart, and how long it then stays down. */
export interface RestartLimits {
  readonly maxRestarts: number;
  readonly restartWindowMs: number;
}

const firstBackoffMs = 1000;
const maxBackoffMs = 60_000;

export type RestartDecision =
  | { readonly type: "restart" }
  | { readonly type: "down"; readonly retryAfterMs: number };

/** Restart intensity as in Erlang's supervisors: more than `maxRestarts` in the window is a fault that a restart does not mend. */
export class RestartBudget {
  readonly #limits: RestartLimits;
  #restarts: number[] = [];
  #downs = 0;

  constructor(limits: RestartLimits) {
    this.#limits = limits;
  }

  /** Called once for each crash, with the time on the actor's clock. */
  spend(now: number): RestartDecision {
    const start = now - this.#limits.restartWindowMs;
    this.#restarts = this.#restarts.filter((at) => at > start);
    if (this.#restarts.length < this.#limits.maxRestarts) {
      this.#restarts.push(now);
      return { type: "restart" };
    }
    this.#restarts = [];
    const retryAfterMs = Math.min(firstBackoffMs * 2 ** this.#downs, maxBackoffMs);
    this.#downs += 1;
    return { type: "down", retryAfterMs };
  }

  /** The actor has run for a whole window since it was down: the next back-off starts small again. */
  recovered(): void {
    this.#downs = 0;
  }
}
