import type { Clock, Timer } from "../actor/clock.ts";
import type { HistoryStore } from "../log/history-store.ts";
import { LogStore } from "../log/log-store.ts";
import { defaultLimits } from "../protocol/limits.ts";
import type { ActorToEdge, EdgeToActor, Outlet } from "../protocol/port.ts";
import { ActorTable } from "./actor-table.ts";
import { Addresses, type AddressBook, type AnyTarget, type Place } from "./addresses.ts";
import { broadcastMail } from "./broadcast-mail.ts";
import { Calls, type CallOptions } from "./calls.ts";
import { definitionOf, type ErasedDefinition } from "./definition.ts";
import { DroppedClients } from "./dropped-clients.ts";
import { DurableActors } from "./durable-actors.ts";
import { EdgeMessages } from "./edge-messages.ts";
import { detach } from "./encode.ts";
import type { Mail } from "./mail.ts";
import { deliver, type Post } from "./post.ts";
import { PrivateBudget } from "./private-budget.ts";
import { PublishedKeys } from "./published.ts";
import type { Report } from "./report.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import { turnStorage } from "./turn.ts";
import type { AnyService } from "./types.ts";
import { sizeOf } from "./value.ts";

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
  /** What all `windsock.v1` clients may leave unacknowledged together. @default 268435456 */
  readonly maxTotalPrivateBytes?: number;
  /** Memberships without a socket, over all services. @default 20000 */
  readonly maxDroppedClients?: number;
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

const sweepIntervalMs = 5000;

/** The actor's side of a process: what a server, its edges and the app's code reach actors by. */
export class ServiceHost {
  readonly #services: ReadonlyMap<string, ErasedDefinition>;
  readonly #addresses: Addresses;
  readonly #edges = new Map<string, Outlet<ActorToEdge>>();
  readonly #logs: LogStore = new LogStore();
  readonly #published: PublishedKeys = new PublishedKeys();
  readonly #durable: DurableActors | undefined;
  readonly #actors: ActorTable;
  readonly #calls: Calls;
  readonly #maxMessageBytes: number;
  readonly #privateBudget: PrivateBudget;
  readonly #clock: Clock;
  readonly #report: (report: Report) => void;
  #sweep: Timer | undefined;

  constructor(options: ServiceHostOptions) {
    const { clock, history, report } = options;
    const logs = this.#logs;
    const edge = (id: string) => this.#edges.get(id);
    const maxMessageBytes = options.maxMessageBytes ?? defaultLimits.maxPayloadBytes;
    this.#clock = clock;
    this.#report = report;
    this.#maxMessageBytes = maxMessageBytes;
    const privateBudget = new PrivateBudget(
      options.maxTotalPrivateBytes ?? defaultLimits.maxTotalPrivateBytes,
    );
    this.#privateBudget = privateBudget;
    this.#services = new Map(
      options.services.map(({ name, service }) => [name, definitionOf(service)]),
    );
    this.#addresses = new Addresses(options.addresses, this.#services);
    this.#durable =
      history === undefined
        ? undefined
        : new DurableActors({
            store: history,
            clock,
            logs,
            edge,
            maxMessageBytes,
            privateBudget,
            report,
          });
    this.#actors = new ActorTable({
      services: this.#services,
      clock,
      logs,
      dropped: new DroppedClients(options.maxDroppedClients ?? defaultLimits.maxDroppedClients),
      durable: this.#durable,
      edge,
      report,
    });
    this.#calls = new Calls({
      clock,
      running: (address) => this.#actors.get(address),
      started: (place) => this.#actors.openForCall(place),
    });
  }

  /** Starts the services without a key; a key starts at its first join. */
  start(): void {
    for (const [name, definition] of this.#services)
      if (definition.params.length === 0) this.#actors.open({ name, params: {}, address: name });
    // Their grace runs, whether or not anybody comes.
    for (const address of this.#durable?.addressesWithMembers() ?? []) {
      const place = this.#addresses.parse(address);
      if (place !== undefined && this.#services.get(place.name)?.isDurable === true)
        this.#actors.open({ ...place, address });
    }
    this.#durable?.adopt((address) => {
      const place = this.#addresses.parse(address);
      const definition = place && this.#services.get(place.name);
      return definition?.isDurable === true && this.#actors.get(address) === undefined
        ? definition
        : undefined;
    });
    this.#scheduleSweep();
  }

  /** Lets mailboxes run empty, then ends every actor with `terminate`. Nothing new is taken meanwhile. */
  async drain(): Promise<void> {
    this.#actors.drain();
    const actors = this.#actors.all();
    await Promise.all(actors.map((actor) => actor.actor.idle()));
    for (const actor of actors) actor.end({ type: "shutdown" });
    await Promise.all(actors.map((actor) => actor.actor.idle()));
    this.#durable?.flush();
  }

  /** Ends at once, without `terminate`. */
  close(): void {
    this.#actors.drain();
    this.#sweep?.cancel();
    for (const actor of this.#actors.all()) actor.actor.stop();
    this.#durable?.end();
  }

  definition(name: string): ErasedDefinition | undefined {
    return this.#services.get(name);
  }

  /** Whether this actor is one of this host's, or was. */
  runs(actor: ServiceActor): boolean {
    return this.#actors.runs(actor);
  }

  services(): ServiceInfo[] {
    return this.#actors.all().map((one) => ({
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
    return new EdgeMessages(edge, outlet, {
      services: this.#services,
      addresses: this.#addresses,
      actors: this.#actors,
      logs: this.#logs,
      published: this.#published,
      clock: this.#clock,
      maxMessageBytes: this.#maxMessageBytes,
      privateBudget: this.#privateBudget,
      report: this.#report,
    });
  }

  // ---------- from code ----------

  broadcast(target: AnyTarget, message: unknown): void {
    const place = this.#addresses.find(target);
    this.#post(place, "a broadcast", broadcastMail(this.#services.get(place.name), message));
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

  #scheduleSweep(): void {
    this.#sweep = this.#clock.setTimeout(() => {
      this.#logs.sweep(this.#clock.now());
      this.#privateBudget.settle();
      this.#durable?.sweep((address) => this.#actors.get(address) !== undefined);
      this.#scheduleSweep();
    }, sweepIntervalMs);
  }
}
