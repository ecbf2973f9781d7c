import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { ClientError } from "../../src/client/index.ts";
import { defineService, reply, type, type Service } from "../../src/index.ts";
import { Log, type MessageEntry } from "../../src/log/log.ts";
import { settle } from "../../src/testing/index.ts";
import { MemoryWorld, type WorldClient } from "./memory-world.ts";
import { SeededRandom } from "./random.ts";

export type Step =
  /** `size`: of the message, in bytes. */
  | { readonly do: "publish"; readonly topic: "" | "a" | "b"; readonly size: number }
  | { readonly do: "tell"; readonly who: number; readonly size: number }
  | { readonly do: "send"; readonly who: number; readonly topic: "" | "a" | "b" }
  | { readonly do: "call"; readonly who: number }
  | { readonly do: "crash"; readonly who: number }
  /** `back`: so many entries of it before now as well. */
  | { readonly do: "follow b"; readonly who: number; readonly back: number }
  | { readonly do: "unfollow b"; readonly who: number }
  | { readonly do: "cut"; readonly who: number; readonly keptUp: number; readonly keptDown: number }
  | { readonly do: "freeze"; readonly who: number }
  | { readonly do: "stop reading"; readonly who: number }
  | { readonly do: "read some"; readonly who: number; readonly bytes: number }
  | { readonly do: "read on"; readonly who: number }
  | { readonly do: "kill" }
  | { readonly do: "wait"; readonly ms: number };

const clientCount = 2;
const who = fc.nat(clientCount - 1);
const topic = fc.constantFrom("" as const, "a" as const, "b" as const);
const size = fc.oneof(
  { weight: 9, arbitrary: fc.constant(10) },
  { weight: 1, arbitrary: fc.constantFrom(5000, 60_000) },
);

function one<T extends object>(
  weight: number,
  type: string,
  rest: { [K in keyof T]: fc.Arbitrary<T[K]> },
): { weight: number; arbitrary: fc.Arbitrary<Step> } {
  return {
    weight,
    arbitrary: fc.record({ do: fc.constant(type), ...rest }) as unknown as fc.Arbitrary<Step>,
  };
}

export const stepOf = (kills: number): fc.Arbitrary<Step> =>
  fc.oneof(
    one(12, "publish", { topic, size }),
    one(5, "tell", { who, size }),
    one(10, "send", { who, topic }),
    one(3, "call", { who }),
    one(1, "crash", { who }),
    one(3, "follow b", { who, back: fc.nat(6) }),
    one(1, "unfollow b", { who }),
    one(6, "cut", { who, keptUp: fc.nat(4), keptDown: fc.nat(4) }),
    one(1, "freeze", { who }),
    one(2, "stop reading", { who }),
    one(3, "read some", { who, bytes: fc.constantFrom(1, 100, 1000, 100_000) }),
    one(2, "read on", { who }),
    one(kills, "kill", {}),
    one(8, "wait", { ms: fc.constantFrom(0, 1, 10, 10, 100, 1000, 30_000, 70_000) }),
  );

// ---------- what is true ----------

interface Entry {
  readonly seq: number;
  readonly topic: string;
  /** Undefined: the service began anew. */
  readonly text: string | undefined;
}

/** Everything that was ever appended, whether or not it is kept. */
let truth: Entry[] = [];

/** Every log tells from here on what it appends. Gives the way back. */
export function listen(): () => void {
  const logs = Log.prototype;
  // oxlint-disable-next-line typescript/unbound-method -- called with the log that it is called on
  const { append, appendRestarted } = logs;
  logs.append = function (this: Log, ...given): MessageEntry {
    const entry = append.apply(this, given);
    const { seq, topic, payload } = entry;
    truth.push({ seq, topic, text: labelOf(Buffer.from(payload.bytes).toString()) });
    return entry;
  };
  logs.appendRestarted = function (this: Log, now): number {
    const seq = appendRestarted.call(this, now);
    truth.push({ seq, topic: "", text: undefined });
    return seq;
  };
  return () => Object.assign(logs, { append, appendRestarted });
}

/** What it says, without what makes it long. */
function labelOf(text: unknown): string {
  return String(text).split(" ")[0] ?? "";
}

const padded = (label: string, bytes: number): string =>
  bytes <= label.length ? label : `${label} ${"x".repeat(bytes - label.length)}`;

// ---------- what is tested ----------

export interface Kind {
  readonly durable: boolean;
  readonly durableState: boolean;
  readonly hasSnapshot: boolean;
  /** How many entries the log keeps. */
  readonly messages: number;
}

type Told = Map<string, string[]>;

/** Publishes what it is sent, says so to the sender, and knows what it has published. */
function serviceOf({ durable, durableState, hasSnapshot, messages }: Kind, told: Told): Service {
  const service = defineService({
    history: { durable, messages },
    state: { durable: durableState },
    init: (): string[] => [],
    handleJoin(client) {
      client.subscribe("a");
    },
    calls: { ask: { response: type<string>() } },
    handleCall: {
      ask: (_client, _request, state) => reply("yes", state),
    },
    handleIncoming(client, message: unknown, state, service) {
      const { text, topic: to, back } = message as { text: string; topic?: string; back?: number };
      if (to === undefined) {
        if (text === "crash") throw new Error("as asked");
        client.send(text);
        if (text === "follow")
          client.subscribe("b", back === 0 ? {} : { from: Math.max(1, service.seq + 1 - back!) });
        else client.unsubscribe("b");
        return state;
      }
      service.publish(to, text);
      client.send(`echo:${text}`);
      return state.concat(text);
    },
    handleBroadcast(message: unknown, state, service) {
      const { text, topic: to, toId } = message as { text: string; topic: string; toId?: string };
      if (toId === undefined) {
        service.publish(to, text);
        return state.concat(labelOf(text));
      }
      for (const client of service.clients())
        if (client.id === toId) {
          client.send(text);
          told.set(toId, [...(told.get(toId) ?? []), labelOf(text)]);
        }
      return state;
    },
    ...(hasSnapshot ? { snapshot: (state: string[]) => ({ all: state }) } : {}),
  });
  return service;
}

interface Sent {
  readonly text: string;
  outcome: "open" | "done" | ClientError["code"];
}

export class Run {
  /** What did not hold. */
  readonly faults: string[] = [];
  readonly world: MemoryWorld;
  readonly clients: (WorldClient & { readonly sent: Sent[]; crashes: number })[] = [];
  readonly told: Told = new Map();
  readonly #kind: Kind;
  #next = 1;

  constructor(kind: Kind, seed: number) {
    truth = [];
    this.#kind = kind;
    this.world = new MemoryWorld(
      { status: serviceOf(kind, this.told) },
      new SeededRandom(seed).next,
    );
  }

  async steps(steps: readonly Step[]): Promise<void> {
    const { world } = this;
    for (let index = 0; index < clientCount; index++)
      this.clients.push({ ...world.connect("status"), sent: [], crashes: 0 });
    await world.clock.advance(100);
    for (const step of steps) await this.#step(step);
    for (const { bridges } of this.clients) for (const bridge of bridges) bridge.read();
    // A connection that was frozen is noticed by its silence.
    await world.clock.advance(60_000);
    for (let round = 0; round < 60 && !this.#isQuiet; round++) await world.clock.advance(5000);
    // Marks the end of each topic, which everybody must reach.
    for (const to of ["", "a", "b"]) this.#broadcast({ text: `last-${to}`, topic: to });
    await world.clock.advance(5000);
  }

  get #isQuiet(): boolean {
    return this.clients.every(
      ({ channel, sent }) =>
        channel.state.type === "closed" ||
        (channel.state.type === "open" && sent.every(({ outcome }) => outcome !== "open")),
    );
  }

  #broadcast(message: { text: string; topic: string; toId?: string }): void {
    this.world.host.broadcast("status", message);
  }

  async #step(step: Step): Promise<void> {
    const { world } = this;
    const client = "who" in step ? this.clients[step.who]! : this.clients[0]!;
    const label = `${this.#next++}`;
    switch (step.do) {
      case "publish":
        this.#broadcast({ text: padded(`p${label}`, step.size), topic: step.topic });
        break;
      case "tell": {
        const { state } = client.channel;
        const toId = client.joins.at(-1)?.id;
        if (state.type !== "closed" && toId !== undefined)
          this.#broadcast({ text: padded(`t${label}`, step.size), topic: "", toId });
        break;
      }
      case "send":
        this.#send(client, { text: `s${label}`, topic: step.topic });
        break;
      case "call": {
        const sent: Sent = { text: `c${label}`, outcome: "open" };
        client.sent.push(sent);
        outcomeOf(sent, client.channel.call("ask", null, { timeoutMs: 3_600_000 }));
        break;
      }
      case "crash":
        // Three within a minute would end the client.
        if (client.crashes++ < 2) this.#send(client, { text: "crash" });
        break;
      case "follow b":
        this.#send(client, { text: "follow", back: step.back });
        break;
      case "unfollow b":
        this.#send(client, { text: "unfollow" });
        break;
      case "cut":
        for (const end of client.ends) end.cut(step.keptUp, step.keptDown);
        break;
      case "freeze":
        client.ends.at(-1)?.freeze();
        break;
      case "stop reading": {
        const bridge = client.bridges.at(-1);
        if (bridge !== undefined) bridge.isReading = false;
        break;
      }
      case "read some":
        client.bridges.at(-1)?.take(step.bytes);
        break;
      case "read on":
        client.bridges.at(-1)?.read();
        break;
      case "kill": {
        world.kill();
        const seq = world.stored("status")?.seq ?? 0;
        // What was not stored has not happened. The new one has begun, maybe, with a restart.
        truth = truth.filter((entry, index) => entry.seq <= seq || index === truth.length - 1);
        break;
      }
      case "wait":
        await world.clock.advance(step.ms);
        break;
    }
    await settle();
  }

  #send(
    client: (typeof this.clients)[number],
    message: { text: string; topic?: string; back?: number },
  ): void {
    const sent: Sent = { text: message.text, outcome: "open" };
    client.sent.push(sent);
    outcomeOf(sent, client.channel.send(message));
  }

  // ---------- what must hold ----------

  /** Finds what does not hold. */
  check(): void {
    const kinds = this.#kind;
    for (const [index, client] of this.clients.entries()) {
      const name = `client ${index}`;
      this.#same(client.channel.state.type, "open", `${name} is open`);
      this.#checkSegments(name, client);
      this.#checkSent(name, client);
      if (!kinds.hasSnapshot)
        this.#same(
          client.seen.some(({ type }) => type === "snapshot"),
          false,
          `${name} has no snapshot`,
        );
    }
  }

  /** From each join on, what it saw is everything, once, or a snapshot says what it stands for. */
  #checkSegments(name: string, { seen, joins }: WorldClient): void {
    const segments: (typeof seen)[] = [[]];
    for (const one of seen) {
      if (one.type === "rejoined") segments.push([]);
      else segments.at(-1)?.push(one);
    }
    const begun = joins.filter(({ answer }) => answer === "new" || answer === "rejoin");
    this.#same(segments.length, begun.length, `${name} joined anew, and was told`);
    for (const [index, segment] of segments.entries())
      this.#checkSegment(
        `${name}, join ${index}`,
        segment,
        begun[index]!,
        index === segments.length - 1,
      );
  }

  #checkSegment(
    name: string,
    segment: WorldClient["seen"],
    { seq: start, id }: { readonly seq: number; readonly id: string },
    isLast: boolean,
  ): void {
    /** The last entry of each topic that it has, or that a snapshot has replaced. */
    const at = new Map<string, number>([
      ["", start],
      ["a", start],
    ]);
    const privates: string[] = [];
    for (const one of segment) {
      switch (one.type) {
        case "published":
        case "restarted": {
          const to = one.type === "published" ? one.topic : "";
          const text = one.type === "published" ? labelOf(one.message) : undefined;
          const from = at.get(to);
          const due = truth.find(
            (entry) => entry.topic === to && entry.seq > (from ?? one.seq - 1),
          );
          this.#same({ seq: one.seq, topic: to, text }, due, `${name}: what is due in "${to}"`);
          at.set(to, one.seq);
          // Joining again has not renewed it; whoever follows it then says from where.
          if (one.type === "restarted") at.delete("b");
          break;
        }
        case "snapshot": {
          const before = at.get("") ?? 0;
          if (
            truth.some(
              (entry) => entry.text === undefined && entry.seq > before && entry.seq <= one.seq,
            )
          )
            at.delete("b");
          for (const [to, seq] of at) {
            if (to !== "b")
              this.#same(one.seq >= seq, true, `${name}: snapshot ${one.seq} is behind ${seq}`);
            at.set(to, Math.max(seq, one.seq));
          }
          const since = this.#kind.durableState
            ? 0
            : truth.findLastIndex(({ seq, text }) => text === undefined && seq <= one.seq) + 1;
          const all = truth
            .slice(since)
            .filter(({ seq, text }) => seq <= one.seq && text !== undefined);
          const due = { all: all.map(({ text }) => text) };
          this.#same(one.message, due, `${name}: the snapshot after ${one.seq}`);
          break;
        }
        case "private":
          privates.push(labelOf(one.message));
          if (one.message === "unfollow") at.delete("b");
          break;
        case "rejoined":
        case "resumed":
        case "error":
      }
    }
    if (isLast)
      for (const to of ["", "a"])
        this.#same(
          at.get(to),
          truth.findLast(({ topic: other }) => other === to)?.seq,
          `${name}: it is at the end of "${to}"`,
        );
    const told = privates.filter((text) => text.startsWith("t"));
    const due = this.told.get(id) ?? [];
    // A membership that ended may have missed the last ones.
    this.#same(told, isLast ? due : due.slice(0, told.length), `${name}: what it alone was told`);
    const echoes = privates.filter((text) => text.startsWith("echo:"));
    this.#same(echoes, [...new Set(echoes)], `${name}: each echo once`);
  }

  /** What was taken is in the log once, in order; what crashed or was refused is not; what is unknown at most once. */
  #checkSent(name: string, { sent, seen }: (typeof this.clients)[number]): void {
    const messages = sent.filter(({ text }) => text.startsWith("s"));
    const texts = new Set(messages.map(({ text }) => text));
    const inLog = truth.flatMap(({ text }) => (text !== undefined && texts.has(text) ? text : []));
    const taken = new Set(inLog);
    this.#same(
      inLog,
      messages.map(({ text }) => text).filter((text) => taken.has(text)),
      `${name}: its messages in the log`,
    );
    const echoes = new Set(
      seen.flatMap((one) => (one.type === "private" ? labelOf(one.message) : [])),
    );
    for (const { text, outcome } of sent) {
      const isKnown = ["done", "WINDSOCK_UNKNOWN", "WINDSOCK_CRASHED"].includes(outcome);
      this.#same(isKnown, true, `${name}: ${text} ended as ${outcome}`);
      if (!text.startsWith("s")) continue;
      if (outcome !== "WINDSOCK_UNKNOWN")
        this.#same(taken.has(text), outcome === "done", `${name}: ${text}, which is ${outcome}`);
      if (echoes.has(`echo:${text}`)) this.#same(taken.has(text), true, `${name}: echo of ${text}`);
    }
  }

  #same(got: unknown, due: unknown, what: string): void {
    if (isDeepStrictEqual(got, due)) return;
    this.faults.push(`${what}: expected ${JSON.stringify(due)}, got ${JSON.stringify(got)}`);
  }
}

function outcomeOf(sent: Sent, promise: Promise<unknown>): void {
  promise.then(
    () => (sent.outcome = "done"),
    (error: unknown) => (sent.outcome = (error as ClientError).code),
  );
}
