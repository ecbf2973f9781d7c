import { LocalLink, type Carrier } from "../src/cluster/local-link.ts";
import { Edge, type JoinAnswer } from "../src/edge/edge.ts";
import { addressBook } from "../src/gateway/address-book.ts";
import { RouteTable } from "../src/gateway/route-table.ts";
import { routeFromName } from "../src/gateway/routes.ts";
import type { Report, Service } from "../src/index.ts";
import { defaultLimits, type Limits } from "../src/protocol/limits.ts";
import type { EdgeToActor, RequestData } from "../src/protocol/port.ts";
import { ServiceHost } from "../src/service/service-host.ts";
import { VirtualClock } from "../src/testing/index.ts";
import { MemoryTransport } from "./memory-transport.ts";

/** A way between an edge and its actors, and a promise for when nothing is on it. */
export interface TestLink {
  readonly link: LocalLink;
  readonly idle: () => Promise<void>;
}

export type LinkFactory = () => TestLink;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((done) => setImmediate(done));
}

/** The link that a server uses. */
export const directLink: LinkFactory = () => ({ link: new LocalLink(), idle: () => turns(8) });

const toActor: ReadonlySet<string> = new Set([
  "join",
  "down",
  "leave",
  "in",
  "call",
  "cancel",
  "acked",
  "behind",
  "reauth",
  "publish",
  "pull",
  "read",
] satisfies EdgeToActor["type"][]);

/** A link that copies what it carries, takes its time, and delivers some of it again: as a network may. */
export function roughLink(random: () => number): TestLink {
  let onTheWay = 0;
  const makeWay = (): ((run: () => void) => void) => {
    const queue: (() => void)[] = [];
    const delivered: (() => void)[] = [];
    const some = (): void => {
      for (let count = Math.floor(random() * 5); count > 0 && queue.length > 0; count--) {
        const deliver = queue.shift();
        deliver?.();
        if (deliver !== undefined) delivered.push(deliver);
        if (delivered.length > 10) delivered.shift();
        if (random() < 0.3) delivered[Math.floor(random() * delivered.length)]?.();
        onTheWay -= 1;
      }
      if (queue.length > 0) setImmediate(some);
    };
    return (deliver) => {
      onTheWay += 1;
      queue.push(deliver);
      if (queue.length === 1) setImmediate(some);
    };
  };
  const up = makeWay();
  const down = makeWay();
  const carry: Carrier = (numbered, deliver) => {
    const copy = structuredClone(numbered);
    const { type } = numbered.message as { readonly type: string };
    (toActor.has(type) ? up : down)(() => deliver(structuredClone(copy)));
  };
  return {
    link: new LocalLink(carry),
    async idle() {
      // What arrived last leaves a round later, and may be answered.
      for (let quiet = 0; quiet < 2; quiet = onTheWay > 0 ? 0 : quiet + 1) await turns(8);
    },
  };
}

export interface RigOptions {
  readonly limits?: Partial<Limits>;
  readonly link?: LinkFactory;
}

export interface RigClient {
  readonly mid: string;
  readonly transport: MemoryTransport;
}

/** Actors and an edge with nothing but a link between them, and connections without a network. */
export class PortRig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly reports: Report[] = [];
  readonly host: ServiceHost;
  readonly edge: Edge;
  readonly idle: () => Promise<void>;
  #mids = 0;

  constructor(services: Readonly<Record<string, Service>>, options: RigOptions = {}) {
    const table = new RouteTable(Object.keys(services).map((name) => routeFromName(name)));
    const { link, idle } = (options.link ?? directLink)();
    this.idle = idle;
    this.host = new ServiceHost({
      services: Object.entries(services).map(([name, service]) => ({ name, service })),
      addresses: addressBook(table),
      clock: this.clock,
      report: (report) => this.reports.push(report),
    });
    const limits = { ...defaultLimits, ...options.limits };
    this.edge = new Edge({
      clock: this.clock,
      limits,
      outlet: link.toActor,
      admitChannel: (request, path) => ({ type: "admit", address: path, request, user: null }),
    });
    const inlet = this.host.connect("local", link.toEdge);
    link.bind({
      actor: (message) => inlet.post(message),
      edge: (message) => this.edge.receive(message),
    });
    this.host.start();
  }

  async join(mid: string, address: string): Promise<JoinAnswer> {
    return this.edge.join({
      mid,
      address,
      sessionId: `s-${mid}`,
      protocol: "",
      request: requestOf(address),
      user: null,
    });
  }

  /** Joins and connects. The join itself may still be waiting for its turn. */
  async open(address: string = "status"): Promise<RigClient> {
    const mid = `m${this.#mids++}`;
    const answer = await this.join(mid, address);
    if (answer.type !== "admitted") throw new Error(`refused: ${JSON.stringify(answer)}`);
    return { mid, transport: this.attach(mid) };
  }

  /** A socket of `windsock.v1`. */
  openSession(): MemoryTransport {
    const transport = new MemoryTransport();
    transport.bind(this.edge.openSession(transport, requestOf(""), "session"));
    return transport;
  }

  attach(mid: string): MemoryTransport {
    const transport = new MemoryTransport();
    const events = this.edge.attach(mid, transport);
    if (events !== undefined) transport.bind(events);
    return transport;
  }

  /** Ends timers and connections. */
  async end(): Promise<void> {
    this.host.close();
    this.edge.destroy({ type: "shutdown" });
    await this.idle();
  }
}

function requestOf(address: string): RequestData {
  return {
    url: `http://localhost/websocket/${address}`,
    rawHeaders: ["Host", "localhost"],
    remoteAddress: "127.0.0.1",
  };
}

/** Clients that have joined, with no writes counted yet. */
export async function openMany(
  rig: PortRig,
  count: number,
  address?: string,
): Promise<RigClient[]> {
  const opened: RigClient[] = [];
  for (let index = 0; index < count; index++) {
    opened.push(await rig.open(address));
    // A mailbox takes so many joins at a time.
    if (index % 500 === 499) await rig.idle();
  }
  await rig.idle();
  for (const { transport } of opened) transport.writes = 0;
  return opened;
}
