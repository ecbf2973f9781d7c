import type { Clock } from "../actor/clock.ts";
import { RestartBudget, type RestartLimits } from "../actor/restart-budget.ts";

/**
 * Whether an actor lets anybody new in (ADR 0025).
 *
 * A join that throws restarts the actor, for it may have left half of itself in the state.
 * Those restarts are not the service's: whoever connects would spend them. They have a
 * budget of the same size, and when that is spent it is the door that closes, with the
 * same back-off. Members stay.
 */
export class Door {
  readonly #clock: Clock;
  readonly #limits: RestartLimits;
  readonly #budget: RestartBudget;
  #closedUntil = -Infinity;
  #quietSince = -Infinity;

  constructor(limits: RestartLimits, clock: Clock) {
    this.#clock = clock;
    this.#limits = limits;
    this.#budget = new RestartBudget(limits);
  }

  /** A join threw. Gives for how long nobody new is let in, if that begins now. */
  failed(): number | undefined {
    const now = this.#clock.now();
    if (now - this.#quietSince > this.#limits.restartWindowMs) this.#budget.recovered();
    const decision = this.#budget.spend(now);
    const waitMs = decision.type === "down" ? decision.retryAfterMs : undefined;
    if (waitMs !== undefined) this.#closedUntil = now + waitMs;
    this.#quietSince = Math.max(now, this.#closedUntil);
    return waitMs;
  }

  /** When somebody new may try again, in ms; 0: now. */
  get retryAfterMs(): number {
    return Math.max(0, this.#closedUntil - this.#clock.now());
  }
}
