import type { Clock, Timer } from "../actor/clock.ts";
import {
  CallFailedError,
  type HistoryError,
  OverloadedError,
  ServiceDownError,
  UnknownServiceError,
} from "../errors.ts";
import type { HistoryStore, StoredActor } from "../log/history-store.ts";
import { LogStore } from "../log/log-store.ts";
import { Log, type LogEntry, type RestoredLog } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import { defaultLimits, type ServiceLimits } from "../protocol/limits.ts";
import type { ActorToEdge, EdgeToActor, Outlet } from "../protocol/port.ts";
import { Addresses, type AddressBook, type AnyTarget, type Place } from "./addresses.ts";
import { Calls, type CallOptions } from "./calls.ts";
import { definitionOf, latestKeyOf, type ErasedDefinition } from "./define-service.ts";
import { Delivery, type DeliveryLimits } from "./delivery.ts";
import { decodePublished, detach, payloadOf } from "./encode.ts";
import { handOver } from "./hand-over.ts";
import { HistoryGate } from "./history-gate.ts";
import { refuse, type Answer, type Mail } from "./mail.ts";
import { deliver, type Post } from "./post.ts";
import { PublishedKeys } from "./published.ts";
import { Recorder } from "./recorder.ts";
import type { Report } from "./report.ts";
import { Reporter } from "./reporter.ts";
import { check, type Checked } from "./schema.ts";
import { ServiceActor, type RestoredActor } from "./service-actor.ts";
import { ServiceClient } from "./service-client.ts";
import { turnStorage } from "./turn.ts";
import type { AnyService } from "./types.ts";
import { sizeOf } from "./value.ts";

export type { AddressBook, AnyTarget } from "./addresses.ts";
export type { CallOptions } from "./calls.ts";
export { currentHost, runningHosts } from "./running-hosts.ts";

export interface HostedService {
  readonly name: string;
  readonly service: AnyService;
}

export interface ServiceHostOptions {
  readonly services: readonly HostedService[];
  readonly addresses: AddressBook;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
  /** The longest message that edges hand on. @default 65536 */
  readonly maxMessageBytes?: number;
  /** Where durable services keep what outlives the process. Needed if there is one. */
  readonly history?: HistoryStore;
}

/** One actor of one process, as `server.services()` shows it. */
export interface ServiceInfo {
  readonly name: string;
  readonly address: string;
  readonly state: string;
  readonly generation: number;
  readonly clients: number;
  readonly mailboxMessages: number;
  readonly mailboxBytes: number;
  readonly seq: number;
}

type RefusalCode = Extract<ActorToEdge, { type: "refused" }>["code"];
type JoinMessage = Extract<EdgeToActor, { type: "join" }>;
type PublishMessage = Extract<EdgeToActor, { type: "publish" }>;
type PullMessage = Extract<EdgeToActor, { type: "pull" }>;
type ReadMessage = Extract<EdgeToActor, { type: "read" }>;

const sweepIntervalMs = 5000;
const crowdRetryMs = 5000;

/** The actor's side of a process: it starts actors, and takes what edges and code send them. */
export class ServiceHost {
  readonly #services: ReadonlyMap<string, ErasedDefinition>;
  readonly #actors = new Map<string, ServiceActor>();
  readonly #own = new WeakSet<ServiceActor>();
  readonly #keyCounts = new Map<string, number>();
  readonly #edges = new Map<string, Outlet<ActorToEdge>>();
  readonly #logs: LogStore = new LogStore();
  readonly #published: PublishedKeys = new PublishedKeys();
  readonly #gate: HistoryGate | undefined;
  readonly #maxMessageBytes: number;
  readonly #addresses: Addresses;
  readonly #calls: Calls;
  readonly #clock: Clock;
  readonly #report: (report: Report) => void;
  #sweep: Timer | undefined;
  #draining = false;

  constructor(options: ServiceHostOptions) {
    this.#clock = options.clock;
    this.#report = options.report;
    this.#maxMessageBytes = options.maxMessageBytes ?? defaultLimits.maxPayloadBytes;
    this.#gate = options.history === undefined ? undefined : new HistoryGate(options.history);
    this.#services = new Map(
      options.services.map(({ name, service }) => [name, definitionOf(service)]),
    );
    this.#addresses = new Addresses(options.addresses, this.#services);
    this.#calls = new Calls({
      clock: options.clock,
      running: (address) => this.#actors.get(address),
      started: (place) => this.#started(place),
    });
  }

  /** Starts the services without a key; a key starts at its first join. */
  start(): void {
    for (const [name, definition] of this.#services)
      if (definition.params.length === 0) this.#actor({ name, params: {}, address: name });
    // Their grace runs, whether or not anybody comes.
    for (const address of this.#gate?.store.addressesWithMembers() ?? []) {
      const place = this.#addresses.parse(address);
      if (place !== undefined && this.#services.get(place.name)?.isDurable === true)
        this.#actor({ ...place, address });
    }
    this.#scheduleSweep();
  }

  /** Lets mailboxes run empty, then ends every actor with `terminate`. Nothing new is taken meanwhile. */
  async drain(): Promise<void> {
    this.#draining = true;
    const actors = [...this.#actors.values()];
    await Promise.all(actors.map((actor) => actor.actor.idle()));
    for (const actor of actors) actor.end({ type: "shutdown" });
    await Promise.all(actors.map((actor) => actor.actor.idle()));
    this.#gate?.flush();
  }

  /** Ends at once, without `terminate`. */
  close(): void {
    this.#draining = true;
    this.#sweep?.cancel();
    for (const actor of [...this.#actors.values()]) actor.actor.stop();
    this.#gate?.flush();
    this.#gate?.store.close();
  }

  definition(name: string): ErasedDefinition | undefined {
    return this.#services.get(name);
  }

  /** Whether this actor is one of this host's, or was. */
  runs(actor: ServiceActor): boolean {
    return this.#own.has(actor);
  }

  services(): ServiceInfo[] {
    return [...this.#actors.values()].map((one) => ({
      name: one.name,
      address: one.address,
      state: one.actor.state,
      generation: one.actor.generation,
      clients: one.members.size,
      mailboxMessages: one.actor.mailbox.size,
      mailboxBytes: one.actor.mailbox.bytes,
      seq: one.log.seq,
    }));
  }

  clients(target: AnyTarget): ServiceClient[] {
    return [...(this.#actors.get(this.#addresses.find(target).address)?.members.joined() ?? [])];
  }

  // ---------- from edges ----------

  /** Registers an edge; the outlet returned takes what it sends. */
  connect(edge: string, outlet: Outlet<ActorToEdge>): Outlet<EdgeToActor> {
    this.#edges.set(edge, outlet);
    return { post: (message) => this.#fromEdge(edge, outlet, message) };
  }

  #fromEdge(edge: string, outlet: Outlet<ActorToEdge>, message: EdgeToActor): void {
    switch (message.type) {
      case "join":
        this.#join(edge, outlet, message);
        return;
      case "leave":
        this.#actors.get(message.address)?.leave(message.mid, message.reason);
        return;
      case "down":
        this.#actors.get(message.address)?.disconnected(message.mid);
        return;
      case "in":
        this.#actors.get(message.address)?.incoming(message);
        return;
      case "call":
        this.#actors.get(message.address)?.callFrom(message);
        return;
      case "cancel":
        this.#member(message)?.cancel(message.n);
        return;
      case "acked": {
        const client = this.#member(message);
        if (client !== undefined)
          this.#actors.get(message.address)?.channels.acked(client, message.count);
        return;
      }
      case "behind": {
        const client = this.#member(message);
        if (client !== undefined) this.#actors.get(message.address)?.channels.behind(client);
        return;
      }
      case "reauth":
        this.#actors.get(message.address)?.reauthorized(message.mid, message.user);
        return;
      case "publish":
        this.#publish(outlet, message);
        return;
      case "pull":
        this.#pull(outlet, message);
        return;
      case "read":
        void this.#read(outlet, message);
        return;
    }
  }

  #member({ address, mid }: { address: string; mid: string }): ServiceClient | undefined {
    return this.#actors.get(address)?.members.at(mid);
  }

  #join(edge: string, outlet: Outlet<ActorToEdge>, message: JoinMessage): void {
    const { address, mid } = message;
    const refused = (code: RefusalCode, reason: string, retryAfterMs: number) =>
      outlet.post({
        type: "refused",
        mid,
        status: code === "not_found" ? 404 : 503,
        code,
        reason,
        retryAfterMs,
      });
    if (this.#draining) return refused("draining", "the server is stopping", 1000);
    const found = this.#addresses.parse(address);
    if (found === undefined)
      return refused("not_found", `no service has the address ${address}`, 0);
    const place = { ...found, address };
    const crowd = this.#crowd(place);
    if (crowd !== undefined) return refused("overloaded", crowd, crowdRetryMs);
    const actor = this.#actor(place);
    if (actor === undefined)
      return refused("not_found", `no service has the address ${address}`, 0);
    if (actor.actor.state === "down")
      return refused(
        "down",
        `${address} is down: it restarted too often`,
        Math.max(actor.actor.retryAfterMs, 1000),
      );
    if (message.resume !== undefined && actor.resume({ edge, mid }, message.resume, message.user))
      return outlet.post({ type: "admitted", mid });
    const delivery =
      message.dialect === "v1" ? new Delivery(this.#deliveryLimits(actor.limits)) : undefined;
    const data = { ...message, edge, params: found.params };
    const client = new ServiceClient(actor, data, delivery);
    if (message.resume !== undefined) client.joinReason = "rejoin";
    if (!actor.join(client))
      return refused("overloaded", `the mailbox of ${address} is full`, 1000);
    outlet.post({ type: "admitted", mid });
  }

  #publish(outlet: Outlet<ActorToEdge>, message: PublishMessage): void {
    const { id, address, idempotencyKey } = message;
    const unavailable = (reason: string, retryAfterMs: number) =>
      outlet.post({ type: "unavailable", id, reason, retryAfterMs });
    const answer = (published: Promise<number>) =>
      void published.then(
        (seq) => outlet.post({ type: "published", id, seq, delivered: true }),
        (error: unknown) =>
          unavailable(error instanceof Error ? error.message : String(error), retryAfterOf(error)),
      );
    const key = idempotencyKey === undefined ? undefined : `${address} ${idempotencyKey}`;
    const before = key === undefined ? undefined : this.#published.get(key);
    if (before !== undefined) return answer(before);
    const actor = this.#actors.get(address);
    if (actor === undefined) {
      if (this.#addresses.parse(address) === undefined)
        return unavailable(`no service has the address ${address}`, 0);
      // It may have ended just now: nobody joined it is another matter.
      if (this.#draining) return unavailable(`${address} takes no messages now`, 1000);
      outlet.post({ type: "published", id, seq: 0, delivered: false });
      return undefined;
    }
    if (this.#draining || actor.actor.state === "down")
      return unavailable(
        `${address} takes no messages now`,
        Math.max(1000, actor.actor.retryAfterMs),
      );
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const value = decodePublished(message.value);
    const mail = this.#broadcastMail(actor.name, value, { resolve, reject });
    if (!actor.actor.offer(mail)) {
      outlet.post({ type: "busy", id, retryAfterMs: 1000 });
      return undefined;
    }
    if (key !== undefined) this.#published.remember(key, promise);
    return answer(promise);
  }

  #pull(outlet: Outlet<ActorToEdge>, message: PullMessage): void {
    const { id, address, topics, from, until, maxBytes } = message;
    const range = this.#logs.find(address)?.read(topics, from, until, maxBytes, this.#clock.now());
    outlet.post({
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

  async #read(outlet: Outlet<ActorToEdge>, message: ReadMessage): Promise<void> {
    const { id, address, topic, from, maxBytes } = message;
    const chunk = await this.#actors.get(address)?.sources.read(topic, from, maxBytes);
    outlet.post({
      type: "read",
      id,
      ...(chunk ?? { payloads: [], next: from ?? 0, failed: true }),
    });
  }

  // ---------- from code ----------

  broadcast(target: AnyTarget, message: unknown): void {
    const place = this.#addresses.find(target);
    this.#post(place, "a broadcast", this.#broadcastMail(place.name, message));
  }

  /** Encoded or copied here, so that what cannot be is an error of its sender. */
  #broadcastMail(name: string, message: unknown, answer?: Answer<number>): Mail {
    const answered = answer === undefined ? {} : { answer };
    const definition = this.#services.get(name);
    if (definition?.handleBroadcast === undefined) {
      const key = definition === undefined ? undefined : latestKeyOf(definition, message);
      const payload = payloadOf(message);
      return { type: "publish", bytes: payload.bytes.length, payload, key, ...answered };
    }
    const detached = detach(message, "a broadcast");
    return { type: "broadcast", bytes: sizeOf(detached), message: detached, ...answered };
  }

  info(target: AnyTarget, info: unknown): void {
    const detached = detach(info, "an info");
    this.#post(this.#addresses.find(target), "an info", {
      type: "info",
      bytes: sizeOf(detached),
      info: detached,
    });
  }

  #post(place: Place, what: string, mail: Mail): void {
    const post = this.#postTo(place, what, mail);
    const turn = turnStorage.getStore();
    if (turn === undefined || turn.status === "committed") {
      deliver(post);
      return;
    }
    if (turn.status === "failed") return;
    turn.effects.push({ type: "post", post });
  }

  /** Finds the actor when the post leaves, not when it is written. */
  #postTo(place: Place, what: string, mail: Mail): Post {
    const { address } = place;
    return {
      address,
      what,
      offer: () => {
        const actor = this.#actors.get(address);
        if (actor !== undefined) return actor.postOf(what, mail).offer();
        // A message that nobody waits for starts no actor.
        const isKeyed = Object.keys(place.params).length > 0;
        const reason = isKeyed ? "nobody has joined it" : "the service has stopped";
        this.#report({ type: "undelivered", address, what, reason });
        return true;
      },
      room: () => this.#actors.get(address)?.actor.room() ?? Promise.resolve(),
    };
  }

  call(
    target: AnyTarget,
    name: string,
    request: unknown,
    options: CallOptions = {},
  ): Promise<unknown> {
    try {
      return this.#calls.call(this.#addresses.find(target), name, request, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  // ---------- actors ----------

  /** For calls, which start the actor that they need, within its bounds. */
  #started(place: Place): ServiceActor | Promise<ServiceActor> {
    const { name, address, params } = place;
    const running = this.#actors.get(address);
    if (running !== undefined) return running;
    const key = this.#services.get(name)?.key;
    if (key === undefined) return this.#startedAs(place, { ok: true, value: params });
    const checked = check(key, params);
    return checked instanceof Promise
      ? checked.then((done) => this.#startedAs(place, done))
      : this.#startedAs(place, checked);
  }

  #startedAs(place: Place, key: Checked): ServiceActor {
    if (!key.ok)
      throw new UnknownServiceError(`Expected a key that fits ${place.name}: ${key.message}.`);
    const crowd = this.#crowd(place);
    if (crowd !== undefined) throw new OverloadedError(`${crowd}.`, crowdRetryMs);
    const actor = this.#draining ? this.#actors.get(place.address) : this.#actor(place);
    if (actor === undefined) throw new ServiceDownError("The server is stopping.", 1000);
    return actor;
  }

  /** Why no actor may start here: there are too many keys. */
  #crowd({ name, address }: Place): string | undefined {
    const max = this.#services.get(name)?.limits.maxKeys ?? 0;
    if (this.#actors.has(address) || (this.#keyCounts.get(name) ?? 0) < max) return undefined;
    return `${name} already has ${max} keys (\`limits.maxKeys\`)`;
  }

  #actor(place: Place): ServiceActor | undefined {
    const { name, address, params } = place;
    const running = this.#actors.get(address);
    if (running !== undefined) return running;
    const definition = this.#services.get(name);
    if (definition === undefined) return undefined;
    const durable = definition.isDurable ? this.#durable(place, definition) : undefined;
    const actor = new ServiceActor({
      name,
      address,
      params,
      definition,
      clock: this.#clock,
      log: durable?.log ?? this.#logs.open(address, definition.history),
      edge: (id) => this.#edge(id, durable?.recorder),
      report: this.#report,
      ...(durable === undefined ? {} : durable),
      stopped: (items, wasIdle) => {
        durable?.recorder.flush();
        this.#stopped(place, items, wasIdle);
      },
    });
    this.#actors.set(address, actor);
    this.#own.add(actor);
    this.#keyCounts.set(name, (this.#keyCounts.get(name) ?? 0) + 1);
    actor.actor.start();
    return actor;
  }

  #deliveryLimits(limits: ServiceLimits): DeliveryLimits {
    return { ...limits, maxMessageBytes: this.#maxMessageBytes };
  }

  /** The way to an edge: behind the transaction, for a durable service. */
  #edge(id: string, recorder: Recorder | undefined): Outlet<ActorToEdge> | undefined {
    const outlet = this.#edges.get(id);
    return recorder === undefined || outlet === undefined ? outlet : recorder.gated(outlet);
  }

  /** What is stored of a durable service, and who stores what comes. */
  #durable(
    { address }: Place,
    definition: ErasedDefinition,
  ): { log: Log; recorder: Recorder; restored?: RestoredActor } | undefined {
    const gate = this.#gate;
    if (gate === undefined) return undefined;
    gate.flush();
    const stored = gate.store.load(address);
    const now = this.#clock.now();
    this.#logs.forget(address);
    const log = this.#logs.open(address, definition.history, () =>
      stored === undefined ? undefined : Log.restore(restoredLog(stored, now), definition.history),
    );
    const recorder = new Recorder({
      address,
      gate,
      log: () => log,
      withPlainMembers: definition.state.durable,
      failed: (error) => this.#unstored(address, error),
    });
    log.observer = recorder;
    if (stored === undefined) return { log, recorder };
    return {
      log,
      recorder,
      restored: { members: recorder.restore(stored, this.#deliveryLimits(definition.limits)) },
    };
  }

  /** A durable actor is ahead of what is stored: it goes, and comes back as it was. */
  #unstored(address: string, error: HistoryError): void {
    this.#report({ type: "failure", where: `the history of ${address}`, error });
    this.#logs.forget(address);
    const actor = this.#actors.get(address);
    if (actor === undefined) return;
    const { generation } = actor.actor;
    const { epoch } = actor.log;
    // Past the recorder, which lets nothing out any more.
    for (const { edge, mid } of actor.abandon()) {
      const close = {
        type: "close",
        mid,
        code: closeCode.internalError,
        reason: "its history could not be stored",
        comeBack: "retry",
      } as const;
      this.#edges.get(edge)?.post({ type: "commit", address, epoch, generation, out: [close] });
    }
  }

  /** Who waits in the mailbox for a join goes on to the next incarnation; what goes nowhere is refused or reported. */
  #stopped(place: Place, items: readonly Mail[], wasIdle: boolean): void {
    const { name, address } = place;
    this.#actors.delete(address);
    const left = (this.#keyCounts.get(name) ?? 1) - 1;
    if (left > 0) this.#keyCounts.set(name, left);
    else this.#keyCounts.delete(name);
    this.#logs.release(address, this.#clock.now());
    const start = () => (this.#draining ? undefined : this.#actor(place));
    const lost = handOver(items, start, wasIdle);
    for (const item of lost)
      refuse(item, new CallFailedError(`${address} stopped before it handled this.`));
    new Reporter(name, address, this.#report).lost(lost, "the service has stopped");
  }

  #scheduleSweep(): void {
    this.#sweep = this.#clock.setTimeout(() => {
      this.#logs.sweep(this.#clock.now());
      this.#scheduleSweep();
    }, sweepIntervalMs);
  }
}

function retryAfterOf(error: unknown): number {
  return typeof error === "object" &&
    error !== null &&
    "retryAfterMs" in error &&
    typeof error.retryAfterMs === "number"
    ? error.retryAfterMs
    : 1000;
}

/** Stored times are of the wall clock, those of a log of the clock it lives by. */
function restoredLog(stored: StoredActor, now: number): RestoredLog {
  const wallNow = Date.now();
  const entries = stored.entries.map(({ seq, type, topic, kind, bytes, atMs }): LogEntry => {
    const at = now - Math.max(0, wallNow - atMs);
    return type === "restarted"
      ? { type, seq, at }
      : { type, seq, topic, payload: { kind, bytes }, at };
  });
  return { epoch: stored.epoch, seq: stored.seq, entries, evicted: stored.evicted };
}
