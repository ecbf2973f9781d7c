// What a callback may return beside the next state itself.

declare const outcome: unique symbol;
declare const state: unique symbol;
declare const value: unique symbol;
declare const kept: unique symbol;
declare const unreachable: unique symbol;

/** "The state stays." */
export interface Kept {
  readonly [kept]: true;
}

export interface Noreply<out State> {
  readonly [outcome]: "noreply";
  readonly [state]: State;
}

export interface Stop<out State> {
  readonly [outcome]: "stop";
  readonly [state]: State;
}

export interface Reply<out Value, out State> {
  readonly [outcome]: "reply";
  readonly [value]: Value;
  readonly [state]: State;
}

/** Why a service stops itself. An `Error` counts as a crash: it is reported and the service restarts. */
export type StopReason = "normal" | "shutdown" | Error | (string & {});

/** A type whose literals are worth keeping. */
export type Primitive = string | number | boolean | bigint | null | undefined;

/** Any value. Named so that a literal keeps its literal type where it is inferred: `reply("ok")`. */
export type AnyValue = Primitive | {};

/** Matches no value. It only makes literals in a returned state keep their literal types while the state's type is inferred. */
export interface Hint<L> {
  readonly [unreachable]: never;
  // The empty tuple makes a tuple of an array literal.
  readonly [key: string]: L | Hint<L> | readonly [] | readonly (L | Hint<L>)[];
}

export type Awaitable<T> = T | Promise<T>;

/**
 * What `handleJoin`, `handleClose`, `handleIncoming`, `handleBroadcast` and `handleInfo` may return.
 * `M` is never inferred: it keeps the literal of a state that is one itself.
 */
export type Outcome<State, L = never, M = never> = Awaitable<
  void | State | Noreply<State | Kept> | Stop<State | Kept> | Hint<L> | NoInfer<M>
>;

/** What a handler of a call may return. */
export type CallOutcome<Value, State> = Awaitable<Reply<Value, State | Kept> | Stop<State | Kept>>;

/** The same in every copy of the package: a service may come from another one than the server. */
const brand = Symbol.for("windsock.outcome");

/** Whether a value came from `noreply`, `stop` or `reply`, of this or another copy of the package. */
export function isOutcome(value: unknown): value is OutcomeValue {
  return typeof value === "object" && value !== null && brand in value;
}

/** The run-time form of `noreply`, `stop` and `reply`. */
export class OutcomeValue {
  readonly kind: "noreply" | "stop" | "reply";
  readonly hasState: boolean;
  readonly state: unknown;
  readonly timeoutMs: number | undefined;
  readonly reason: StopReason | undefined;
  readonly value: unknown;
  constructor(fields: {
    kind: "noreply" | "stop" | "reply";
    hasState: boolean;
    state?: unknown;
    timeoutMs?: number | undefined;
    reason?: StopReason;
    value?: unknown;
  }) {
    this.kind = fields.kind;
    this.hasState = fields.hasState;
    this.state = fields.state;
    this.timeoutMs = fields.timeoutMs;
    this.reason = fields.reason;
    this.value = fields.value;
  }
}
// On the prototype: a copy of an outcome is data.
Object.defineProperty(OutcomeValue.prototype, brand, { value: true });

export interface OutcomeOptions {
  /** If no message arrives within this time, `handleInfo` gets `{ type: "timeout" }`. In ms. */
  readonly timeoutMs?: number;
}

/** Goes on with this state, or with the one there is. */
export function noreply(): Noreply<Kept>;
export function noreply<State extends AnyValue, L extends Primitive = never>(
  state: State | Hint<L>,
  options?: OutcomeOptions,
): Noreply<State>;
export function noreply(...args: [state?: unknown, options?: OutcomeOptions]): Noreply<unknown> {
  const [next, options] = args;
  return new OutcomeValue({
    kind: "noreply",
    hasState: args.length > 0,
    state: next,
    timeoutMs: options?.timeoutMs,
  }) as unknown as Noreply<unknown>;
}

/** Ends the service (or the actor of this key): `terminate` runs, its clients are closed. The next join starts it anew. */
export function stop(reason: StopReason): Stop<Kept>;
export function stop<State extends AnyValue, L extends Primitive = never>(
  reason: StopReason,
  state: State | Hint<L>,
): Stop<State>;
export function stop(...args: [reason: StopReason, state?: unknown]): Stop<unknown> {
  return new OutcomeValue({
    kind: "stop",
    hasState: args.length > 1,
    state: args[1],
    reason: args[0],
  }) as unknown as Stop<unknown>;
}

/** Answers a call, and goes on with this state, or with the one there is. `reply()` answers a call without a response. */
export function reply(): Reply<undefined, Kept>;
export function reply<Value extends AnyValue, L extends Primitive = never>(
  value: Value | Hint<L>,
): Reply<Value, Kept>;
export function reply<
  Value extends AnyValue,
  State extends AnyValue,
  L extends Primitive = never,
  M extends Primitive = never,
>(value: Value | Hint<L>, state: State | Hint<M>, options?: OutcomeOptions): Reply<Value, State>;
export function reply(
  ...args: [value?: unknown, state?: unknown, options?: OutcomeOptions]
): Reply<unknown, unknown> {
  const [answer, next, options] = args;
  return new OutcomeValue({
    kind: "reply",
    hasState: args.length > 1,
    state: next,
    timeoutMs: options?.timeoutMs,
    value: answer,
  }) as unknown as Reply<unknown, unknown>;
}
