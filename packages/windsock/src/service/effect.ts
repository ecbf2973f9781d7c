import type { Payload, Private } from "../protocol/port.ts";
import type { Mail } from "./mail.ts";
import { deliver, type Post } from "./post.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceTimer } from "./service-timers.ts";
import { turnStorage } from "./turn.ts";

/** What a callback does, collected until its turn commits. */
export type Effect =
  | {
      readonly type: "publish";
      readonly topic: string;
      readonly payload: Payload;
      readonly key?: string | undefined;
    }
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
  /** A reply or a refusal, for a `v1` client alone. */
  | { readonly type: "private"; readonly client: ServiceClient; readonly item: Private }
  /** Something for a mailbox: of this actor, or of another. */
  | { readonly type: "post"; readonly post: Post };

/** Takes an effect into the running turn, or, from outside any, into the actor's mailbox as a commit of its own. */
export function perform(actor: ServiceActor, effect: Effect): void {
  const turn = turnStorage.getStore();
  // Whoever sends to a service that has stopped is as late as one who sends to a client that has left.
  if (turn?.status === "failed" || actor.actor.state === "stopped") return drop(effect);
  if (turn?.status === "open") {
    turn.effects.push(
      turn.actor === actor ? effect : { type: "post", post: effectPost(actor, effect) },
    );
    return undefined;
  }
  if (turn !== undefined && turn.actor === actor && turn.scope.isEnded) return drop(effect);
  try {
    deliver(effectPost(actor, effect));
  } catch (error) {
    drop(effect);
    throw error;
  }
  return undefined;
}

/**
 * The same for a message to one client. In a row that sends one payload to many, the first
 * effect takes the other clients in: a loop over 1,000 clients makes one effect, not 1,000.
 */
export function performSend(actor: ServiceActor, client: ServiceClient, payload: Payload): void {
  const turn = turnStorage.getStore();
  if (turn?.status === "open" && turn.actor === actor && actor.actor.state !== "stopped") {
    const last = turn.effects.at(-1);
    if (last?.type === "send" && last.payload === payload) {
      last.clients.push(client);
      return;
    }
  }
  perform(actor, { type: "send", clients: [client], payload });
}

/** Takes back what an effect that will not leave has claimed already. */
export function drop(effect: Effect): void {
  if (effect.type === "timer") effect.timer.cancel();
  else if (effect.type === "post") effect.post.drop?.();
  else if (effect.type === "subscribe" || effect.type === "unsubscribe")
    effect.client.subscriptions.revert();
}

function effectPost(actor: ServiceActor, effect: Effect): Post {
  const bytes = "payload" in effect ? effect.payload.bytes.length : 0;
  const mail: Mail = { type: "effects", bytes, effects: [effect] };
  return { ...actor.postOf("an effect", mail), drop: () => drop(effect) };
}
