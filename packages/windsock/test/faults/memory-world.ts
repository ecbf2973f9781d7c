import { createClient, decodeServerElements, type Channel } from "../../src/client/index.ts";
import { noPage } from "../../src/client/index.ts";
import { LocalLink } from "../../src/cluster/local-link.ts";
import { Edge } from "../../src/edge/edge.ts";
import { addressBook } from "../../src/gateway/address-book.ts";
import { RouteTable } from "../../src/gateway/route-table.ts";
import { routeFromName } from "../../src/gateway/routes.ts";
import type { Report, Service } from "../../src/index.ts";
import type { HistoryStore, StoredActor, StoredCommit } from "../../src/log/history-store.ts";
import { MemoryHistory } from "../../src/log/memory-history.ts";
import { defaultLimits } from "../../src/protocol/limits.ts";
import {
  decodeServerEnvelope,
  encodeClientEnvelope,
  type ClientEnvelope,
  type JoinInfo,
  type ServerEnvelope,
} from "../../src/protocol/v1/index.ts";
import { ServiceHost } from "../../src/service/service-host.ts";
import { settle, VirtualClock } from "../../src/testing/index.ts";
import type { AnyTyped } from "../any-typed.ts";
import { MemoryNetwork, type ServerEnd } from "../client/memory-network.ts";
import { MemoryTransport } from "../memory-transport.ts";
import type { Seen } from "./test-client.ts";
import { watch } from "./test-client.ts";

/** The server's side of a connection of the memory network. */
class Bridge extends MemoryTransport {
  readonly #end: ServerEnd;

  constructor(end: ServerEnd) {
    super();
    this.#end = end;
    end.onmessage = (message) => this.send(message);
    end.onclose = () => {
      if (!this.isDestroyed) this.leave();
    };
  }

  override write(frames: Buffer): void {
    super.write(frames);
    this.#forward();
  }

  override take(bytes: number): void {
    super.take(bytes);
    this.#forward();
  }

  override read(): void {
    super.read();
    this.#forward();
    if (this.closed?.code !== undefined) this.#end.close(this.closed.code, this.closed.reason);
  }

  override close(code: number, reason: string): void {
    super.close(code, reason);
    if (this.isReading) this.#end.close(code, reason);
  }

  override destroy(): void {
    super.destroy();
    this.#end.cut(Infinity, Infinity);
  }

  override ping(): void {
    super.ping();
    if (this.#end.isOpen && this.isReading) this.pong();
  }

  /** Its process is dead: nothing happens here any more. */
  die(): void {
    this.isDestroyed = true;
    this.#end.onmessage = () => {};
    this.#end.onclose = () => {};
    this.#end.cut(0, 0);
  }

  #forward(): void {
    for (const message of this.received.splice(0)) this.#end.send(message);
  }
}

/** A history that is there until its process is killed, and from then on takes nothing. */
class MortalHistory implements HistoryStore {
  readonly #store: MemoryHistory;
  isDead = false;

  constructor(store: MemoryHistory) {
    this.#store = store;
  }

  load(address: string): StoredActor | undefined {
    return this.#store.load(address);
  }

  addressesWithMembers(): readonly string[] {
    return this.#store.addressesWithMembers();
  }

  write(commits: readonly StoredCommit[]): void {
    if (this.isDead) throw new Error("the process is dead");
    this.#store.write(commits);
  }

  retire(address: string, forgetAtMs: number): void {
    if (!this.isDead) this.#store.retire(address, forgetAtMs);
  }

  retired(nowMs: number, limit: number): readonly string[] {
    return this.isDead ? [] : this.#store.retired(nowMs, limit);
  }

  unretired(): readonly string[] {
    return this.#store.unretired();
  }

  forget(address: string): void {
    if (!this.isDead) this.#store.forget(address);
  }

  close(): void {}
}

export interface WorldClient {
  readonly channel: Channel<AnyTyped>;
  readonly seen: Seen[];
  readonly joins: JoinInfo[];
  /** Its connections: the newest last. */
  readonly ends: ServerEnd[];
  readonly bridges: Bridge[];
}

const upgrade = {
  url: "http://localhost/websocket",
  rawHeaders: ["Host", "localhost"],
  remoteAddress: "127.0.0.1",
};

/** A client of bare envelopes. */
export class RawSession {
  readonly transport: MemoryTransport;

  constructor(transport: MemoryTransport) {
    this.transport = transport;
  }

  async send(...envelopes: ClientEnvelope[]): Promise<void> {
    for (const envelope of envelopes) this.transport.send(encodeClientEnvelope(envelope));
    await settle();
  }

  /** Everything that came so far. */
  received(): ServerEnvelope[] {
    return this.transport.received.flatMap((message) => decodeServerEnvelope(message) ?? []);
  }
}

/** Real clients, a real edge and real actors, with nothing between them but memory, in virtual time. */
export class MemoryWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly reports: Report[] = [];
  readonly #services: Readonly<Record<string, Service>>;
  readonly #random: () => number;
  readonly #store = new MemoryHistory();
  readonly #bridges = new Set<Bridge>();
  #history: MortalHistory;
  #host: ServiceHost;
  #edge: Edge;

  constructor(services: Readonly<Record<string, Service>>, random: () => number) {
    this.#services = services;
    this.#random = random;
    [this.#history, this.#host, this.#edge] = this.#boot();
  }

  get host(): ServiceHost {
    return this.#host;
  }

  get edge(): Edge {
    return this.#edge;
  }

  /** A connection that speaks envelopes, and reads when it is told to. */
  openSession(): RawSession {
    const transport = new MemoryTransport();
    transport.bind(this.#edge.openSession(transport, upgrade, "session"));
    return new RawSession(transport);
  }

  stored(address: string): StoredActor | undefined {
    return this.#store.load(address);
  }

  connect(path: string): WorldClient {
    const joins: JoinInfo[] = [];
    const ends: ServerEnd[] = [];
    const bridges: Bridge[] = [];
    const network = new MemoryNetwork(this.clock);
    network.latencyMs = () => Math.floor(this.#random() * 20);
    network.onaccept = (end) => {
      const bridge = new Bridge(end);
      bridge.bind(this.#edge.openSession(bridge, upgrade, "session"));
      this.#bridges.add(bridge);
      ends.push(end);
      bridges.push(bridge);
    };
    const { connect } = createClient({
      WebSocket: network.WebSocket,
      clock: this.clock,
      random: this.#random,
      page: { ...noPage, url: "http://localhost/" },
      decode: (message) => {
        const elements = decodeServerElements(message);
        if (elements?.[0] === "joined") joins.push(elements[2]);
        return elements;
      },
    });
    const channel = connect<AnyTyped>(path);
    return { channel, seen: watch(channel), joins, ends, bridges };
  }

  /** As `kill -9` and a start: what was not stored is gone. */
  kill(): void {
    this.#history.isDead = true;
    for (const bridge of this.#bridges) bridge.die();
    this.#bridges.clear();
    this.#host.close();
    [this.#history, this.#host, this.#edge] = this.#boot();
  }

  async end(): Promise<void> {
    this.#history.isDead = true;
    this.#host.close();
    this.#edge.destroy({ type: "shutdown" });
    await settle();
  }

  #boot(): [MortalHistory, ServiceHost, Edge] {
    const history = new MortalHistory(this.#store);
    const table = new RouteTable(Object.keys(this.#services).map((name) => routeFromName(name)));
    const host = new ServiceHost({
      services: Object.entries(this.#services).map(([name, service]) => ({ name, service })),
      addresses: addressBook(table),
      clock: this.clock,
      report: (report) => {
        if (!history.isDead) this.reports.push(report);
      },
      history,
    });
    const link = new LocalLink();
    const edge = new Edge({
      clock: this.clock,
      limits: defaultLimits,
      outlet: link.toActor,
      admitChannel: (request, path) =>
        Promise.resolve({ type: "admit", address: path, request, user: null }),
    });
    const inlet = host.connect("local", link.toEdge);
    link.bind({
      actor: (message) => inlet.post(message),
      edge: (message) => edge.receive(message),
    });
    host.start();
    return [history, host, edge];
  }
}
