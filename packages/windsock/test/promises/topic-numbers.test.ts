import { expect, onTestFinished, test } from "vitest";
import { Batch } from "../../src/edge/batch.ts";
import { Feed } from "../../src/edge/feed.ts";
import { LogNumbers, maxNumberedTopics } from "../../src/edge/voice.ts";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { MemoryWorld, type RawSession } from "../faults/memory-world.ts";

// A number was given to each topic that any client of `windsock.v1` ever followed, and kept as long
// as anybody was there: a service with a topic for each of its customers' orders never forgot one.

/** `+topic` and `-topic` follow and leave, for the client that says it, `*topic` follows from its beginning; `topic text` is published there. */
const desk = defineService({
  handleIncoming(client, message, _state, service) {
    for (const order of (message as string).split(",")) {
      const [topic = "", text] = order.split(" ");
      if (text !== undefined) service.publish(topic, text);
      else if (topic.startsWith("+")) client.subscribe(topic.slice(1));
      else if (topic.startsWith("*")) client.subscribe(topic.slice(1), { from: 0 });
      else client.unsubscribe(topic.slice(1));
    }
  },
});

function startWorld(): MemoryWorld {
  const world = new MemoryWorld({ desk }, () => 0.5);
  onTestFinished(() => world.end());
  return world;
}

class Speaker {
  session: RawSession;
  #n = 0;
  #read = 0;
  #token = "";
  #epoch = "";
  readonly #topics = new Map<number, string>();

  constructor(session: RawSession) {
    this.session = session;
  }

  async join(): Promise<void> {
    await this.session.send({ type: "join", channel: 1, path: "desk", options: {} });
    await settle();
    this.heard();
  }

  /** On another socket, from the beginning of the log. */
  async comeBack(session: RawSession): Promise<void> {
    this.session = session;
    this.#read = 0;
    this.#topics.clear();
    const resume = { token: this.#token, epoch: this.#epoch, seq: 0, count: 0 };
    await session.send({ type: "join", channel: 1, path: "desk", options: { resume } });
    await settle();
  }

  async say(...orders: string[]): Promise<void> {
    this.#n += 1;
    await this.session.send({ type: "send", channel: 1, n: this.#n, payload: orders.join(",") });
    await settle();
  }

  /** What has come since, as a client sees it: a `pub` is for it while its number means something. */
  heard(): string[] {
    const envelopes = this.session.received();
    const heard: string[] = [];
    for (const envelope of envelopes.slice(this.#read)) {
      if (envelope.type === "joined") {
        this.#token = envelope.info.token;
        this.#epoch = envelope.info.epoch;
        this.#topics.set(envelope.info.log, "own");
      } else if (envelope.type === "log") this.#topics.set(envelope.log, envelope.topic);
      else if (envelope.type === "unlog") this.#topics.delete(envelope.log);
      else if (envelope.type === "pub") {
        const topic = this.#topics.get(envelope.log);
        if (topic !== undefined) heard.push(`${topic} ${envelope.payload as string}`);
      }
    }
    this.#read = envelopes.length;
    return heard;
  }
}

/** More topics than have a number at a time, followed and left, some at a time. */
async function comeAndGo(speaker: Speaker): Promise<void> {
  for (let first = 0; first < 2 * maxNumberedTopics; first += 50) {
    const topics = Array.from({ length: 50 }, (_, index) => `order-${first + index}`);
    await speaker.say(...topics.map((topic) => `+${topic}`));
    await speaker.say(...topics.map((topic) => `-${topic}`));
  }
}

test("topics that nobody follows any more lose their numbers, and who follows one again misses nothing", async () => {
  const world = startWorld();
  const [busy, faithful] = [new Speaker(world.openSession()), new Speaker(world.openSession())];
  await busy.join();
  await faithful.join();
  await faithful.say("+kept");
  await busy.say("+order-1", "-order-1");
  await comeAndGo(busy);
  await busy.say("+order-1");
  await busy.say("order-1 one", "kept two", "order-2 three");
  expect(busy.heard()).toEqual(["order-1 one"]);
  expect(faithful.heard()).toEqual(["kept two"]);
});

test("a topic keeps its number for a client that reads slowly, in its backlog and behind it", async () => {
  const world = startWorld();
  const [busy, late, slow] = [0, 1, 2].map(() => new Speaker(world.openSession()));
  if (busy === undefined || late === undefined || slow === undefined) throw new Error("nobody");
  for (const speaker of [busy, late, slow]) await speaker.join();
  await slow.say("+new");
  slow.session.transport.isReading = false;
  const texts = Array.from({ length: 200 }, (_, index) => `${index}`.padEnd(1000, "."));
  for (const text of texts) await busy.say(`new ${text}`, `old ${text}`);
  late.session.transport.isReading = false;
  await late.say("*old");
  await comeAndGo(busy);
  for (const [speaker, topic] of [
    [slow, "new"],
    [late, "old"],
  ] as const) {
    speaker.session.transport.read();
    for (let round = 0; round < 20; round++) await settle();
    expect(speaker.heard()).toEqual(texts.map((text) => `${topic} ${text}`));
  }
});

test("what was framed for one client with a number that is forgotten is framed anew for the next", async () => {
  const world = startWorld();
  const [busy, one, two, slow] = [0, 1, 2, 3].map(() => new Speaker(world.openSession()));
  if (busy === undefined || one === undefined || two === undefined || slow === undefined)
    throw new Error("nobody");
  for (const speaker of [busy, one, two, slow]) await speaker.join();
  for (const speaker of [one, two]) {
    await speaker.say("+news");
    speaker.session.transport.leave();
  }
  // It keeps the entries where all are served from.
  slow.session.transport.isReading = false;
  const text = "x".repeat(40_000);
  for (let count = 0; count < 3; count++) await busy.say(` ${text}`);
  await busy.say("news hello");
  await one.comeBack(world.openSession());
  await one.say("-news");
  await comeAndGo(busy);
  await two.comeBack(world.openSession());
  expect(two.heard()).toEqual([...Array.from({ length: 3 }, () => `own ${text}`), "news hello"]);
});

test("at most 1,000 topics have a number beside those that are followed", () => {
  const feed = new Feed("desk");
  const voice = feed.envelopeVoice(0, new LogNumbers());
  const own = voice.numberOf("");
  for (let topic = 1; topic < maxNumberedTopics; topic++) voice.numberOf(`t${topic}`);
  feed.flush(1, new Batch());
  expect(voice.size).toBe(maxNumberedTopics);
  const last = voice.numberOf("one more");
  feed.flush(1, new Batch());
  expect(voice.size).toBe(1);
  expect(voice.numberOf("")).toBe(own);
  expect(voice.numberOf("one more")).toBeGreaterThan(last);
});
