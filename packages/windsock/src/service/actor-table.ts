import type { Clock } from "../actor/clock.ts";
import {
  CallFailedError,
  OverloadedError,
  ServiceDownError,
  UnknownServiceError,
} from "../errors.ts";
import type { LogStore } from "../log/log-store.ts";
import type { ActorToEdge, Outlet } from "../protocol/port.ts";
import type { Place } from "./addresses.ts";
import type { ErasedDefinition } from "./definition.ts";
import type { DroppedClients } from "./dropped-clients.ts";
import type { DurableActors } from "./durable-actors.ts";
import { handOver } from "./hand-over.ts";
import { refuse, type Mail } from "./mail.ts";
import type { Recorder } from "./recorder.ts";
import type { Report } from "./report.ts";
import { Reporter } from "./reporter.ts";
import { check, type Checked } from "./schema.ts";
import { ServiceActor } from "./service-actor.ts";
import type { Line } from "./service-client.ts";

export interface ActorTableOptions {
  readonly services: ReadonlyMap<string, ErasedDefinition>;
  readonly clock: Clock;
  readonly logs: LogStore;
  readonly dropped: DroppedClients;
  /** Absent: nothing outlives the process. */
  readonly durable: DurableActors | undefined;
  /** The way to one edge; undefined when that edge is gone. */
  readonly edge: (id: string) => Outlet<ActorToEdge> | undefined;
  readonly report: (report: Report) => void;
}

/** When somebody who was refused because there are too many keys may try again. */
export const crowdRetryMs = 5000;

/** The actors of a process by address: where one starts, and what its mailbox still held when it ended. */
export class ActorTable {
  readonly #options: ActorTableOptions;
  readonly #actors = new Map<string, ServiceActor>();
  readonly #own = new WeakSet<ServiceActor>();
  readonly #keyCounts = new Map<string, number>();
  #isDraining = false;

  constructor(options: ActorTableOptions) {
    this.#options = options;
  }

  /** The server is stopping: nobody new is taken. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on, who ends does not start anew. */
  drain(): void {
    this.#isDraining = true;
  }

  /** The actor that runs at this address. */
  get(address: string): ServiceActor | undefined {
    return this.#actors.get(address);
  }

  /** All that run. A copy: what is done with them may end some. */
  all(): ServiceActor[] {
    return [...this.#actors.values()];
  }

  /** Whether this actor is one of this table's, or was. */
  runs(actor: ServiceActor): boolean {
    return this.#own.has(actor);
  }

  /**
   * The actor of this place, started if need be. Undefined: there is no such service.
   *
   * @throws ServiceDownError when what is stored of it cannot be read
   */
  open(place: Place): ServiceActor | undefined {
    const { name, address, params } = place;
    const running = this.#actors.get(address);
    if (running !== undefined) return running;
    const { clock, dropped, logs, report, services } = this.#options;
    const definition = services.get(name);
    if (definition === undefined) return undefined;
    const durable = definition.isDurable
      ? this.#options.durable?.open(address, definition, () => this.#actors.get(address))
      : undefined;
    const actor = new ServiceActor({
      name,
      address,
      params,
      definition,
      clock,
      log: durable?.log ?? logs.open(address, definition.history),
      edge: (id) => this.#edge(id, durable?.recorder),
      report,
      dropped,
      ...durable,
      stopped: (items, wasIdle) => {
        durable?.recorder.flush();
        // What age takes from it later is no commit of an actor that is over.
        if (durable !== undefined) durable.log.observer = undefined;
        this.#stopped(place, items, wasIdle);
      },
    });
    this.#actors.set(address, actor);
    this.#own.add(actor);
    this.#keyCounts.set(name, (this.#keyCounts.get(name) ?? 0) + 1);
    actor.actor.start();
    return actor;
  }

  /** As `open`, for calls: within the bounds of the service, and with a key that fits it. Throws or rejects otherwise. */
  openForCall(place: Place): ServiceActor | Promise<ServiceActor> {
    const { name, address, params } = place;
    const running = this.#actors.get(address);
    if (running !== undefined) return running;
    const key = this.#options.services.get(name)?.key;
    if (key === undefined) return this.#openChecked(place, { ok: true, value: params });
    const checked = check(key, params);
    return checked instanceof Promise
      ? checked.then((done) => this.#openChecked(place, done))
      : this.#openChecked(place, checked);
  }

  #openChecked(place: Place, key: Checked): ServiceActor {
    if (!key.ok)
      throw new UnknownServiceError(`Expected a key that fits ${place.name}: ${key.message}.`);
    const crowd = this.crowd(place);
    if (crowd !== undefined) throw new OverloadedError(`${crowd}.`, crowdRetryMs);
    const actor = this.#isDraining ? this.#actors.get(place.address) : this.open(place);
    if (actor === undefined) throw new ServiceDownError("The server is stopping.", 1000);
    return actor;
  }

  /** Why no actor may start here: there are too many keys. */
  crowd({ name, address }: Place): string | undefined {
    const max = this.#options.services.get(name)?.limits.maxKeys;
    if (max === undefined || this.#actors.has(address)) return undefined;
    if ((this.#keyCounts.get(name) ?? 0) < max) return undefined;
    return `${name} already has ${max} keys (\`limits.maxKeys\`)`;
  }

  /** The way to an edge: behind the transaction, for a durable service. */
  #edge(id: string, recorder: Recorder | undefined): Outlet<ActorToEdge> | undefined {
    const outlet = this.#options.edge(id);
    return recorder === undefined || outlet === undefined ? outlet : recorder.gated(outlet);
  }

  /** Who waits in the mailbox for a join goes on to the next incarnation; what goes nowhere is refused or reported. */
  #stopped(place: Place, items: readonly Mail[], wasIdle: boolean): void {
    const { name, address } = place;
    const { clock, durable, logs, report } = this.#options;
    const ended = this.#actors.get(address);
    this.#actors.delete(address);
    const left = (this.#keyCounts.get(name) ?? 1) - 1;
    if (left > 0) this.#keyCounts.set(name, left);
    else this.#keyCounts.delete(name);
    logs.release(address, clock.now());
    const definition = this.#options.services.get(name);
    if (definition?.isDurable === true) durable?.ended(address, definition);
    let unread: ServiceDownError | undefined;
    const start = (): ServiceActor | undefined => {
      if (this.#isDraining || unread !== undefined) return undefined;
      try {
        return this.open(place);
      } catch (error) {
        if (!(error instanceof ServiceDownError)) throw error;
        unread = error;
        return undefined;
      }
    };
    const lost = handOver(items, start, wasIdle);
    if (unread !== undefined && ended !== undefined)
      durable?.close(ended, waitingIn(items), "its history could not be read");
    for (const item of lost)
      refuse(item, new CallFailedError(`${address} stopped before it handled this.`));
    new Reporter(name, address, report).lost(lost, "the service has stopped");
  }
}

/** Where those are reached who wait for their join. */
function waitingIn(items: readonly Mail[]): Line[] {
  return items.flatMap((item) =>
    item.type === "join" && item.client.membership === "joining" ? (item.client.line ?? []) : [],
  );
}
