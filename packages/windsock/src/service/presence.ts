import type { Clock, Timer } from "../actor/clock.ts";
import type { Out } from "../protocol/port.ts";
import type { PresenceChanges, PresenceEntry } from "../protocol/v1/index.ts";
import type { Members } from "./members.ts";
import type { Report } from "./report.ts";
import type { ServiceClient } from "./service-client.ts";

/** What a service says of presence. */
export interface PresenceDefinition {
  /** Who a client is to others. Clients with the same `id` are one entry. */
  readonly entry: ((client: unknown) => unknown) | undefined;
  /** How long somebody whose last client is gone still counts as present, in ms. */
  readonly lingerMs: number;
}

export interface PresenceOptions {
  readonly definition: PresenceDefinition;
  readonly address: string;
  readonly clock: Clock;
  readonly members: Members;
  readonly seq: () => number;
  /** What leaves without a turn. */
  readonly send: (out: readonly Out[]) => void;
  readonly report: (report: Report) => void;
}

interface Present {
  readonly entry: PresenceEntry;
  readonly clients: Set<ServiceClient>;
  /** Its last client is gone, and this is its time to come back. */
  linger: Timer | undefined;
}

/**
 * Who is there, by the actor's own joins: so it is in order with messages, and nobody who
 * left can be seen after what came later. A person with several tabs is one entry; one
 * whose connection broke is there as long as the membership is.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #present = new Map<string, Present>();
  readonly #idOf = new Map<ServiceClient, string>();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  list(): PresenceEntry[] {
    return [...this.#present.values()].map(({ entry }) => entry);
  }

  /** A join has committed: everybody hears of a new entry, and the client who is there. */
  joined(client: ServiceClient): Out[] {
    const entry = this.#entryOf(client);
    const known = this.#present.get(entry.id);
    known?.linger?.cancel();
    const others = this.#listeners(client);
    if (known === undefined)
      this.#present.set(entry.id, { entry, clients: new Set([client]), linger: undefined });
    else {
      known.linger = undefined;
      known.clients.add(client);
    }
    this.#idOf.set(client, entry.id);
    const out: Out[] = [];
    if (known === undefined && others.length > 0)
      out.push(this.#out(others, { join: [entry], leave: [] }));
    if (client.delivery !== undefined && client.line !== undefined)
      out.push(this.everybody(client.line.mid));
    return out;
  }

  /** A new token may have made it somebody else: then it is that one who is there. */
  reauthorized(client: ServiceClient): Out[] {
    const id = this.#idOf.get(client);
    if (id === undefined || id === this.#entryOf(client).id) return [];
    this.left(client);
    return this.joined(client);
  }

  /** All that are there, for one who has just come, or come back. */
  everybody(mid: string): Out {
    return this.#out([mid], { join: this.list(), leave: [], all: true });
  }

  /** A membership has ended. */
  left(client: ServiceClient): void {
    const id = this.#idOf.get(client);
    if (id === undefined) return;
    this.#idOf.delete(client);
    const present = this.#present.get(id);
    if (present === undefined) return;
    present.clients.delete(client);
    if (present.clients.size > 0) return;
    const { clock, definition } = this.#options;
    if (definition.lingerMs === 0) this.#gone(id);
    else present.linger = clock.setTimeout(() => this.#gone(id), definition.lingerMs);
  }

  /** The actor ends. */
  clear(): void {
    for (const { linger } of this.#present.values()) linger?.cancel();
    this.#present.clear();
    this.#idOf.clear();
  }

  #gone(id: string): void {
    if (!this.#present.delete(id)) return;
    const listeners = this.#listeners();
    if (listeners.length > 0) this.#options.send([this.#out(listeners, { join: [], leave: [id] })]);
  }

  /** Those that can be told: clients of `windsock.v1` that are connected. */
  #listeners(but?: ServiceClient): string[] {
    const mids: string[] = [];
    for (const client of this.#options.members.joined())
      if (client !== but && client.delivery !== undefined && client.line !== undefined)
        mids.push(client.line.mid);
    return mids;
  }

  #out(mids: readonly string[], changes: PresenceChanges): Out {
    return { type: "presence", mids, seq: this.#options.seq(), changes: JSON.stringify(changes) };
  }

  /** What the service says, as JSON leaves it. */
  #entryOf(client: ServiceClient): PresenceEntry {
    const { definition, address, report } = this.#options;
    if (definition.entry !== undefined) {
      try {
        const entry: unknown = JSON.parse(JSON.stringify(definition.entry(client)) ?? "null");
        if (isEntry(entry)) return entry;
        throw new TypeError(
          "Expected `presence.entry` to give an object with a string `id`, got another value.",
        );
      } catch (error) {
        report({ type: "failure", where: `presence.entry of ${address}`, error });
      }
    }
    const { user } = client;
    return { id: isEntry(user) ? user.id : client.sessionId };
  }
}

function isEntry(value: unknown): value is PresenceEntry {
  return (
    typeof value === "object" && value !== null && "id" in value && typeof value.id === "string"
  );
}
