import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { deserialize } from "node:v8";
import { SqliteHistory } from "../../src/log/sqlite-history.ts";
import { FaultProxy, type Direction, type LineFaults } from "../../src/testing/index.ts";
import { Checker, type ClientRecord, type Fate, type PublishRecord } from "./checker.ts";
import type { CounterState, Increment } from "./durable-server.ts";
import { SeededRandom } from "./random.ts";
import { ServerProcess } from "./server-process.ts";
import { TestClient, type TestChannel } from "./test-client.ts";

export interface FaultRunOptions {
  readonly clients: number;
  readonly cuts: number;
  readonly kills: number;
  /** Stops in order (SIGTERM), with a start after each. @default 0 */
  readonly stops?: number;
  readonly seed: number;
  /** Told of the run as it goes. */
  readonly log?: (line: string) => void;
}

export interface FaultRunResult {
  /** What did not hold; empty if everything did. */
  readonly faults: string[];
  readonly figures: {
    readonly cuts: number;
    readonly kills: number;
    readonly stops: number;
    readonly otherFaults: number;
    readonly resumes: number;
    readonly entries: number;
    readonly acknowledged: number;
    readonly unknown: number;
    readonly increments: number;
    readonly deliveries: number;
    readonly ms: number;
  };
}

const settleMs = 40_000;
const token = "0123456789abcdef";

/** One client, on a line of its own that is treated badly. */
class Talker {
  readonly name: string;
  readonly proxy: FaultProxy;
  readonly #client: TestClient;
  readonly #news: TestChannel;
  readonly #counter: TestChannel;
  readonly #sends = new Map<string, Fate>();
  readonly #increments = new Map<number, { how: "send" | "call"; fate: Fate }>();
  readonly #open = new Set<Promise<void>>();
  readonly #random: SeededRandom;
  readonly failures: string[] = [];

  constructor(name: string, proxy: FaultProxy, random: SeededRandom) {
    this.name = name;
    this.proxy = proxy;
    this.#random = random;
    this.#client = new TestClient({ random: () => random.next() * 0.5 });
    this.#news = this.#client.connect("news", proxy.url);
    this.#counter = this.#client.connect("counter", proxy.url);
  }

  /** Says something: to everybody, or to the counter. */
  talk(): void {
    if (this.#open.size > 200) return;
    if (this.#random.next() < 0.6) {
      const padding = this.#random.next() < 0.1 ? "x".repeat(this.#random.between(1, 3000)) : "";
      const text = `${this.name}:${this.#sends.size + 1}${padding && ` ${padding}`}`;
      this.#sends.set(text, "unknown");
      this.#watch(this.#news.channel.send(text), () => this.#sends.set(text, "acknowledged"));
      return;
    }
    const increment: Increment = { from: this.name, number: this.#increments.size + 1 };
    const one = {
      how: this.#random.pick<"send" | "call">(["send", "call"]),
      fate: "unknown" as Fate,
    };
    this.#increments.set(increment.number, one);
    const { channel } = this.#counter;
    const done =
      one.how === "send"
        ? channel.send(increment)
        : channel.call("add", increment, { timeoutMs: 3_600_000 }).then((number) => {
            if (number !== increment.number)
              this.failures.push(`call ${increment.number} was answered ${String(number)}`);
          });
    this.#watch(done, () => (one.fate = "acknowledged"));
  }

  #watch(done: Promise<void>, acknowledged: () => void): void {
    const settled = done.then(acknowledged, (error: unknown) => {
      this.failures.push(String(error));
    });
    const open: Promise<void> = settled.then(() => void this.#open.delete(open));
    this.#open.add(open);
  }

  /** Whether everything that it sent is settled, and it has seen this entry. */
  hasSettled(seq: number): boolean {
    const last = this.#news.seen.findLast(({ type }) => type === "published");
    return this.#open.size === 0 && last?.type === "published" && last.seq >= seq;
  }

  get isJoined(): boolean {
    return this.#news.channel.state.type === "open" && this.#counter.channel.state.type === "open";
  }

  get where(): string {
    const { state } = this.#news.channel;
    const last = this.#news.seen.findLast(({ type }) => type === "published");
    return `${this.name}: ${state.type}/${this.#counter.channel.state.type}, ${this.#open.size} open, last ${JSON.stringify(last)?.slice(0, 80)}`;
  }

  readCounter(): Promise<CounterState> {
    return this.#counter.channel.call("read", null, {
      timeoutMs: 100_000,
    }) as Promise<CounterState>;
  }

  record(): ClientRecord {
    return {
      name: this.name,
      joins: this.#client.joins,
      news: this.#news.seen,
      counter: this.#counter.seen,
      sends: this.#sends,
      increments: this.#increments,
    };
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.proxy.close();
  }
}

/** Clients that talk, a server that dies, and lines that break between them; then all is compared. */
export async function faultRun(options: FaultRunOptions): Promise<FaultRunResult> {
  const run = new FaultRun(options);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

class FaultRun {
  readonly #options: FaultRunOptions;
  readonly #random: SeededRandom;
  readonly #server = new ServerProcess();
  readonly #talkers: Talker[] = [];
  readonly #publishes: PublishRecord[] = [];
  #isTalking = false;
  #cuts = 0;
  #otherFaults = 0;
  readonly #began = performance.now();

  constructor(options: FaultRunOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  async run(): Promise<FaultRunResult> {
    const { clients, cuts, kills, stops = 0, log } = this.#options;
    await this.#server.start();
    for (let index = 0; index < clients; index++) {
      const proxy = await FaultProxy.open(this.#server.port);
      const random = new SeededRandom(this.#random.between(1, 2 ** 31));
      this.#talkers.push(new Talker(`c${index}`, proxy, random));
    }
    await this.#until(() => this.#talkers.every(({ isJoined }) => isJoined), "all have joined");
    this.#isTalking = true;
    const talking = Promise.all([...this.#talkers.map((one) => this.#talk(one)), this.#publish()]);
    const ends = [
      ...Array.from({ length: kills }, () => "SIGKILL" as const),
      ...Array.from({ length: stops }, () => "SIGTERM" as const),
    ];
    // Spread evenly over the cuts.
    for (let done = 0; done < ends.length || this.#cuts < cuts;) {
      await sleep(this.#random.between(20, 120));
      await this.#disturb();
      const signal = ends[done];
      if (signal === undefined || this.#cuts < ((done + 1) * cuts) / (ends.length + 1)) continue;
      done += 1;
      log?.(`${signal} ${done} after ${this.#cuts} cuts`);
      await this.#restart(signal);
    }
    this.#isTalking = false;
    await talking;
    for (const { proxy } of this.#talkers) {
      proxy.set("up", {});
      proxy.set("down", {});
    }
    const last = await this.#publishOne("last");
    if (last === undefined) throw new Error("Expected the last publish to be taken.");
    await this.#until(
      () => this.#talkers.every((one) => one.hasSettled(last)),
      "everybody has all, and all that was sent is settled",
    );
    const { stderr } = this.#server;
    if (stderr !== "") throw new Error(`Expected no report of the server, got: ${stderr}`);
    return this.#check(await this.#talkers[0]!.readCounter());
  }

  async end(): Promise<void> {
    this.#isTalking = false;
    await Promise.all(this.#talkers.map((one) => one.close()));
    await this.#server.remove();
  }

  async #restart(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#server.end(signal);
    if (this.#random.next() < 0.5) await sleep(this.#random.between(1, 200));
    await this.#server.start();
  }

  // ---------- what they say ----------

  async #talk(talker: Talker): Promise<void> {
    while (this.#isTalking) {
      for (let burst = this.#random.between(1, 3); burst > 0; burst--) talker.talk();
      await sleep(this.#random.between(5, 60));
    }
  }

  async #publish(): Promise<void> {
    for (let number = 1; this.#isTalking; number++) {
      await this.#publishOne(`http:${number}`);
      await sleep(this.#random.between(20, 100));
    }
  }

  async #publishOne(text: string): Promise<number | undefined> {
    const answer = await fetch(`${this.#server.url}/websocket/news`, {
      method: "POST",
      body: text,
      headers: { authorization: `Bearer ${token}` },
    })
      .then(async (response) =>
        response.ok ? ((await response.json()) as { seq: number }) : undefined,
      )
      .catch(() => undefined);
    this.#publishes.push({ text, seq: answer?.seq });
    return answer?.seq;
  }

  // ---------- what happens to them ----------

  async #disturb(): Promise<void> {
    const random = this.#random;
    const { proxy } = this.#talkers[random.between(0, this.#talkers.length - 1)]!;
    const direction = random.pick<Direction>(["up", "down"]);
    const forAWhile = async (faults: LineFaults, ms: number): Promise<void> => {
      proxy.set(direction, faults);
      await sleep(ms);
      proxy.set(direction, {});
    };
    const kind = random.next();
    if (kind < 0.25) this.#cut(proxy);
    else if (kind < 0.5) {
      // In the middle of a frame, most likely.
      await forAWhile({ cutAfterBytes: random.between(1, 2000) }, random.between(30, 150));
      this.#cut(proxy);
    } else if (kind < 0.6) {
      // Half-open, until it breaks: what is under way is lost.
      await forAWhile({ isFrozen: true }, random.between(20, 200));
      this.#cut(proxy);
    } else if (kind < 0.63) for (const one of this.#talkers) this.#cut(one.proxy);
    else if (kind < 0.66) {
      this.#cut(proxy);
      proxy.refuse(true);
      await sleep(random.between(10, 200));
      proxy.refuse(false);
    } else {
      this.#otherFaults += 1;
      const slow = random.pick<LineFaults>([
        { delayMs: random.between(5, 80) },
        { bytesPerSecond: random.between(2000, 40_000) },
        { chunkBytes: random.between(1, 7) },
        { isFrozen: true },
        { delayMs: random.between(5, 40), chunkBytes: random.between(1, 30) },
      ]);
      void forAWhile(slow, random.between(50, 400));
    }
  }

  #cut(proxy: FaultProxy): void {
    this.#cuts += 1;
    proxy.cut();
  }

  // ---------- what became of it ----------

  async #check(counter: CounterState): Promise<FaultRunResult> {
    const { kills, stops = 0 } = this.#options;
    await this.#server.end();
    const database = new DatabaseSync(this.#server.file);
    const integrity = database.prepare("PRAGMA integrity_check").get()?.["integrity_check"];
    database.close();
    const history = new SqliteHistory(this.#server.file);
    const [news, stored] = [history.load("news"), history.load("counter")];
    history.close();
    if (news === undefined || stored?.state === undefined)
      throw new Error("Expected a stored log and state, got none.");
    const checker = new Checker(news);
    const faults = this.#talkers.flatMap(({ failures }) => failures);
    if (integrity !== "ok") faults.push(`the database: ${String(integrity)}`);
    if (JSON.stringify(deserialize(stored.state)) !== JSON.stringify(counter))
      faults.push("the stored state is another than the one that was read");
    const records = this.#talkers.map((one) => one.record());
    checker.log();
    for (const record of records) {
      checker.view(record);
      checker.sends(record);
    }
    checker.publishes(this.#publishes);
    checker.counts(counter, records);
    const sends = records.flatMap((one) => [...one.sends.values()]);
    const resumes = records.flatMap(({ joins }) => joins.filter((one) => one.answer === "resumed"));
    return {
      faults: [...faults, ...checker.faults],
      figures: {
        cuts: this.#cuts,
        kills,
        stops,
        otherFaults: this.#otherFaults,
        resumes: resumes.length,
        entries: checker.entries,
        acknowledged: sends.filter((fate) => fate === "acknowledged").length,
        unknown: sends.filter((fate) => fate === "unknown").length,
        increments: counter.total,
        deliveries: records.reduce((sum, { news }) => sum + news.length, 0),
        ms: Math.round(performance.now() - this.#began),
      },
    };
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + settleMs;
    while (!isSo()) {
      if (performance.now() > deadline) {
        const where = this.#talkers.map((one) => one.where).join("\n");
        throw new Error(
          `Expected that ${what}, in ${settleMs} ms (seed ${this.#options.seed}). ${this.#server.stderr}\n${where}`,
        );
      }
      await sleep(10);
    }
  }
}
