import type { Mail } from "./mail.ts";
import type { ServiceActor } from "./service-actor.ts";
import { ServiceClient } from "./service-client.ts";

/**
 * Gives what an actor's mailbox still held to its next incarnation, in order, and returns
 * what goes nowhere.
 *
 * A client that waits for its join starts that incarnation, and what stood behind it goes
 * there as well: it may be for that client. So does a call, if the actor ended only
 * because it was idle: who calls cannot know of that. Clients that had joined are gone,
 * and with them what they sent.
 */
export function handOver(
  items: readonly Mail[],
  start: () => ServiceActor | undefined,
  wasIdle: boolean,
): Mail[] {
  const lost: Mail[] = [];
  const moved = new Map<ServiceClient, ServiceClient>();
  let next: ServiceActor | undefined;
  for (const item of items) {
    switch (item.type) {
      case "join":
        if (item.client.membership !== "joining") break;
        next ??= start();
        if (next === undefined) break;
        moved.set(item.client, anew(item.client, next));
        next.intake.rejoin(moved.get(item.client) ?? item.client);
        break;
      case "incoming":
      case "clientCall":
      case "fault": {
        const client = moved.get(item.client);
        if (client !== undefined) next?.takeOver({ ...item, client });
        break;
      }
      case "call":
        if (wasIdle && !item.answer.isOver) next ??= start();
        if (next === undefined) lost.push(item);
        else next.takeOver(item);
        break;
      case "broadcast":
      case "publish":
      case "info":
        if (next === undefined) lost.push(item);
        else next.takeOver(item);
        break;
      case "leave":
      case "drop":
      case "resume":
      case "snapshot":
      case "timer":
      case "timeout":
      case "effects":
      case "end":
        break;
    }
  }
  return lost;
}

function anew(before: ServiceClient, next: ServiceActor): ServiceClient {
  const { data, delivery, joinReason, user } = before;
  const client = new ServiceClient(next, data, delivery?.anew());
  // A new token may have come for it since it asked to join.
  client.user = user;
  client.joinReason = joinReason;
  return client;
}
