import type { ActorToEdge, Out, Outlet } from "../protocol/port.ts";
import type { Line, ServiceClient } from "./service-client.ts";

/** The memberships of one actor, in the order of their joins, and the edges that hold their sockets. */
export class Members {
  // All made when they are needed: a key that nobody is in should cost little.
  #byId: Map<string, ServiceClient> | undefined;
  /** Those that came back, by the `mid` of their line today. The first line of a membership has its id. */
  #returned: Map<string, ServiceClient> | undefined;
  #edges: Map<string, number> | undefined;
  #held: Set<string> | undefined;
  readonly #removed: ((client: ServiceClient) => void) | undefined;
  readonly #edge: (id: string) => Outlet<ActorToEdge> | undefined;

  /** `edge`: the way to one edge; undefined when that edge is gone. */
  constructor(
    edge: (id: string) => Outlet<ActorToEdge> | undefined,
    removed?: (client: ServiceClient) => void,
  ) {
    this.#edge = edge;
    this.#removed = removed;
  }

  get size(): number {
    return this.#byId?.size ?? 0;
  }

  /** By its id, whether or not it can be reached. */
  get(id: string): ServiceClient | undefined {
    return this.#byId?.get(id);
  }

  /** By the line it is reached on today. */
  at(mid: string): ServiceClient | undefined {
    const client = this.#byId?.get(mid);
    return client?.line?.mid === mid ? client : this.#returned?.get(mid);
  }

  /** All of them, also those whose join waits. A copy: what is done with them may remove some. */
  all(): ServiceClient[] {
    return [...(this.#byId?.values() ?? [])];
  }

  /** Those that have joined. */
  *joined(): Iterable<ServiceClient> {
    for (const client of this.#byId?.values() ?? [])
      if (client.membership === "joined") yield client;
  }

  add(client: ServiceClient): void {
    (this.#byId ??= new Map()).set(client.id, client);
    if (client.line !== undefined) this.connect(client, client.line);
  }

  /** It is reached on this line from now on. */
  connect(client: ServiceClient, line: Line): void {
    client.line = line;
    if (line.mid !== client.id) (this.#returned ??= new Map()).set(line.mid, client);
    const edges = (this.#edges ??= new Map());
    edges.set(line.edge, (edges.get(line.edge) ?? 0) + 1);
  }

  /** It cannot be reached for now. */
  disconnect(client: ServiceClient): void {
    const { line } = client;
    if (line === undefined || this.at(line.mid) !== client) return;
    this.#returned?.delete(line.mid);
    client.line = undefined;
    const left = (this.#edges?.get(line.edge) ?? 1) - 1;
    if (left > 0) this.#edges?.set(line.edge, left);
    else this.#edges?.delete(line.edge);
  }

  remove(client: ServiceClient): void {
    client.membership = "gone";
    this.disconnect(client);
    this.#byId?.delete(client.id);
    client.delivery?.end();
    this.#removed?.(client);
  }

  /** Posts to every edge that has members here, to each what is its own. `message` wraps it. */
  post(out: readonly Out[], message: (out: readonly Out[]) => ActorToEdge): void {
    const edges = this.#edges;
    if (out.length === 0 || edges === undefined) return;
    if (edges.size === 1) {
      for (const id of edges.keys()) this.#edge(id)?.post(message(out));
      return;
    }
    for (const id of edges.keys()) {
      const own = out.flatMap((one) => this.#forEdge(one, id));
      if (own.length > 0) this.#edge(id)?.post(message(own));
    }
  }

  /** The mailbox is full: edges with members here hold back what those send. */
  hold(address: string): void {
    for (const id of this.#edges?.keys() ?? []) this.holdAt(id, address);
  }

  /** Says so to one of them. An edge forgets it with its last member here: whenever one comes, it is told again. */
  holdAt(edge: string, address: string): void {
    (this.#held ??= new Set()).add(edge);
    this.#edge(edge)?.post({ type: "full", address });
  }

  /** There is room again: every edge that was told to hold back hears of it, with members or without. */
  release(address: string): void {
    const held = this.#held ?? [];
    // First: what an edge lets go may fill it again, at once.
    this.#held = undefined;
    for (const id of held) this.#edge(id)?.post({ type: "ready", address });
  }

  #forEdge(out: Out, edge: string): Out[] {
    if (out.type === "send" || out.type === "snapshot" || out.type === "presence") {
      const mids = out.mids.filter((mid) => this.at(mid)?.line?.edge === edge);
      return mids.length === 0 ? [] : [{ ...out, mids }];
    }
    if ("mid" in out) return this.at(out.mid)?.line?.edge === edge ? [out] : [];
    return [out];
  }
}
