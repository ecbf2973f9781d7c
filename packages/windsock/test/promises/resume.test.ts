import { expect, test } from "vitest";
import { defineService, type Service } from "../../src/index.ts";
import type { ServiceLimits } from "../../src/protocol/limits.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve, type Served } from "../serve.ts";
import { comeBack, joined } from "./members.ts";

/** Sends each of a list to the sender, publishes a text. */
function teller(limits: Partial<ServiceLimits> = {}): Service {
  return defineService({
    limits,
    handleIncoming(client, message, _state, service) {
      if (Array.isArray(message)) for (const one of message) client.send(one as string);
      else service.publish(message as string);
    },
  });
}

async function idle(served: Served, client: EnvelopeClient): Promise<string[]> {
  await client.settled();
  await served.clock.advance(31_000);
  return client.settled();
}

test("an idle client is told its position with the count of its private messages, over a resume as well", async () => {
  const served = await serve(teller());
  const [client, info] = await joined(served);
  client.send({ type: "send", channel: 1, n: 1, payload: ["a", "b", "c"] });
  client.send({ type: "send", channel: 1, n: 2, payload: "published" });
  await client.take(5);
  expect(await idle(served, client)).toEqual(["at 1 3"]);
  client.socket.cut();
  await settle();
  const [back] = await comeBack(served, { ...info, seq: 1, count: 1 });
  expect(await back.take(3)).toEqual(['msg "b"', 'msg "c"', "done 2"]);
  expect(await idle(served, back)).toEqual(["at 1 3"]);
  back.send({ type: "send", channel: 1, n: 3, payload: ["d"] });
  await back.take(2);
  expect(await idle(served, back)).toEqual(["at 1 4"]);
});

test.each([
  ["exactly", "resumed", 0],
  ["one byte more than", "rejoin", 1],
] as const)(
  "a client that has left %s maxPrivateBytes unacknowledged comes back as %s",
  async (_how, answer, more) => {
    const maxPrivateBytes = 1000;
    const served = await serve(teller({ maxPrivateBytes }));
    const [client, info] = await joined(served);
    // Each counts 16 bytes beside its text.
    const payload = ["x".repeat(400), "y".repeat(1000 - 400 - 2 * 16 + more)];
    client.send({ type: "send", channel: 1, n: 1, payload });
    await client.take(3);
    client.socket.cut();
    await settle();
    expect((await comeBack(served, { ...info, seq: 0, count: 0 }))[1].answer).toBe(answer);
  },
);

test("what a client has acknowledged does not count against maxPrivateBytes, and a count that it cannot have reached is ignored", async () => {
  const served = await serve(teller({ maxPrivateBytes: 1000 }));
  const [client, info] = await joined(served);
  const text = "x".repeat(600);
  for (let n = 1; n <= 5; n++) {
    client.send({ type: "send", channel: 1, n, payload: [text] });
    await client.take(2);
    client.send({ type: "ack", channel: 1, count: n });
  }
  client.send({ type: "send", channel: 1, n: 6, payload: ["last"] });
  await client.take(2);
  client.send({ type: "ack", channel: 1, count: 7 });
  await client.settled();
  client.socket.cut();
  await settle();
  const [back, again] = await comeBack(served, { ...info, seq: 0, count: 5 });
  expect(again).toMatchObject({ answer: "resumed", count: 5 });
  expect(await back.take(2)).toEqual(['msg "last"', "done 6"]);
});

test("a resume ends the channel of the old socket without a word: it gets nothing more, and what it sends is dropped", async () => {
  const served = await serve({
    status: teller(),
    other: defineService({ handleIncoming: (client) => client.send("here") }),
  });
  const [first, info] = await joined(served);
  await first.join(2, "other");
  const [second, secondInfo] = await comeBack(served, { ...info, seq: 0, count: 0 });
  const [third] = await comeBack(served, { ...secondInfo, seq: 0, count: 0 });
  for (const old of [first, second])
    old.send({ type: "send", channel: 1, n: 1, payload: "from an old socket" });
  expect(await first.settled()).toEqual([]);
  expect(await second.settled()).toEqual([]);
  served.server.broadcast("status", "to all");
  third.send({ type: "send", channel: 1, n: 1, payload: "from the newest" });
  expect(await third.take(3)).toEqual(['pub 1 "to all"', 'pub 2 "from the newest"', "done 1"]);
  expect(await first.settled()).toEqual([]);
  expect(await second.settled()).toEqual([]);
  // The socket itself stays, with its other channels.
  first.send({ type: "send", channel: 2, n: 1, payload: null });
  expect(await first.take(2)).toEqual(['msg "here"', "done 1"]);
});

// The token is in the memory of a page: a page of another site that shows it has it from somewhere else.
test("a token is bound to the origin of the page that it was given to", async () => {
  const [ours, theirs] = ["https://ours.example", "https://theirs.example"];
  const served = await serve(teller(), { origins: [ours, theirs] });
  const open = (origin?: string) =>
    EnvelopeClient.open(served.server.url, origin === undefined ? {} : { origin });
  const page = await open(ours);
  const { id, ...info } = await page.join(1, "status");
  page.socket.cut();
  await settle();
  const resume = { token: info.token, epoch: info.epoch, seq: 0, count: 0 };
  for (const origin of [theirs, undefined]) {
    const other = await open(origin);
    const { answer, ...joined } = await other.join(1, "status", { resume });
    expect(answer).toBe("rejoin");
    expect(joined.id).not.toBe(id);
  }
  const again = await open(ours);
  expect(await again.join(1, "status", { resume })).toMatchObject({ answer: "resumed", id });
});

/** Keeps two entries. `topic text` is published there, `text` to everybody; `+topic` is followed by all who are there. */
function writer(): Service {
  return defineService({
    history: { messages: 2 },
    handleBroadcast(message: string, _state, service) {
      const [topic = "", text] = message.split(" ");
      if (text !== undefined) service.publish(topic, text);
      else if (topic.startsWith("+"))
        for (const client of service.clients()) client.subscribe(topic.slice(1));
      else if (topic === "-") for (const client of service.clients()) client.unsubscribe("");
      else service.publish(message);
    },
  });
}

test.each([
  ["entries went of topics that it does not follow", [], ["x 1", "x 2", "x 3", "own"], "resumed"],
  ["nothing that it follows went", ["+news"], ["x 1", "x 2", "own", "news 4"], "resumed"],
  ["an entry went of a topic that it follows", ["+news"], ["news 1", "own", "own"], "rejoin"],
  ["an entry of the service's own log went", ["+news"], ["own", "news 2", "news 3"], "rejoin"],
  [
    "it has left the service's own log, of which one went",
    ["+news", "-"],
    ["own", "news 2", "news 3"],
    "resumed",
  ],
] as const)(
  "whether a client misses something is asked of what it follows: %s",
  async (_what, before, whileAway, answer) => {
    const served = await serve(writer());
    const [client, info] = await joined(served);
    for (const order of before) served.server.broadcast("status", order);
    await client.settled();
    client.socket.cut();
    await settle();
    for (const order of whileAway) served.server.broadcast("status", order);
    await settle();
    const [, again] = await comeBack(served, { ...info, seq: 0, count: 0 });
    expect(again.answer).toBe(answer);
  },
);

const own = ['pub 4 "own 4"', 'pub 5 "own 5"'];
/** What a new join gets: the backlog, as far as it is kept. */
const anew = ["log news 0", 'pub 3 "3"'];

test.each([
  ["the next entry of it went", 1, ["rejoin", ...anew]],
  ["the last one that it has went", 2, ["resumed", "log news 2", 'pub 3 "3"', ...own]],
  ["nothing of it had come, and its first entry went", undefined, ["rejoin", ...anew]],
])(
  "a backlog that a cut came into goes on where it was, or not at all: %s",
  async (_what, tail, expected) => {
    const service = defineService({
      history: { messages: 3 },
      init: (self) => {
        for (const text of ["1", "2", "3"]) self.publish("news", text);
      },
      handleJoin: (client) => client.subscribe("news", { from: 0 }),
    });
    const served = await serve(service);
    const [client, { token, epoch }] = await joined(served);
    client.socket.cut();
    await settle();
    for (const text of ["own 4", "own 5"]) served.server.broadcast("status", text);
    await settle();
    const back = await EnvelopeClient.open(served.server.url);
    const resume = {
      token,
      epoch,
      seq: 3,
      count: 0,
      ...(tail === undefined ? {} : { tails: { news: tail } }),
    };
    const { answer: got } = await back.join(1, "status", { resume });
    expect([got, ...(await back.settled())]).toEqual(expected);
  },
);
