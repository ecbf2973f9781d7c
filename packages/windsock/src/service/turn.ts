import { AsyncLocalStorage } from "node:async_hooks";
import type { Out, Payload } from "../protocol/port.ts";
import type { Post } from "./post.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceScope } from "./service-scope.ts";
import type { ServiceTimer } from "./service-timers.ts";

/** What a callback does, collected until its turn commits. */
export type Effect =
  | { readonly type: "publish"; readonly topic: string; readonly payload: Payload }
  | { readonly type: "send"; readonly clients: ServiceClient[]; readonly payload: Payload }
  | {
      readonly type: "subscribe";
      readonly client: ServiceClient;
      readonly topic: string;
      readonly from: number | undefined;
    }
  | { readonly type: "unsubscribe"; readonly client: ServiceClient; readonly topic: string }
  | { readonly type: "advance"; readonly topic: string }
  | {
      readonly type: "close";
      readonly client: ServiceClient;
      readonly code: number;
      readonly reason: string;
    }
  | { readonly type: "timer"; readonly timer: ServiceTimer }
  /** Something for a mailbox: of this actor, or of another. */
  | { readonly type: "post"; readonly post: Post };

/** Takes back what an effect that will not leave has claimed already. */
export function drop(effect: Effect): void {
  if (effect.type === "timer") effect.timer.cancel();
  else if (effect.type === "post") effect.post.drop?.();
  else if (effect.type === "subscribe" || effect.type === "unsubscribe")
    effect.client.subscriptions.revert();
}

/** An answer of another actor that a turn awaits. */
export interface WaitsFor {
  readonly address: string;
  /** The turn that awaits it has failed. */
  turnFailed(): void;
}

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
  before: readonly Out[] = [];
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
  take(): { before: readonly Out[]; effects: Effect[] } {
    const { before, effects } = this;
    this.before = [];
    this.effects = [];
    return { before, effects };
  }

  fail(): void {
    if (this.status !== "open") return;
    this.status = "failed";
    for (const effect of this.effects) drop(effect);
    this.effects = [];
    for (const awaited of [...(this.#waitsFor ?? [])]) awaited.turnFailed();
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
