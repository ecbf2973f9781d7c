import type { Clock } from "../actor/clock.ts";
import { OverloadedError, ServiceDownError } from "../errors.ts";
import type { LogStore } from "../log/log-store.ts";
import type { ActorToEdge, EdgeToActor, Outlet } from "../protocol/port.ts";
import { crowdRetryMs, type ActorTable } from "./actor-table.ts";
import type { Addresses } from "./addresses.ts";
import { broadcastMail } from "./broadcast-mail.ts";
import type { ErasedDefinition } from "./definition.ts";
import { Delivery } from "./delivery.ts";
import { decodePublished } from "./encode.ts";
import type { Mail } from "./mail.ts";
import type { PrivateBudget } from "./private-budget.ts";
import type { PublishedKeys } from "./published.ts";
import type { Report } from "./report.ts";
import { joinsFail, type ServiceActor } from "./service-actor.ts";
import { ServiceClient } from "./service-client.ts";
import { messageOf } from "./value.ts";

export interface EdgeMessagesOptions {
  readonly services: ReadonlyMap<string, ErasedDefinition>;
  readonly addresses: Addresses;
  readonly actors: ActorTable;
  readonly logs: LogStore;
  readonly published: PublishedKeys;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
  /** The longest message that edges hand on. */
  readonly maxMessageBytes: number;
  readonly privateBudget: PrivateBudget;
}

type RefusalCode = Extract<ActorToEdge, { type: "refused" }>["code"];
type Message<Type extends EdgeToActor["type"]> = Extract<EdgeToActor, { type: Type }>;

/** When somebody who was refused for no other reason may try again. */
const defaultRetryMs = 1000;

/** Takes what one edge sends: to the actor that it is for, or back with the reason why not. */
export class EdgeMessages implements Outlet<EdgeToActor> {
  readonly #edge: string;
  readonly #outlet: Outlet<ActorToEdge>;
  readonly #options: EdgeMessagesOptions;
  readonly #actors: ActorTable;

  /** `outlet`: the way back. */
  constructor(edge: string, outlet: Outlet<ActorToEdge>, options: EdgeMessagesOptions) {
    this.#edge = edge;
    this.#outlet = outlet;
    this.#options = options;
    this.#actors = options.actors;
  }

  post(message: EdgeToActor): void {
    switch (message.type) {
      case "join":
        this.#join(message);
        return;
      case "leave":
        this.#actors.get(message.address)?.intake.leave(message.mid, message.reason);
        return;
      case "down":
        this.#actors.get(message.address)?.intake.disconnected(message.mid);
        return;
      case "in":
        this.#actors.get(message.address)?.intake.incoming(message);
        return;
      case "call":
        this.#actors.get(message.address)?.intake.call(message);
        return;
      case "cancel":
        this.#actors.get(message.address)?.members.at(message.mid)?.cancel(message.n);
        return;
      case "acked": {
        const actor = this.#actors.get(message.address);
        const client = actor?.members.at(message.mid);
        if (client !== undefined) actor?.channels.acked(client, message.count);
        return;
      }
      case "behind": {
        const actor = this.#actors.get(message.address);
        const client = actor?.members.at(message.mid);
        if (client !== undefined) actor?.channels.behind(client);
        return;
      }
      case "reauth":
        this.#actors.get(message.address)?.intake.reauthorized(message.mid, message.user);
        return;
      case "publish":
        this.#publish(message);
        return;
      case "pull":
        this.#pull(message);
        return;
      case "read":
        void this.#read(message);
        return;
    }
  }

  // ---------- joins ----------

  #join(message: Message<"join">): void {
    const { address, mid } = message;
    const { addresses, maxMessageBytes, privateBudget } = this.#options;
    if (this.#actors.isDraining)
      return this.#refuse(mid, "draining", "the server is stopping", defaultRetryMs);
    const found = addresses.parse(address);
    if (found === undefined) return this.#refuseUnknown(message);
    const place = { ...found, address };
    const crowd = this.#actors.crowd(place);
    if (crowd !== undefined) return this.#refuse(mid, "overloaded", crowd, crowdRetryMs);
    let actor: ServiceActor | undefined;
    try {
      actor = this.#actors.open(place);
    } catch (error) {
      if (!(error instanceof ServiceDownError)) throw error;
      const reason = `the history of ${address} could not be read`;
      return this.#refuse(mid, "down", reason, error.retryAfterMs);
    }
    if (actor === undefined) return this.#refuseUnknown(message);
    if (actor.actor.state === "down")
      return this.#refuse(
        mid,
        "down",
        `${address} is down: it restarted too often`,
        Math.max(actor.actor.retryAfterMs, defaultRetryMs),
      );
    const { resume, session } = message;
    if (resume !== undefined) {
      const line = { edge: this.#edge, mid, ...(session === undefined ? {} : { session }) };
      const answer = actor.intake.resume(line, resume, message);
      if (answer === "resumed") return this.#outlet.post({ type: "admitted", mid });
      if (answer === "late")
        return this.#refuse(mid, "overloaded", "it came back on another socket", defaultRetryMs);
    }
    const delivery =
      message.dialect === "v1"
        ? new Delivery({ ...actor.limits, maxMessageBytes }, privateBudget)
        : undefined;
    const { sessionId, protocol, request, user } = message;
    const data = {
      mid,
      edge: this.#edge,
      sessionId,
      protocol,
      request,
      user,
      params: found.params,
    };
    const client = new ServiceClient(actor, data, delivery);
    const { retryAfterMs } = actor.door;
    if (retryAfterMs > 0)
      return this.#refuse(mid, "overloaded", `${address}: ${joinsFail}`, retryAfterMs);
    if (resume !== undefined) client.joinReason = "rejoin";
    if (!actor.intake.join(client))
      return this.#refuse(mid, "overloaded", `the mailbox of ${address} is full`, defaultRetryMs);
    this.#outlet.post({ type: "admitted", mid });
  }

  #refuseUnknown({ address, mid }: Message<"join">): void {
    this.#refuse(mid, "not_found", `no service has the address ${address}`, 0);
  }

  #refuse(mid: string, code: RefusalCode, reason: string, retryAfterMs: number): void {
    const status = code === "not_found" ? 404 : 503;
    this.#outlet.post({ type: "refused", mid, status, code, reason, retryAfterMs });
  }

  // ---------- broadcasts ----------

  #publish(message: Message<"publish">): void {
    const { id, address, idempotencyKey } = message;
    const { addresses, published, report, services } = this.#options;
    const key = idempotencyKey === undefined ? undefined : `${address} ${idempotencyKey}`;
    const before = key === undefined ? undefined : published.get(key);
    if (before !== undefined) return this.#answer(id, before);
    const found = addresses.parse(address);
    if (found === undefined)
      return this.#unavailable(id, `no service has the address ${address}`, 0);
    // It may have ended just now: nobody joined it is another matter.
    const isRefusing = this.#actors.isDraining;
    let actor = this.#actors.get(address);
    const { isDurable, params } = services.get(found.name) ?? { isDurable: false, params: [] };
    if (actor === undefined && !isRefusing && isDurable && params.length === 0) {
      // Given up, since it could not be stored. It is there again with the first who needs it.
      try {
        actor = this.#actors.open({ ...found, address });
      } catch (error) {
        if (!(error instanceof ServiceDownError)) throw error;
        return this.#unavailable(id, error.message, error.retryAfterMs);
      }
    }
    if (actor === undefined)
      return isRefusing
        ? this.#unavailable(id, `${address} takes no messages now`, defaultRetryMs)
        : this.#outlet.post({ type: "published", id, seq: 0, delivered: false });
    if (isRefusing || actor.actor.state === "down")
      return this.#unavailable(
        id,
        `${address} takes no messages now`,
        Math.max(defaultRetryMs, actor.actor.retryAfterMs),
      );
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let mail: Mail;
    try {
      const value = decodePublished(message.value);
      mail = broadcastMail(services.get(actor.name), value, { resolve, reject });
    } catch (error) {
      // Its `history.latest` is code of the app.
      report({ type: "failure", where: `a broadcast to ${address}`, error });
      return this.#unavailable(id, messageOf(error), 0);
    }
    if (!actor.actor.offer(mail))
      return this.#outlet.post({ type: "busy", id, retryAfterMs: defaultRetryMs });
    if (key !== undefined) published.remember(key, promise);
    return this.#answer(id, promise);
  }

  /** Answers when the broadcast has committed, or failed. */
  #answer(id: number, published: Promise<number>): void {
    void published.then(
      (seq) => this.#outlet.post({ type: "published", id, seq, delivered: true }),
      (error: unknown) => this.#unavailable(id, messageOf(error), retryAfterOf(error)),
    );
  }

  #unavailable(id: number, reason: string, retryAfterMs: number): void {
    this.#outlet.post({ type: "unavailable", id, reason, retryAfterMs });
  }

  // ---------- logs ----------

  #pull({ id, address, topics, from, until, maxBytes }: Message<"pull">): void {
    const { clock, logs } = this.#options;
    const range = logs.find(address)?.read(topics, from, until, maxBytes, clock.now());
    this.#outlet.post({
      type: "pulled",
      id,
      entries: (range?.entries ?? []).map((entry) =>
        entry.type === "message"
          ? { seq: entry.seq, topic: entry.topic, payload: entry.payload }
          : { seq: entry.seq, topic: "" },
      ),
      next: range?.next ?? until,
      gone: range?.gone ?? true,
    });
  }

  async #read({ id, address, topic, from, maxBytes }: Message<"read">): Promise<void> {
    const chunk = await this.#actors.get(address)?.sources.read(topic, from, maxBytes);
    this.#outlet.post({
      type: "read",
      id,
      ...(chunk ?? { payloads: [], next: from ?? 0, failed: true }),
    });
  }
}

function retryAfterOf(error: unknown): number {
  return error instanceof OverloadedError || error instanceof ServiceDownError
    ? error.retryAfterMs
    : defaultRetryMs;
}
