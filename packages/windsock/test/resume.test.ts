import { expect, test } from "vitest";
import { z } from "zod";
import { defineService, reply, type Service } from "../src/index.ts";
import { settle } from "../src/testing/index.ts";
import { EnvelopeClient } from "./envelope-client.ts";
import { serve, type Served } from "./serve.ts";

/** Publishes what it is sent, and says "got" to the sender. Remembers what happened to it. */
function recorder(options: { snapshot?: boolean; messages?: number } = {}) {
  const events: string[] = [];
  const service = defineService({
    ...(options.messages === undefined ? {} : { history: { messages: options.messages } }),
    init: () => [] as unknown[],
    handleJoin(client) {
      events.push(`join ${client.joinReason}`);
    },
    handleDrop: () => void events.push("drop"),
    handleResume: () => void events.push("resume"),
    handleClose(_client, reason) {
      events.push(`close ${reason.type}`);
    },
    handleIncoming(client, message, state, service) {
      if (message === "crash") throw new Error("as asked");
      service.publish(message as string);
      client.send("got");
      return [...state, message];
    },
    ...(options.snapshot === true ? { snapshot: (state: unknown[]) => ({ all: state }) } : {}),
  });
  return { service, events };
}

async function openIn(served: Served): Promise<EnvelopeClient> {
  return EnvelopeClient.open(served.server.url);
}

/** Lets the server notice that a socket is gone. */
async function noticed(events: readonly string[], event: string): Promise<void> {
  for (let round = 0; round < 1000 && !events.includes(event); round++) await settle();
  expect(events).toContain(event);
}

test("elements that a later version puts behind a payload are passed over", async () => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  await client.join(1, "status");
  client.socket.send('["send",1,1,{"a":1},"later",[2]]');
  client.socket.send('["send", 1, 2, "spaced", null]');
  expect(await client.take(5)).toEqual([
    'pub 1 {"a":1}',
    'msg "got"',
    'pub 2 "spaced"',
    'msg "got"',
    "done 2",
  ]);
});

test("a message is published to everybody, answered to its sender, and done", async () => {
  const served = await serve(recorder().service);
  const one = await openIn(served);
  const two = await openIn(served);
  const info = await one.join(1, "status");
  await two.join(1, "status");
  expect(info).toMatchObject({
    answer: "new",
    seq: 0,
    count: 0,
    done: 0,
    graceMs: 60_000,
    params: {},
  });
  one.send({ type: "send", channel: 1, n: 1, payload: { a: 1 } });
  expect(await one.take(3)).toEqual(['pub 1 {"a":1}', 'msg "got"', "done 1"]);
  expect(await two.take(1)).toEqual(['pub 1 {"a":1}']);
});

test("bytes travel as bytes, both ways", async () => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  await client.join(1, "status");
  client.send({ type: "send", channel: 1, n: 1, payload: new Uint8Array([1, 2, 0xff]) });
  expect(await client.take(3)).toEqual(["pub 1 bytes 0102ff", 'msg "got"', "done 1"]);
});

test("after a cut, all that was missed comes in the order of its commits", async () => {
  const { service, events } = recorder();
  const served = await serve(service);
  const first = await openIn(served);
  const info = await first.join(1, "status");
  first.send({ type: "send", channel: 1, n: 1, payload: "a" });
  await first.take(3);
  first.socket.cut();
  await noticed(events, "drop");
  served.server.broadcast("status", "while away");
  const second = await openIn(served);
  const { token, epoch } = info;
  const again = await second.join(7, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again).toMatchObject({ answer: "resumed", id: info.id, seq: 0, count: 0, done: 1 });
  expect(again.token).not.toBe(token);
  expect(await second.take(4)).toEqual(['pub 1 "a"', 'msg "got"', 'pub 2 "while away"', "done 1"]);
  expect(events).toEqual(["join new", "drop", "resume"]);
});

test("a number that was done is not handled again, and said to be done", async () => {
  const { service, events } = recorder();
  const served = await serve(service);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.send({ type: "send", channel: 1, n: 1, payload: "a" });
  await first.take(3);
  first.socket.cut();
  await noticed(events, "drop");
  const second = await openIn(served);
  await second.join(1, "status", { resume: { token, epoch, seq: 1, count: 1 } });
  expect(await second.take(1)).toEqual(["done 1"]);
  second.send(
    { type: "send", channel: 1, n: 1, payload: "a" },
    { type: "send", channel: 1, n: 2, payload: "b" },
  );
  expect(await second.take(3)).toEqual(['pub 2 "b"', 'msg "got"', "done 2"]);
});

test("when the grace is over the client is closed, and coming back is a new join", async () => {
  const { service, events } = recorder();
  const served = await serve(service);
  const first = await openIn(served);
  const { token, epoch, id } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  await served.clock.advance(59_999);
  expect(events).toEqual(["join new", "drop"]);
  await served.clock.advance(1);
  expect(events).toEqual(["join new", "drop", "close lost"]);
  const second = await openIn(served);
  const again = await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again.answer).toBe("rejoin");
  expect(again.id).not.toBe(id);
  expect(events.at(-1)).toBe("join rejoin");
});

test("a log that no longer reaches back is answered with a snapshot at exactly one seq, and everything after it", async () => {
  const { service, events } = recorder({ snapshot: true, messages: 2 });
  const served = await serve(service);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  for (const text of ["a", "b", "c"]) served.server.broadcast("status", text);
  const second = await openIn(served);
  const again = await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again.answer).toBe("snapshot");
  expect(await second.take(1)).toEqual(['snapshot 3 {"all":[]}']);
  served.server.broadcast("status", "d");
  expect(await second.take(1)).toEqual(['pub 4 "d"']);
});

test("a log that no longer reaches back, without a snapshot, is a new join", async () => {
  const { service, events } = recorder({ messages: 2 });
  const served = await serve(service);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  for (const text of ["a", "b", "c"]) served.server.broadcast("status", text);
  const second = await openIn(served);
  const again = await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again).toMatchObject({ answer: "rejoin", seq: 3, done: 0, count: 0 });
  expect(events).toEqual(["join new", "drop", "close lost", "join rejoin"]);
});

test.each([
  ["another epoch", { epoch: "0000000000000000" }],
  ["an unknown token", { token: "nobody.secret" }],
  ["a wrong secret", { secret: true }],
  ["a position from the future", { seq: 99 }],
  ["more private messages than there were", { count: 99 }],
])(
  "%s is no resume",
  async (
    _name,
    wrong: { epoch?: string; token?: string; secret?: boolean; seq?: number; count?: number },
  ) => {
    const { service, events } = recorder();
    const served = await serve(service);
    const first = await openIn(served);
    const { token, epoch, id } = await first.join(1, "status");
    first.socket.cut();
    await noticed(events, "drop");
    const second = await openIn(served);
    const resume = {
      epoch,
      token: wrong.secret === true ? `${id}.AAAAAAAAAAAAAAAAAAAAAA` : token,
      seq: 0,
      count: 0,
      ...wrong,
    };
    expect((await second.join(1, "status", { resume })).answer).toBe("rejoin");
  },
);

test("a token is good for one resume, the one before it until the client speaks", async () => {
  const { service, events } = recorder();
  const served = await serve(service);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  // The answer with the new token is lost: the old one must do once more.
  const lost = await openIn(served);
  await lost.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  const second = await openIn(served);
  expect(
    (await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } })).answer,
  ).toBe("resumed");
  expect(await lost.settled()).toEqual([]);
  second.send({ type: "send", channel: 1, n: 1, payload: "heard" });
  await second.take(3);
  const third = await openIn(served);
  expect(
    (await third.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } })).answer,
  ).toBe("rejoin");
  expect(second.socket.isOpen).toBe(true);
});

test("leaving is for good", async () => {
  const { service, events } = recorder();
  const served = await serve(service);
  const client = await openIn(served);
  const { token, epoch } = await client.join(1, "status");
  client.send({ type: "leave", channel: 1 });
  await client.settled();
  await settle();
  expect(events).toEqual(["join new", "close closed"]);
  const again = await client.join(2, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again.answer).toBe("rejoin");
});

test("a client whose end waits for a busy service cannot be resumed into it", async () => {
  const gate = Promise.withResolvers<void>();
  const events: string[] = [];
  const busy = defineService({
    handleJoin: (client) => void events.push(`join ${client.joinReason}`),
    handleClose: () => void events.push("close"),
    handleIncoming: () => gate.promise,
  });
  const served = await serve(busy);
  const client = await openIn(served);
  const { token, epoch, id } = await client.join(1, "status");
  client.send({ type: "send", channel: 1, n: 1, payload: "wait" }, { type: "leave", channel: 1 });
  await client.settled();
  const resume = { token, epoch, seq: 0, count: 0 };
  const other = await openIn(served);
  const again = client.join(2, "status", { resume });
  // A way there and back, on a socket that is read after the first.
  await other.settled();
  await other.settled();
  gate.resolve();
  const answer = await again;
  expect(answer.answer).toBe("rejoin");
  expect(answer.id).not.toBe(id);
  expect(events).toEqual(["join new", "close", "join rejoin"]);
});

test("a crash is answered, told and survived", async () => {
  const { service, events } = recorder();
  const served = await serve(service);
  const client = await openIn(served);
  await client.join(1, "status");
  client.send(
    { type: "send", channel: 1, n: 1, payload: "crash" },
    { type: "send", channel: 1, n: 2, payload: "on" },
  );
  expect(await client.take(5)).toEqual([
    "error 1 crashed",
    "restarted 1",
    'pub 2 "on"',
    'msg "got"',
    "done 2",
  ]);
  expect(events).toEqual(["join new", "join restart"]);
  expect(served.reports).toHaveLength(1);
});

test("after a crash a service with a snapshot sends one", async () => {
  const { service } = recorder({ snapshot: true });
  const served = await serve(service);
  const client = await openIn(served);
  await client.join(1, "status");
  client.send({ type: "send", channel: 1, n: 1, payload: "crash" });
  expect((await client.take(4)).sort()).toEqual([
    "done 1",
    "error 1 crashed",
    "restarted 1",
    'snapshot 1 {"all":[]}',
  ]);
});

const teller: Service = defineService({
  incoming: z.object({ text: z.string() }),
  calls: { double: { request: z.number() }, fail: {} },
  handleIncoming: () => undefined,
  handleCall: {
    double: (client, request) =>
      reply({ twice: request * 2, by: client === undefined ? "server" : "client" } as never),
    fail: () => {
      throw new Error("as asked");
    },
  },
});

test("calls are answered by name, with typed refusals", async () => {
  const served = await serve(teller);
  const client = await openIn(served);
  await client.join(1, "status");
  const call = (n: number, name: string, payload: unknown) =>
    client.send({ type: "call", channel: 1, n, name, timeoutMs: 1000, payload });
  call(1, "double", 21);
  expect(await client.take(2)).toEqual(['reply 1 {"twice":42,"by":"client"}', "done 1"]);
  call(2, "double", "x");
  expect(await client.take(2)).toEqual(["error 2 invalid", "done 2"]);
  call(3, "toString", 1);
  expect(await client.take(2)).toEqual(["error 3 unknown_call", "done 3"]);
  client.send({ type: "send", channel: 1, n: 4, payload: { text: 5 } });
  expect(await client.take(2)).toEqual(["error 4 invalid", "done 4"]);
  call(5, "fail", null);
  expect((await client.take(3)).sort()).toEqual(["done 5", "error 5 crashed", "restarted 1"]);
});

test("a message over the limit is refused in its turn, and the socket stays", async () => {
  const served = await serve(recorder().service, { limits: { maxPayloadBytes: 1000 } });
  const client = await openIn(served);
  await client.join(1, "status");
  const overhead = '["send",1,1,""]'.length;
  client.send({ type: "send", channel: 1, n: 1, payload: "x".repeat(1000 - overhead) });
  expect((await client.take(3)).at(-1)).toBe("done 1");
  client.send({ type: "send", channel: 1, n: 2, payload: "x".repeat(1001 - overhead) });
  expect(await client.take(2)).toEqual(["error 2 too_big", "done 2"]);
});

test("a channel ends when a number is left out; the socket stays", async () => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  await client.join(1, "status");
  client.send({ type: "send", channel: 1, n: 2, payload: 1 });
  expect(await client.take(1)).toEqual(["closed 1002 end"]);
  expect((await client.join(2, "status")).answer).toBe("new");
});

test("a channel ends when more is sent than there is credit for", async () => {
  // Its first turn never ends, so no credit is given back.
  const stuck = defineService({ handleIncoming: () => new Promise<void>(() => undefined) });
  const served = await serve(stuck);
  const client = await openIn(served);
  await client.join(1, "status");
  for (let n = 1; n <= 140; n++)
    client.send({ type: "send", channel: 1, n, payload: "x".repeat(1000) });
  expect(await client.take(1)).toEqual(["closed 1008 end"]);
});

test("a socket that sends three times its rate is slowed to it, whatever its channels, and loses nothing", async () => {
  const handled: number[] = [];
  const counter = () =>
    defineService({ handleIncoming: (_client, message) => void handled.push(message as number) });
  const services = { one: counter(), two: counter() };
  const served = await serve(services, { limits: { maxMessagesPerSecond: 100 } });
  const client = await openIn(served);
  await client.join(1, "one");
  await client.join(2, "two");
  for (let index = 0; index < 300; index++)
    client.send({ type: "send", channel: (index % 2) + 1, n: (index >> 1) + 1, payload: index });
  const other = await openIn(served);
  for (let round = 0; round < 10; round++) await other.settled();
  // Two of its hundred were the joins.
  expect(handled).toHaveLength(98);
  await served.clock.advance(1000);
  expect(handled.length).toBeGreaterThanOrEqual(196);
  expect(handled.length).toBeLessThanOrEqual(200);
  await served.clock.advance(1500);
  expect(handled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, at) => at));
  expect(handled.filter((index) => index % 2 === 0)).toEqual(
    Array.from({ length: 150 }, (_, at) => at * 2),
  );
});

test("several services share a socket, and one that is joined twice has other numbers", async () => {
  const served = await serve({ a: recorder().service, b: recorder().service });
  const client = await openIn(served);
  const one = await client.join(1, "a");
  const two = await client.join(2, "b");
  const three = await client.join(3, "a");
  expect(new Set([one.log, two.log, three.log]).size).toBe(3);
  served.server.broadcast("a", "x");
  const pubs = [await client.next("pub"), await client.next("pub")];
  expect(new Set(pubs.map(({ log }) => log))).toEqual(new Set([one.log, three.log]));
});

test("a join is refused with its reason, and takes its channel with it", async () => {
  const door = defineService({
    authorize: ({ auth }) =>
      auth === "sesame" ? { name: "Ali" } : new Response("No entry.", { status: 403 }),
    handleJoin: (client) => client.send(`hello ${client.user.name}`),
  });
  const served = await serve({ door }, { limits: { maxChannels: 2 } });
  const client = await openIn(served);
  client.send({ type: "join", channel: 1, path: "nobody", options: {} });
  expect(await client.next("error")).toMatchObject({ channel: 1, n: 0, code: "not_found" });
  client.send({ type: "join", channel: 2, path: "../door", options: {} });
  expect(await client.next("error")).toMatchObject({ channel: 2, n: 0, code: "bad_join" });
  client.send({ type: "join", channel: 3, path: "door", options: { auth: "please" } });
  expect(await client.next("error")).toMatchObject({
    channel: 3,
    n: 0,
    code: "refused",
    message: "No entry.",
    detail: { status: 403 },
  });
  await client.join(4, "door", { auth: "sesame" });
  expect(await client.take(1)).toEqual(['msg "hello Ali"']);
  await client.join(5, "door", { auth: "sesame" });
  await client.take(1);
  client.send({ type: "join", channel: 6, path: "door", options: { auth: "sesame" } });
  expect(await client.next("error")).toMatchObject({ channel: 6, n: 0, code: "overloaded" });
});

// Where a log of the app's ended was read by the edge, and forgotten with the socket: a client that was
// cut before anything came began at the end that the log had when it was back.
test("a log of the app's that is followed from its end on is whole over a cut before its first part", async () => {
  const lines = ["old"];
  const events: string[] = [];
  const logger = defineService({
    init: (service) =>
      service.log("file", {
        head: () => lines.length,
        read: (from) => ({ messages: lines.slice(from), next: lines.length }),
      }),
    handleJoin: (client) => client.subscribe("file"),
    handleDrop: () => void events.push("drop"),
    handleBroadcast(line: string, _state, service) {
      lines.push(line);
      service.advance("file");
    },
  });
  const served = await serve(logger);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  served.server.broadcast("status", "missed");
  await settle();
  const second = await openIn(served);
  await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(await second.take(1)).toEqual(['tail file 2 "missed"']);
  served.server.broadcast("status", "new");
  expect(await second.take(1)).toEqual(['tail file 3 "new"']);
});

test("so is one whose end was not known yet when its client was cut", async () => {
  const lines = ["old"];
  const events: string[] = [];
  const ends: ((offset: number) => void)[] = [];
  const logger = defineService({
    init: (service) =>
      service.log("file", {
        head: () => new Promise<number>((resolve) => ends.push(resolve)),
        read: (from) => ({ messages: lines.slice(from), next: lines.length }),
      }),
    handleJoin: (client) => client.subscribe("file"),
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(logger);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  const second = await openIn(served);
  await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  lines.push("missed");
  for (const [index, answer] of ends.entries()) answer(index + 1);
  expect(await second.take(1)).toEqual(['tail file 2 "missed"']);
  expect(await second.settled()).toEqual([]);
});

// The error was thrown where nobody waited for it: these 14 bytes of anybody ended the process.
test.each([
  ['["auth",9,"x"]'],
  ['["send",9,1,null]'],
  ['["call",9,1,"x",0,null]'],
  ['["cancel",9,1]'],
  ['["ack",9,1]'],
])("%s on a channel that was never joined ends its socket, and nothing else", async (message) => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  client.socket.send(message);
  expect(await client.socket.closed).toMatchObject({
    code: 1002,
    reason: "Expected a channel that was joined, got 9.",
  });
  const other = await openIn(served);
  expect(await other.join(1, "status")).toMatchObject({ answer: "new" });
});

// Each was asked by itself: the answer to a later token could come first, and any number waited.
test("new tokens are answered in order, and of those that wait the newest is asked for all", async () => {
  const asked: unknown[] = [];
  const answers = new Map<unknown, (user: unknown) => void>();
  const door = defineService({
    authorize: ({ auth }) => {
      asked.push(auth);
      if (auth === "first") return auth;
      return new Promise<unknown>((resolve) => answers.set(auth, resolve));
    },
    handleIncoming: (client) => client.send(client.user as string),
  });
  const served = await serve({ door });
  const client = await openIn(served);
  await client.join(1, "door", { auth: "first" });
  for (const payload of ["slow", "passed over", "newest"])
    client.send({ type: "auth", channel: 1, payload });
  expect(await client.settled()).toEqual([]);
  expect(asked).toEqual(["first", "slow"]);
  answers.get("slow")?.(new Response("No.", { status: 403 }));
  expect(await client.next("error")).toMatchObject({ n: 0, code: "refused", message: "No." });
  while (!answers.has("newest")) await settle();
  answers.get("newest")?.("newest");
  expect(await client.take(2)).toEqual(["authed", "authed"]);
  expect(asked).toEqual(["first", "slow", "newest"]);
  client.send({ type: "send", channel: 1, n: 1, payload: null });
  expect(await client.take(2)).toEqual(['msg "newest"', "done 1"]);
});

test("a new token is taken on a live session, or refused without ending it", async () => {
  const door = defineService({
    authorize: ({ auth }) =>
      typeof auth === "string" ? { name: auth } : new Response("Who?", { status: 401 }),
    handleIncoming: (client) => client.send(client.user.name),
  });
  const served = await serve({ door });
  const client = await openIn(served);
  await client.join(1, "door", { auth: "one" });
  client.send({ type: "auth", channel: 1, payload: "two" });
  await client.next("authed");
  client.send({ type: "send", channel: 1, n: 1, payload: null });
  expect(await client.take(2)).toEqual(['msg "two"', "done 1"]);
  client.send({ type: "auth", channel: 1, payload: 5 });
  expect(await client.next("error")).toMatchObject({ n: 0, code: "refused" });
  client.send({ type: "send", channel: 1, n: 2, payload: null });
  expect(await client.take(2)).toEqual(['msg "two"', "done 2"]);
});

test("another user than before is no resume", async () => {
  const events: string[] = [];
  const door = defineService({
    authorize: ({ auth }) => ({ name: auth }),
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve({ door });
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "door", { auth: "one" });
  first.socket.cut();
  await noticed(events, "drop");
  const thief = await openIn(served);
  expect(
    (await thief.join(1, "door", { auth: "two", resume: { token, epoch, seq: 0, count: 0 } }))
      .answer,
  ).toBe("rejoin");
  const owner = await openIn(served);
  expect(
    (await owner.join(1, "door", { auth: "one", resume: { token, epoch, seq: 0, count: 0 } }))
      .answer,
  ).toBe("resumed");
});

test("topics and backlogs are told where they begin, and go on where a cut came", async () => {
  const events: string[] = [];
  const news = defineService({
    handleJoin: (client, _state, service) => {
      if (client.joinReason === "new")
        for (const text of ["a", "b", "c"]) service.publish("news", text);
      client.subscribe("news", { from: 0 });
    },
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(news);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  expect(await first.take(4)).toEqual(["log news 0", 'pub 1 "a"', 'pub 2 "b"', 'pub 3 "c"']);
  first.socket.cut();
  await noticed(events, "drop");
  const second = await openIn(served);
  // The client had the first of the backlog's entries when the cut came.
  const resume = { token, epoch, seq: 3, count: 0, tails: { news: 1 } };
  expect((await second.join(1, "status", { resume })).answer).toBe("resumed");
  expect(await second.take(3)).toEqual(["log news 1", 'pub 2 "b"', 'pub 3 "c"']);
});

test("a topic whose backlog had not begun for the client begins as it did at first", async () => {
  const events: string[] = [];
  const news = defineService({
    handleJoin: (client, _state, service) => {
      for (const text of ["a", "b", "c"]) service.publish("news", text);
      client.subscribe("news", { from: 2 });
    },
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(news);
  const first = await openIn(served);
  // The cut comes behind `joined`: its `seq` is that of the subscription.
  const { token, epoch, seq } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  served.server.broadcast("status", "own");
  const second = await openIn(served);
  const resume = { token, epoch, seq, count: 0 };
  expect((await second.join(1, "status", { resume })).answer).toBe("resumed");
  expect(await second.take(4)).toEqual(["log news 1", 'pub 2 "b"', 'pub 3 "c"', 'pub 4 "own"']);
});

test("what was subscribed to while the client was away begins in its place", async () => {
  const events: string[] = [];
  const news = defineService({
    handleDrop: () => void events.push("drop"),
    handleBroadcast(message: string, _state, service) {
      if (message === "follow")
        for (const client of service.clients()) client.subscribe("news", { from: 2 });
      else service.publish(message.startsWith("n") ? "news" : "", message);
    },
  });
  const served = await serve(news);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  for (const text of ["n1", "n2", "o3", "follow", "n4", "o5"])
    served.server.broadcast("status", text);
  await settle();
  const second = await openIn(served);
  const resume = { token, epoch, seq: 0, count: 0 };
  expect((await second.join(1, "status", { resume })).answer).toBe("resumed");
  const expected = ['pub 3 "o3"', "log news 1", 'pub 2 "n2"', 'pub 4 "n4"', 'pub 5 "o5"'];
  expect(await second.take(5)).toEqual(expected);
});

test("a log of the app's of which nothing had come begins where it was to begin", async () => {
  const events: string[] = [];
  const file = defineService({
    init: (service) =>
      service.log("file", {
        head: () => 8,
        read: (from) => ({ messages: from < 8 ? [`${from}..`] : [], next: Math.min(8, from + 4) }),
      }),
    handleJoin: (client) => client.subscribe("file", { from: 4 }),
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(file);
  const first = await openIn(served);
  const { token, epoch, seq } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  const second = await openIn(served);
  await second.join(1, "status", { resume: { token, epoch, seq, count: 0 } });
  expect(await second.take(1)).toEqual(['tail file 8 "4.."']);
});

test("a client that was away while the state began anew misses no message, and gets a snapshot", async () => {
  const { service, events } = recorder({ snapshot: true });
  const served = await serve(service);
  const away = await openIn(served);
  const { token, epoch } = await away.join(1, "status");
  away.socket.cut();
  await noticed(events, "drop");
  const other = await openIn(served);
  await other.join(1, "status");
  other.send({ type: "send", channel: 1, n: 1, payload: "crash" });
  await other.take(4);
  served.server.broadcast("status", "since");
  const back = await openIn(served);
  const resume = { token, epoch, seq: 0, count: 0 };
  const again = await back.join(1, "status", { resume });
  expect(again).toMatchObject({ answer: "resumed", seq: 0 });
  const state = 'snapshot 2 {"all":[]}';
  expect(await back.take(3)).toEqual(["restarted 1", 'pub 2 "since"', state]);
  // As for a cut between the restart and its snapshot.
  back.socket.cut();
  const last = await openIn(served);
  await last.join(1, "status", { resume: { token: again.token, epoch, seq: 1, count: 0 } });
  expect(await last.take(2)).toEqual(['pub 2 "since"', state]);
});

test("a log of the app's goes on at the offset that was reached", async () => {
  const text = "0123456789";
  const events: string[] = [];
  const file = defineService({
    init: (service) => {
      service.log("file", {
        head: () => text.length,
        read: (from) => ({
          messages: from < text.length ? [text.slice(from, from + 4)] : [],
          next: Math.min(text.length, from + 4),
        }),
      });
    },
    handleJoin: (client) => client.subscribe("file", { from: 0 }),
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(file);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  expect(await first.take(3)).toEqual([
    'tail file 4 "0123"',
    'tail file 8 "4567"',
    'tail file 10 "89"',
  ]);
  first.socket.cut();
  await noticed(events, "drop");
  const second = await openIn(served);
  await second.join(1, "status", {
    resume: { token, epoch, seq: 0, count: 0, tails: { file: 8 } },
  });
  expect(await second.take(1)).toEqual(['tail file 10 "89"']);
});

test("a client that received nothing hears its position after half a minute", async () => {
  const quiet = defineService({
    handleBroadcast: (message: string, _state, service) => service.publish("others", message),
  });
  const served = await serve(quiet);
  const client = await openIn(served);
  await client.join(1, "status");
  served.server.broadcast("status", "x");
  await client.settled();
  await served.clock.advance(31_000);
  expect(await client.take(1)).toEqual(["at 1 0"]);
});

test("a server that stops says so first", async () => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  await client.join(1, "status");
  const stopped = served.server.stop();
  expect(await client.next("draining")).toMatchObject({ windowMs: 10_000 });
  expect(await client.socket.closed).toMatchObject({ code: 1012 });
  served.clock.speed();
  await stopped;
});

test.each([
  ["nothing", ""],
  ["no array", '{"type":"send"}'],
  ["half an array", '["send",1'],
  ["a channel that was never joined", '["send",9,1,null]'],
  ["a channel of zero", '["join",0,"status",{}]'],
  ["numbers that are none", '["send","1","1",null]'],
])("%s is a protocol error", async (_name, text) => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  client.socket.send(text);
  expect(await client.socket.closed).toMatchObject({ code: 1002 });
});

test("a payload that is not JSON is refused as such", async () => {
  const served = await serve(recorder().service);
  const client = await openIn(served);
  await client.join(1, "status");
  client.socket.send('["send",1,1,{"a":]');
  expect(await client.take(2)).toEqual(["error 1 invalid", "done 1"]);
});

/** What a presence envelope says: `+a -b`, `=` before everybody. */
async function heard(client: EnvelopeClient): Promise<string> {
  const { changes } = await client.next("presence");
  const words = [...changes.join.map(({ id }) => `+${id}`), ...changes.leave.map((id) => `-${id}`)];
  return `${changes.all === true ? "=" : ""}${words.join(" ")}`;
}

test("clients are told who is there: one entry for several tabs, a linger over short absences", async () => {
  const lounge = defineService({
    presence: true,
    authorize: ({ auth }) => ({ id: String(auth), secret: "of the server" }),
    calls: { who: {} },
    handleCall: { who: (_client, _request, _state, service) => reply(service.presence() as never) },
  });
  const served = await serve(lounge);
  const one = await openIn(served);
  await one.join(1, "status", { auth: "ann" });
  expect(await heard(one)).toBe("=+ann");
  const two = await openIn(served);
  await two.join(1, "status", { auth: "bob" });
  expect(await heard(two)).toBe("=+ann +bob");
  expect(await heard(one)).toBe("+bob");
  const tab = await openIn(served);
  await tab.join(1, "status", { auth: "bob" });
  expect(await heard(tab)).toBe("=+ann +bob");
  tab.send({ type: "leave", channel: 1 });
  two.send({ type: "leave", channel: 1 });
  await two.settled();
  // Bob loads the page again: nobody hears of it.
  await settle();
  await served.clock.advance(1900);
  const again = await openIn(served);
  await again.join(1, "status", { auth: "bob" });
  expect(await heard(again)).toBe("=+ann +bob");
  again.send({ type: "leave", channel: 1 });
  await again.settled();
  await settle();
  await served.clock.advance(2000);
  expect(await heard(one)).toBe("-bob");
  one.send({ type: "call", channel: 1, n: 1, name: "who", timeoutMs: 1000, payload: null });
  expect(await one.take(2)).toEqual(['reply 1 [{"id":"ann"}]', "done 1"]);
});

// The others went on seeing who it was before.
test("a new token that makes a client somebody else is seen as one who comes and one who goes", async () => {
  const lounge = defineService({
    authorize: ({ auth }) => ({ id: String(auth) }),
    presence: { lingerMs: 0 },
  });
  const served = await serve(lounge);
  const one = await openIn(served);
  await one.join(1, "status", { auth: "ann" });
  await heard(one);
  const two = await openIn(served);
  await two.join(1, "status", { auth: "bob" });
  await heard(two);
  expect(await heard(one)).toBe("+bob");
  two.send({ type: "auth", channel: 1, payload: "bob" });
  await two.next("authed");
  two.send({ type: "auth", channel: 1, payload: "cid" });
  expect(await heard(two)).toBe("-bob");
  expect(await heard(two)).toBe("=+ann +cid");
  await two.next("authed");
  expect(await heard(one)).toBe("-bob");
  expect(await heard(one)).toBe("+cid");
});

test("presence outlives a cut, and is told whole to who comes back", async () => {
  const events: string[] = [];
  const lounge = defineService({
    authorize: ({ auth }) => String(auth),
    presence: { entry: (client) => ({ id: client.user, mood: "fine" }), lingerMs: 0 },
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(lounge);
  const one = await openIn(served);
  await one.join(1, "status", { auth: "ann" });
  await heard(one);
  const two = await openIn(served);
  const { token, epoch } = await two.join(1, "status", { auth: "bob" });
  await heard(two);
  await heard(one);
  two.socket.cut();
  await noticed(events, "drop");
  const back = await openIn(served);
  await back.join(1, "status", { auth: "bob", resume: { token, epoch, seq: 0, count: 0 } });
  expect((await back.next("presence")).changes).toEqual({
    join: [
      { id: "ann", mood: "fine" },
      { id: "bob", mood: "fine" },
    ],
    leave: [],
    all: true,
  });
  expect(await one.settled()).toEqual([]);
  back.send({ type: "leave", channel: 1 });
  expect(await heard(one)).toBe("-bob");
});

test("of each key only the newest comes to who was away, and the log being short is no gap", async () => {
  const events: string[] = [];
  const prices = defineService({
    history: { messages: 2, latest: (message) => (message as { key?: string }).key },
    handleDrop: () => void events.push("drop"),
  });
  const served = await serve(prices);
  const first = await openIn(served);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await noticed(events, "drop");
  for (const [key, value] of [
    ["a", 1],
    ["b", 1],
    ["a", 2],
    ["a", 3],
    ["c", 1],
    ["c", 2],
  ])
    served.server.broadcast("status", { key, value });
  const second = await openIn(served);
  const again = await second.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again.answer).toBe("resumed");
  expect(await second.take(3)).toEqual([
    'pub 2 {"key":"b","value":1}',
    'pub 4 {"key":"a","value":3}',
    'pub 6 {"key":"c","value":2}',
  ]);
});
