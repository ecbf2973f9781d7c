import type { Report, Service } from "../src/index.ts";
import type { HistoryStore } from "../src/log/history-store.ts";
import { MemoryHistory } from "../src/log/memory-history.ts";
import type { ActorToEdge, Dialect, EdgeToActor, Out, ResumeData } from "../src/protocol/port.ts";
import { ServiceHost, type ServiceHostOptions } from "../src/service/service-host.ts";
import { settle, VirtualClock } from "../src/testing/index.ts";

/** A history that can be made to fail. */
export class BrittleHistory extends MemoryHistory {
  failsToLoad = false;
  failsToWrite = false;

  override load(address: string): ReturnType<HistoryStore["load"]> {
    if (this.failsToLoad) throw new Error("cannot read");
    return super.load(address);
  }

  override write(commits: Parameters<HistoryStore["write"]>[0]): void {
    if (this.failsToWrite) throw new Error("disk full");
    super.write(commits);
  }
}

/** What a join may say beside its names. */
export interface JoinOptions {
  readonly dialect?: Dialect;
  readonly user?: unknown;
  readonly resume?: ResumeData;
}

/** The actors' side of the port alone: what an edge would post goes in, what it would get is kept. */
export class HostRig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly reports: Report[] = [];
  readonly history: BrittleHistory;
  readonly host: ServiceHost;
  /** All that came for the edge. */
  readonly messages: ActorToEdge[] = [];
  readonly #toActors: { post(message: EdgeToActor): void };

  /** Each service has a name without a key. */
  constructor(
    services: Readonly<Record<string, Service>>,
    history: BrittleHistory = new BrittleHistory(),
    options: Partial<
      Pick<
        ServiceHostOptions,
        "maxTotalPrivateBytes" | "maxDroppedClients" | "history" | "addresses"
      >
    > = {},
  ) {
    this.history = history;
    this.host = new ServiceHost({
      services: Object.entries(services).map(([name, service]) => ({ name, service })),
      addresses: {
        parse: (address) =>
          Object.hasOwn(services, address) ? { name: address, params: {} } : undefined,
        format: (name) => name,
      },
      clock: this.clock,
      report: (report) => this.reports.push(report),
      history,
      ...options,
    });
    this.#toActors = this.host.connect("edge", {
      post: (message) => void this.messages.push(message),
    });
    this.host.start();
  }

  post(message: EdgeToActor): void {
    this.#toActors.post(message);
  }

  join(mid: string, address: string, options: JoinOptions = {}): void {
    this.post({
      type: "join",
      address,
      mid,
      sessionId: `s-${mid}`,
      protocol: "",
      request: { url: "http://localhost/", rawHeaders: [], remoteAddress: "" },
      user: undefined,
      dialect: "plain",
      ...options,
    });
  }

  /** The effects of all commits so far that are for this client alone. */
  outFor(mid: string): Out[] {
    return this.messages
      .flatMap((message) => (message.type === "commit" ? message.out : []))
      .filter((out) => "mid" in out && out.mid === mid);
  }

  /** The answers to a join. */
  answersTo(mid: string): ActorToEdge[] {
    return this.messages.filter(
      (message) =>
        (message.type === "admitted" || message.type === "refused") && message.mid === mid,
    );
  }

  /** Until nothing is due any more: mailboxes, and transactions of durable actors. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      await settle();
      await new Promise<void>((done) => setImmediate(done));
    }
  }
}
