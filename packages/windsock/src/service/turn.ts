import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import type { Out } from "../protocol/port.ts";
import type { Effect } from "./effect.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceScope } from "./service-scope.ts";

/** An answer of another actor that a turn awaits. */
export interface WaitsFor {
  readonly address: string;
  /** The turn that awaits it has failed. */
  turnFailed(): void;
}

const nothing: readonly never[] = [];

/**
 * One callback, from its call until it returned or its promise settled.
 *
 * ```
 *            returned, settled
 *   open ─────────────────────► committed    effects are out, the state is the next one
 *     │
 *     └────────────────────────► failed      effects are dropped, and so is whatever its leftovers do
 *        threw, rejected, timed out
 * ```
 */
export class Turn {
  status: "open" | "committed" | "failed" = "open";
  effects: Effect[] = [];
  /** What leaves ahead of the effects: the join that the turn is about. */
  before: readonly Out[] = nothing;
  /** The client whose join this turn is. */
  joins: ServiceClient | undefined;
  /** The numbered message that it is about. */
  handles: { readonly client: ServiceClient; readonly n: number } | undefined;
  /** The message that this turn disposes of, once it has committed. */
  disposes: { readonly client: ServiceClient; readonly n: number } | undefined;
  readonly actor: ServiceActor;
  /** The incarnation that it belongs to. */
  readonly scope: ServiceScope;
  /** When the caller stops waiting, on the clock; undefined without one. */
  readonly deadline: number | undefined;
  #waitsFor: Set<WaitsFor> | undefined;

  constructor(actor: ServiceActor, scope: ServiceScope, deadline: number | undefined) {
    this.actor = actor;
    this.scope = scope;
    this.deadline = deadline;
  }

  /** Hands over what has been collected so far. */
  take(): { readonly before: readonly Out[]; readonly effects: readonly Effect[] } {
    const { before, effects } = this;
    this.before = nothing;
    this.effects = [];
    return { before, effects };
  }

  /** Gives the effects that are dropped with it. */
  fail(): readonly Effect[] {
    if (this.status !== "open") return [];
    this.status = "failed";
    const { effects } = this;
    this.effects = [];
    for (const awaited of [...(this.#waitsFor ?? [])]) awaited.turnFailed();
    return effects;
  }

  /** The addresses of the actors whose answers it awaits: none once it is over. */
  get awaited(): readonly string[] {
    if (this.status !== "open" || this.#waitsFor === undefined) return [];
    return Array.from(this.#waitsFor, ({ address }) => address);
  }

  waits(awaited: WaitsFor): void {
    this.#waitsFor ??= new Set();
    this.#waitsFor.add(awaited);
  }

  waitsNoMore(awaited: WaitsFor): void {
    this.#waitsFor?.delete(awaited);
  }
}

/** The turn that the running code belongs to, also behind an `await`, and also long after it ended. */
export const turnStorage: AsyncLocalStorage<Turn> = new AsyncLocalStorage<Turn>();

const outside = new AsyncResource("windsock.turn");

/**
 * Calls a callback as a part of this turn, and in no context of whoever posted to its actor.
 * `turnStorage.run` would copy two contexts, the second to put back the first: 145 ns
 * a turn on Node 26, and this is 35.
 */
export function runInTurn(turn: Turn, callback: AnyCallback, args: readonly unknown[]): unknown {
  return outside.runInAsyncScope(enter, undefined, turn, callback, args);
}

type AnyCallback = (...args: readonly unknown[]) => unknown;

function enter(turn: Turn, callback: AnyCallback, args: readonly unknown[]): unknown {
  // `runInAsyncScope` puts back what was there before.
  turnStorage.enterWith(turn);
  return callback(...args);
}
