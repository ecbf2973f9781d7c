import type { StoredActor } from "../../src/log/history-store.ts";
import type { JoinInfo } from "../../src/protocol/v1/index.ts";
import type { CounterState } from "./durable-server.ts";
import type { Seen } from "./test-client.ts";

/** What became of a message, as its sender was told. */
export type Fate = "acknowledged" | "unknown";

/** Everything that one client did and saw. */
export interface ClientRecord {
  readonly name: string;
  readonly joins: readonly JoinInfo[];
  readonly news: readonly Seen[];
  readonly counter: readonly Seen[];
  /** Of `news`, by text, in the order they were sent. */
  readonly sends: ReadonlyMap<string, Fate>;
  /** Of `counter`, by number: sent as messages, or as calls. */
  readonly increments: ReadonlyMap<number, { readonly how: "send" | "call"; readonly fate: Fate }>;
}

/** A message that was published over HTTP. `seq`: what the answer said, if there was one. */
export interface PublishRecord {
  readonly text: string;
  readonly seq: number | undefined;
}

interface Entry {
  readonly seq: number;
  /** Undefined: the service began anew. */
  readonly message: unknown;
}

/** What is wrong with a run; empty if nothing is. */
export class Checker {
  readonly faults: string[] = [];
  readonly #log: readonly Entry[];
  readonly #news: StoredActor;

  constructor(news: StoredActor) {
    this.#news = news;
    this.#log = news.entries.map(({ seq, type, bytes }) => ({
      seq,
      message: type === "restarted" ? undefined : JSON.parse(asText(bytes)),
    }));
  }

  get entries(): number {
    return this.#log.length;
  }

  /** The log has no hole. */
  log(): void {
    for (const [index, { seq }] of this.#log.entries())
      if (seq !== index + 1) {
        this.#fault(`the log has entry ${seq} where ${index + 1} is due`);
        return;
      }
  }

  /** A client has seen the log from its join on, in order, once. */
  view({ name, joins, news }: ClientRecord): void {
    const own = joins.filter(({ epoch }) => epoch === this.#news.epoch);
    for (const { answer } of own.slice(1))
      if (answer !== "resumed") this.#fault(`${name} came back as ${answer}`);
    const joinedAt = own[0]?.seq;
    if (joinedAt === undefined) return this.#fault(`${name} has never joined`);
    const seen: Entry[] = [];
    for (const one of news) {
      if (one.type === "published") seen.push({ seq: one.seq, message: one.message });
      else if (one.type === "restarted") seen.push({ seq: one.seq, message: undefined });
      else if (one.type !== "resumed" && !isPatience(one))
        this.#fault(`${name} was told ${JSON.stringify(one)}`);
    }
    const due = this.#log.filter(({ seq }) => seq > joinedAt);
    for (let index = 0; index < Math.max(seen.length, due.length); index++) {
      const [got, want] = [seen[index], due[index]];
      if (got?.seq === want?.seq && got?.message === want?.message) continue;
      return this.#fault(
        `${name} saw ${shown(got)} where ${shown(want)} is due, after ${index} that are right`,
      );
    }
    return undefined;
  }

  /** What was acknowledged is in the log once, what was not at most once, each sender's in order. */
  sends({ name, sends }: Pick<ClientRecord, "name" | "sends">): void {
    const prefix = `${name}:`;
    const stored = this.#log.flatMap(({ message }) =>
      typeof message === "string" && message.startsWith(prefix) ? message : [],
    );
    const once = new Set(stored);
    if (once.size !== stored.length) this.#fault(`a message of ${name} is in the log twice`);
    for (const [text, fate] of sends)
      if (fate === "acknowledged" && !once.has(text))
        this.#fault(`${text} was acknowledged, and is not in the log`);
    const inOrder = [...sends.keys()].filter((text) => once.has(text));
    if (JSON.stringify(inOrder) !== JSON.stringify(stored))
      this.#fault(`the messages of ${name} are in the log in another order, or others are`);
  }

  publishes(publishes: readonly PublishRecord[]): void {
    const bySeq = new Map(this.#log.map(({ seq, message }) => [seq, message]));
    const all = this.#log.map(({ message }) => message);
    for (const { text, seq } of publishes) {
      if (seq !== undefined && bySeq.get(seq) !== text)
        this.#fault(`${text} was acknowledged as entry ${seq}, which is ${String(bySeq.get(seq))}`);
      if (all.indexOf(text) !== all.lastIndexOf(text)) this.#fault(`${text} is in the log twice`);
    }
  }

  /** Each increment counts once, in order, and its sender was told so once. */
  counts({ total, tallies }: CounterState, records: readonly ClientRecord[]): void {
    let sum = 0;
    for (const { name, increments, counter } of records) {
      const { count, strays } = tallies[name] ?? { count: 0, strays: [] };
      sum += count;
      const acknowledged = [...increments.values()].filter(({ fate }) => fate === "acknowledged");
      if (count < acknowledged.length || count > increments.size)
        this.#fault(
          `${count} increments of ${name} were counted; ${acknowledged.length} were acknowledged, ${increments.size} sent`,
        );
      if (strays.length > 0) this.#fault(`${name} was counted out of order: ${strays.join()}`);
      const told = counter.flatMap((one) => (one.type === "private" ? [one.message] : []));
      const due = [...increments].flatMap(([number, { how }]) => (how === "send" ? [number] : []));
      if (JSON.stringify(told) !== JSON.stringify(due.slice(0, told.length)))
        this.#fault(`${name} was told ${told.join()} of ${due.join()}`);
      if (count === increments.size && told.length !== due.length)
        this.#fault(`${name} was told ${told.length} of ${due.length}`);
      for (const one of counter)
        if (["rejoined", "error", "snapshot"].includes(one.type) && !isPatience(one))
          this.#fault(`${name} was told ${JSON.stringify(one)} of its counter`);
    }
    if (sum !== total) this.#fault(`the total is ${total}, the sum of all clients ${sum}`);
  }

  #fault(what: string): undefined {
    this.faults.push(what);
    return undefined;
  }
}

/** Two minutes of the client's time without a connection: true, and nothing is lost by it. */
function isPatience(one: Seen): boolean {
  return one.type === "error" && one.code === "WINDSOCK_UNREACHABLE";
}

function asText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("utf8");
  return text.startsWith('"') ? text : JSON.stringify(text);
}

function shown(entry: Entry | undefined): string {
  if (entry === undefined) return "nothing";
  return `${entry.seq} ${entry.message === undefined ? "restarted" : String(entry.message)}`;
}
