import type { Clock, Timer } from "../actor/clock.ts";
import {
  CallCycleError,
  CallFailedError,
  CallTimeoutError,
  NoServerError,
  OptionError,
  UnknownServiceError,
  type WindsockError,
} from "../errors.ts";
import { LogStore } from "../log/log-store.ts";
import { defaultServiceLimits } from "../protocol/limits.ts";
import type { ActorToEdge, EdgeToActor, Outlet } from "../protocol/port.ts";
import { describe, definitionOf, isService, type ErasedDefinition } from "./define-service.ts";
import { decodePublished, detach } from "./encode.ts";
import type { Report } from "./report.ts";
import { ServiceActor, deliver, type Answer, type Mail } from "./service-actor.ts";
import { ServiceClient } from "./service-client.ts";
import { turnStorage, type Post } from "./turn.ts";
import type { AnyService } from "./types.ts";

/** How names and addresses belong together; the routes know. */
export interface AddressBook {
  /** `room/42` -> `room/[id]` and `{ id: "42" }`; undefined: no service has it. */
  parse(
    address: string,
  ): { readonly name: string; readonly params: Readonly<Record<string, string>> } | undefined;
  /** `room/[id]` and `{ id: "42" }` -> `room/42`. Throws when params are missing or too long. */
  format(name: string, params: Readonly<Record<string, string>>): string;
}

export interface HostedService {
  readonly name: string;
  readonly service: AnyService;
}

export interface ServiceHostOptions {
  readonly services: readonly HostedService[];
  readonly addresses: AddressBook;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
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

export interface CallOptions {
  /** @default 5000, and never longer than the rest of the caller's own deadline */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A service, its name or address, or one made with `at`. */
export type AnyTarget = string | AnyService;

const defaultCallTimeoutMs = 5000;
const sweepIntervalMs = 5000;
const maxRememberedPublishes = 1000;

/** The actor's side of a process: it starts actors, and takes what edges and code send them. */
export class ServiceHost {
  readonly #services = new Map<string, ErasedDefinition>();
  readonly #names = new Map<ErasedDefinition, string>();
  readonly #actors = new Map<string, ServiceActor>();
  readonly #keyCounts = new Map<string, number>();
  readonly #edges = new Map<string, Outlet<ActorToEdge>>();
  readonly #logs: LogStore = new LogStore();
  readonly #published = new Map<string, Promise<number>>();
  readonly #addresses: AddressBook;
  readonly #clock: Clock;
  readonly #report: (report: Report) => void;
  #sweep: Timer | undefined;
  #draining = false;

  constructor(options: ServiceHostOptions) {
    this.#addresses = options.addresses;
    this.#clock = options.clock;
    this.#report = options.report;
    for (const { name, service } of options.services) {
      const definition = definitionOf(service);
      this.#services.set(name, definition);
      this.#names.set(definition, name);
    }
  }

  /** Starts the services without a key; a key starts at its first join. */
  start(): void {
    for (const [name, definition] of this.#services)
      if (definition.params.length === 0) this.#actor(name, {}, name);
    this.#scheduleSweep();
  }

  /** Lets mailboxes run empty, then ends every actor with `terminate`. Nothing new is taken meanwhile. */
  async drain(): Promise<void> {
    this.#draining = true;
    const actors = [...this.#actors.values()];
    await Promise.all(actors.map((actor) => actor.actor.idle()));
    for (const actor of actors) actor.end({ type: "shutdown" });
    await Promise.all(actors.map((actor) => actor.actor.idle()));
  }

  /** Ends at once, without `terminate`. */
  close(): void {
    this.#draining = true;
    this.#sweep?.cancel();
    for (const actor of [...this.#actors.values()]) actor.actor.stop();
  }

  definition(name: string): ErasedDefinition | undefined {
    return this.#services.get(name);
  }

  /** Whether this actor is one of this host's. */
  runs(actor: ServiceActor): boolean {
    return this.#actors.get(actor.address) === actor;
  }

  services(): ServiceInfo[] {
    return [...this.#actors.values()].map((one) => ({
      name: one.name,
      address: one.address,
      state: one.actor.state,
      generation: one.actor.generation,
      clients: one.memberCount,
      mailboxMessages: one.actor.mailbox.size,
      mailboxBytes: one.actor.mailbox.bytes,
      seq: one.log.seq,
    }));
  }

  clients(target: AnyTarget): ServiceClient[] {
    const actor = this.#actors.get(this.addressOf(target));
    return actor === undefined ? [] : [...actor.clients()];
  }

  // ---------- edges ----------

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
      case "in":
        this.#actors.get(message.address)?.incoming(message.mid, message.payload);
        return;
      case "publish":
        this.#publish(outlet, message);
        return;
      case "pull": {
        const log = this.#logs.find(message.address);
        const range = log?.read(
          message.topics,
          message.from,
          message.until,
          message.maxBytes,
          this.#clock.now(),
        );
        const entries = (range?.entries ?? []).map(({ seq, payload }) => ({ seq, payload }));
        outlet.post({
          type: "pulled",
          id: message.id,
          entries,
          next: range?.next ?? message.until,
          gone: range?.gone ?? true,
        });
        return;
      }
      case "read": {
        const actor = this.#actors.get(message.address);
        if (actor === undefined)
          outlet.post({
            type: "read",
            id: message.id,
            payloads: [],
            next: message.from ?? 0,
            failed: true,
          });
        else
          void actor
            .readSource(message.topic, message.from, message.maxBytes)
            .then((chunk) => outlet.post({ type: "read", id: message.id, ...chunk }));
        return;
      }
    }
  }

  #join(
    edge: string,
    outlet: Outlet<ActorToEdge>,
    message: Extract<EdgeToActor, { type: "join" }>,
  ): void {
    const { address, mid } = message;
    const refuse = (status: number, reason: string, retryAfterMs: number) =>
      outlet.post({ type: "refused", mid, status, reason, retryAfterMs });
    if (this.#draining) return refuse(503, "the server is stopping", 1000);
    const found = this.#addresses.parse(address);
    if (found === undefined) return refuse(404, `no service has the address ${address}`, 0);
    const limits = this.#services.get(found.name)?.limits ?? defaultServiceLimits;
    if (!this.#actors.has(address) && (this.#keyCounts.get(found.name) ?? 0) >= limits.maxKeys) {
      return refuse(
        503,
        `${found.name} already has ${limits.maxKeys} keys (\`limits.maxKeys\`)`,
        5000,
      );
    }
    const actor = this.#actor(found.name, found.params, address);
    if (actor === undefined) return refuse(404, `no service has the address ${address}`, 0);
    if (actor.actor.state === "down")
      return refuse(
        503,
        `${address} is down: it restarted too often`,
        Math.max(actor.actor.retryAfterMs, 1000),
      );
    const client = new ServiceClient(actor, { ...message, edge, params: found.params });
    if (!actor.join(client)) return refuse(503, `the mailbox of ${address} is full`, 1000);
    outlet.post({ type: "admitted", mid });
  }

  #publish(outlet: Outlet<ActorToEdge>, message: Extract<EdgeToActor, { type: "publish" }>): void {
    const { id, address, idempotencyKey } = message;
    const answer = (seq: Promise<number>) =>
      seq.then(
        (done) => outlet.post({ type: "published", id, seq: done, delivered: true }),
        (error: unknown) =>
          outlet.post({
            type: "unavailable",
            id,
            reason: error instanceof Error ? error.message : String(error),
            retryAfterMs: retryAfterOf(error),
          }),
      );
    const key = idempotencyKey === undefined ? undefined : `${address} ${idempotencyKey}`;
    const before = key === undefined ? undefined : this.#published.get(key);
    if (before !== undefined) {
      void answer(before);
      return;
    }
    const actor = this.#actors.get(address);
    if (actor === undefined) {
      if (this.#addresses.parse(address) === undefined)
        outlet.post({
          type: "unavailable",
          id,
          reason: `no service has the address ${address}`,
          retryAfterMs: 0,
        });
      else outlet.post({ type: "published", id, seq: 0, delivered: false });
      return;
    }
    if (this.#draining || actor.actor.state === "down") {
      outlet.post({
        type: "unavailable",
        id,
        reason: `${address} takes no messages now`,
        retryAfterMs: Math.max(1000, actor.actor.retryAfterMs),
      });
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const mail: Mail = {
      type: "broadcast",
      bytes: message.value.bytes.length,
      message: decodePublished(message.value),
      answer: { resolve, reject },
    };
    if (!actor.actor.offer(mail)) {
      outlet.post({ type: "busy", id, retryAfterMs: 1000 });
      return;
    }
    if (key !== undefined) this.#remember(key, promise);
    void answer(promise);
  }

  /** So that a repeat of the same `Idempotency-Key` is answered, not published. Failures are forgotten: they may be tried again. */
  #remember(key: string, seq: Promise<number>): void {
    this.#published.set(key, seq);
    seq.catch(() => this.#published.delete(key));
    if (this.#published.size <= maxRememberedPublishes) return;
    for (const oldest of this.#published.keys()) {
      this.#published.delete(oldest);
      break;
    }
  }

  // ---------- from code ----------

  /** The address of a service, a name, an address, or one made with `at`. */
  addressOf(target: AnyTarget): string {
    if (typeof target === "string") {
      const found = this.#addresses.parse(target);
      if (found === undefined) {
        throw new UnknownServiceError(
          `Expected the name of a service (${[...this.#services.keys()].join(", ") || "there is none"}), got ${describe(target)}.`,
        );
      }
      return this.#addresses.format(found.name, found.params);
    }
    const name = isService(target) ? this.#names.get(target.definition) : undefined;
    if (name === undefined)
      throw new UnknownServiceError(
        "Expected a service that this server runs, got another one. Is its file in the services folder, or in `services`?",
      );
    const params = "params" in target ? (target.params as Readonly<Record<string, string>>) : {};
    if ((this.#services.get(name)?.params.length ?? 0) > 0 && Object.keys(params).length === 0) {
      throw new UnknownServiceError(
        `Expected a key for ${name}, got none. Address one actor with \`at(service, { ${this.#services.get(name)?.params.join(", ")} })\` or by name.`,
      );
    }
    return this.#addresses.format(name, params);
  }

  broadcast(target: AnyTarget, message: unknown): void {
    const detached = detach(message, "a broadcast");
    this.#post(target, "a broadcast", {
      type: "broadcast",
      bytes: sizeOf(detached),
      message: detached,
    });
  }

  info(target: AnyTarget, info: unknown): void {
    const detached = detach(info, "an info");
    this.#post(target, "an info", { type: "info", bytes: sizeOf(detached), info: detached });
  }

  #post(target: AnyTarget, what: string, mail: Mail): void {
    const address = this.addressOf(target);
    const post = this.#postTo(address, what, mail);
    const turn = turnStorage.getStore();
    if (turn === undefined || turn.status === "committed") {
      deliver(post);
      return;
    }
    if (turn.status === "failed") return;
    turn.effects.push({ type: "post", post });
  }

  /** Finds the actor when the post leaves, not when it is written. */
  #postTo(address: string, what: string, mail: Mail): Post {
    return {
      address,
      what,
      offer: () => {
        const actor = this.#actors.get(address);
        if (actor !== undefined) return actor.postOf(what, mail).offer();
        // A key without an actor has nobody to tell: none is started for it.
        this.#report({ type: "undelivered", address, what, reason: "nobody has joined it" });
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
      return this.#call(target, name, request, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #call(target: AnyTarget, name: string, request: unknown, options: CallOptions): Promise<unknown> {
    const address = this.addressOf(target);
    const timeoutMs = options.timeoutMs ?? defaultCallTimeoutMs;
    if (!Number.isFinite(timeoutMs) || timeoutMs < 1)
      throw new OptionError(
        `Expected \`timeoutMs\` to be at least 1 ms, got ${describe(timeoutMs)}.`,
      );
    const stored = turnStorage.getStore();
    if (stored?.status === "failed")
      throw new CallFailedError(
        `The turn of ${stored.actor.address} that makes this call has crashed.`,
      );
    const turn = stored?.status === "open" ? stored : undefined;
    const via = turn === undefined ? [] : [...turn.via, turn.actor.address];
    if (via.includes(address)) throw new CallCycleError([...via, address]);
    if (turn !== undefined && this.#waits(address, turn.actor.address, new Set()))
      throw new CallCycleError([...via, address, turn.actor.address]);
    const found = this.#addresses.parse(address);
    const actor =
      found === undefined || this.#draining
        ? this.#actors.get(address)
        : this.#actor(found.name, found.params, address);
    if (actor === undefined)
      throw new UnknownServiceError(`Expected a service that runs, got ${address}.`);
    const detached = detach(request, "a request");
    const deadline = Math.min(this.#clock.now() + timeoutMs, turn?.deadline ?? Infinity);

    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waits = turn?.actor.waitingFor;
    waits?.add(address);
    const settle = (): void => {
      timer.cancel();
      waits?.delete(address);
      forget?.();
      options.signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: WindsockError): void => {
      settle();
      reject(error);
    };
    const timer = this.#clock.setTimeout(
      () =>
        fail(
          new CallTimeoutError(
            `Expected ${address} to answer \`${name}\` within ${Math.round(timeoutMs)} ms, got nothing.`,
          ),
        ),
      Math.max(0, deadline - this.#clock.now()),
    );
    const onAbort = (): void =>
      fail(new CallTimeoutError(`The call \`${name}\` of ${address} was aborted.`));
    const forget = turn?.onFailed(() =>
      fail(
        new CallFailedError(`The turn of ${turn.actor.address} that made this call has crashed.`),
      ),
    );
    const answer: Answer<unknown> = {
      resolve: (value) => {
        settle();
        resolve(value);
      },
      reject: fail,
    };
    if (options.signal?.aborted === true) onAbort();
    else {
      options.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        deliver(
          actor.postOf(`the call \`${name}\``, {
            type: "call",
            bytes: sizeOf(detached),
            name,
            request: detached,
            via,
            deadline,
            answer,
          }),
        );
      } catch (error) {
        fail(error as WindsockError);
      }
    }
    return promise;
  }

  /** Whether `from` waits, over any number of calls, for `to`. */
  #waits(from: string, to: string, seen: Set<string>): boolean {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    for (const next of this.#actors.get(from)?.waitingFor ?? [])
      if (this.#waits(next, to, seen)) return true;
    return false;
  }

  // ---------- actors ----------

  #actor(
    name: string,
    params: Readonly<Record<string, string>>,
    address: string,
  ): ServiceActor | undefined {
    const running = this.#actors.get(address);
    if (running !== undefined) return running;
    const definition = this.#services.get(name);
    if (definition === undefined) return undefined;
    const actor = new ServiceActor({
      name,
      address,
      params,
      definition,
      clock: this.#clock,
      log: this.#logs.open(address, definition.history),
      edge: (id) => this.#edges.get(id),
      report: this.#report,
      stopped: (items) => this.#stopped(name, params, address, items),
    });
    this.#actors.set(address, actor);
    this.#keyCounts.set(name, (this.#keyCounts.get(name) ?? 0) + 1);
    actor.actor.start();
    return actor;
  }

  /** Who joined while the actor ended joins the next one; a service without a key is started again at its next use. */
  #stopped(
    name: string,
    params: Readonly<Record<string, string>>,
    address: string,
    items: readonly Mail[],
  ): void {
    this.#actors.delete(address);
    this.#keyCounts.set(name, (this.#keyCounts.get(name) ?? 1) - 1);
    this.#logs.release(address, this.#clock.now());
    const error = new CallFailedError(`${address} stopped before it handled this.`);
    for (const item of items) {
      if (item.type === "join" && item.client.membership === "joining" && !this.#draining) {
        const next = this.#actor(name, params, address);
        next?.rejoin(new ServiceClient(next, item.client.data));
      } else if (item.type === "call" || item.type === "broadcast") item.answer?.reject(error);
    }
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

/** About what a value takes in a mailbox. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length * 2;
  if (value instanceof Uint8Array) return value.byteLength;
  return typeof value === "object" && value !== null ? 256 : 8;
}

/** Which server `broadcast`, `info` and `call` mean, outside of any callback. */
export const runningHosts: Set<ServiceHost> = new Set();

/** The host of the running callback, else the only one there is. */
export function currentHost(what: string): ServiceHost {
  const turn = turnStorage.getStore();
  if (turn !== undefined) {
    for (const host of runningHosts) if (host.runs(turn.actor)) return host;
  }
  if (runningHosts.size === 1) for (const host of runningHosts) return host;
  throw new NoServerError(
    runningHosts.size === 0
      ? `Expected a running server for \`${what}\`, got none. Start one with \`windsock start\` or \`createServer().listen()\` first.`
      : `Expected one running server for \`${what}\`, got ${runningHosts.size}. Use \`server.${what}\` of the one you mean.`,
  );
}
