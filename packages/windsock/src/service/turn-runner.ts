import { settleWithin, type Clock } from "../actor/clock.ts";
import { BadReturnError, CallbackTimeoutError } from "../errors.ts";
import type { Out } from "../protocol/port.ts";
import { drop, type Effect } from "./effect.ts";
import { isOutcome, type OutcomeValue } from "./outcome.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import { isTimerMs, maxTimerMs } from "./service-timers.ts";
import { runInTurn, Turn } from "./turn.ts";
import { describe, isPromiseLike } from "./value.ts";

export interface TurnRunnerOptions {
  readonly actor: ServiceActor;
  readonly clock: Clock;
  readonly commit: (turn: Turn) => void | Promise<void>;
  /** A callback's turn is committed; this is what it returned beside a state. */
  readonly committed: (outcome: OutcomeValue | undefined) => void | Promise<void>;
}

/** What a turn has beside its callback. */
export interface TurnDetails {
  /** Leaves ahead of the effects. */
  readonly before?: readonly Out[];
  readonly deadline?: number;
  /** Called with what came back, before the commit. A throw fails the turn. */
  readonly answered?: (outcome: OutcomeValue, turn: Turn) => void;
  /** The message that is disposed of with the commit. */
  readonly joins?: ServiceClient;
  readonly disposes?: { readonly client: ServiceClient; readonly n: number } | undefined;
  readonly committed?: ((outcome: OutcomeValue | undefined) => void) | undefined;
}

type Callback<Args extends readonly unknown[]> = (...args: Args) => unknown;

const noDetails: TurnDetails = Object.freeze({});

/**
 * Runs callbacks as turns: collects what they do, checks what they return, and commits
 * both in one step. A callback that returns no promise costs none.
 */
export class TurnRunner {
  /** The state of the incarnation, as of the last commit. */
  state: unknown;
  readonly #options: TurnRunnerOptions;
  #callback = "";
  #turn: Turn | undefined;

  constructor(options: TurnRunnerOptions) {
    this.#options = options;
  }

  /** The name of the callback that began last. */
  get callback(): string {
    return this.#callback;
  }

  /** The turn that began last. */
  get turn(): Turn | undefined {
    return this.#turn;
  }

  /** One turn. Throws or rejects when the callback does, or when it returns what has no meaning. */
  run<Args extends readonly unknown[]>(
    name: string,
    callback: Callback<Args> | undefined,
    args: Args,
    details: TurnDetails = noDetails,
  ): void | Promise<void> {
    this.#callback = name;
    const turn = this.#open(details);
    if (details.before !== undefined) turn.before = details.before;
    turn.joins = details.joins;
    turn.handles = details.disposes;
    if (callback === undefined) return this.#commit(turn, details);
    let returned: unknown;
    try {
      returned = runInTurn(turn, callback as Callback<readonly unknown[]>, args);
      if (!isPromiseLike(returned)) return this.#settle(turn, name, returned, details);
    } catch (error) {
      return failed(turn, error);
    }
    return this.within(name, returned).then(
      (value) => {
        try {
          return this.#settle(turn, name, value, details);
        } catch (error) {
          return failed(turn, error);
        }
      },
      (error: unknown) => failed(turn, error),
    );
  }

  /** A turn without an outcome: `init` and `terminate`. Gives what the callback returned. */
  async runPlain<Args extends readonly unknown[]>(
    name: string,
    callback: Callback<Args>,
    ...args: Args
  ): Promise<unknown> {
    this.#callback = name;
    const turn = this.#open(noDetails);
    let value: unknown;
    try {
      const run = callback as Callback<readonly unknown[]>;
      value = await this.within(name, runInTurn(turn, run, args));
    } catch (error) {
      return failed(turn, error);
    }
    const pending = this.#options.commit(turn);
    turn.status = "committed";
    await pending;
    return value;
  }

  /** A turn that may only read. Gives what the callback returned. */
  async read<Args extends readonly unknown[]>(
    name: string,
    callback: Callback<Args>,
    ...args: Args
  ): Promise<unknown> {
    this.#callback = name;
    const turn = this.#open(noDetails);
    try {
      const run = callback as Callback<readonly unknown[]>;
      const value = await this.within(name, runInTurn(turn, run, args));
      const did = turn.effects[0];
      if (did !== undefined)
        throw new BadReturnError(
          `Expected ${name} only to read the state, got a turn that did something else: ${did.type}. Do it in the callback that changes the state.`,
        );
      turn.status = "committed";
      return value;
    } catch (error) {
      return failed(turn, error);
    }
  }

  /** A turn without a callback. */
  effects(effects: readonly Effect[], details: TurnDetails = noDetails): void | Promise<void> {
    const turn = this.#open(details);
    for (const effect of effects) turn.effects.push(effect);
    return this.#commit(turn, details);
  }

  /** Rejects when the value does not settle in time. */
  within<Value>(name: string, returned: Value | PromiseLike<Value>): Promise<Value> {
    if (!isPromiseLike<Value>(returned)) return Promise.resolve(returned);
    const { actor, clock } = this.#options;
    const ms = actor.limits.callbackTimeoutMs;
    return settleWithin(
      returned,
      ms,
      clock,
      () =>
        new CallbackTimeoutError(
          `Expected ${name} of ${actor.address} to settle within ${ms} ms (\`limits.callbackTimeoutMs\`), got nothing.`,
        ),
    );
  }

  #settle(turn: Turn, name: string, returned: unknown, details: TurnDetails): void | Promise<void> {
    const isCall = name === "handleCall";
    if (!isOutcome(returned)) {
      if (isCall) throw badReturn(name, returned);
      if (returned !== undefined) this.state = returned;
      return this.#finish(turn, undefined, details);
    }
    if (returned.kind === (isCall ? "noreply" : "reply")) throw badReturn(name, returned);
    checkTimeout(name, returned.timeoutMs);
    details.answered?.(returned, turn);
    if (returned.hasState) this.state = returned.state;
    return this.#finish(turn, returned, details);
  }

  #open(details: TurnDetails): Turn {
    const { actor } = this.#options;
    this.#turn = new Turn(actor, actor.scope, details.deadline);
    return this.#turn;
  }

  /** A turn without a callback: there is nothing to do after its commit. */
  #commit(turn: Turn, details: TurnDetails): void | Promise<void> {
    const pending = this.#options.commit(turn);
    turn.status = "committed";
    if (pending !== undefined) return pending.then(() => details.committed?.(undefined));
    details.committed?.(undefined);
    return undefined;
  }

  /** The callback did well: its effects leave, and what it asked for comes next. */
  #finish(
    turn: Turn,
    outcome: OutcomeValue | undefined,
    details: TurnDetails,
  ): void | Promise<void> {
    turn.disposes = details.disposes;
    const pending = this.#options.commit(turn);
    turn.status = "committed";
    if (pending !== undefined) return pending.then(() => this.#finished(outcome, details));
    return this.#finished(outcome, details);
  }

  #finished(outcome: OutcomeValue | undefined, details: TurnDetails): void | Promise<void> {
    details.committed?.(outcome);
    return this.#options.committed(outcome);
  }
}

function failed(turn: Turn, error: unknown): never {
  for (const effect of turn.fail()) drop(effect);
  throw error;
}

function checkTimeout(callback: string, ms: number | undefined): void {
  if (ms === undefined || isTimerMs(ms)) return;
  throw new BadReturnError(
    `Expected ${callback} to return a \`timeoutMs\` of 0 to ${maxTimerMs} ms, got ${describe(ms)}.`,
  );
}

function badReturn(callback: string, returned: unknown): BadReturnError {
  const allowed =
    callback === "handleCall"
      ? "`reply(value)`, `reply(value, state)` or `stop(reason)`"
      : "the next state, nothing, `noreply(state)` or `stop(reason, state)`";
  const got = isOutcome(returned) ? `\`${returned.kind}(...)\`` : describe(returned);
  return new BadReturnError(`Expected ${callback} to return ${allowed}, got ${got}.`);
}
