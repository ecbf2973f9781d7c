import { expect, test } from "vitest";
import {
  broadcast,
  defineService,
  info,
  OverloadedError,
  type,
  type Client,
  type ServiceContext,
} from "../src/index.ts";
import { RefusedError, settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// A mailbox has a bound, and everybody who meets it gets an answer.

/** A service whose first message holds it up until the gate opens. */
function blocked(limits: Record<string, number> = { maxMailboxMessages: 4 }) {
  const gate = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const busy = defineService({
    limits,
    info: type<unknown>(),
    async handleInfo(what) {
      if (what === "block") await gate.promise;
      else seen.push(what);
    },
    handleBroadcast: (message: unknown) => void seen.push(message),
    handleIncoming(client, message) {
      seen.push(message);
      client.send(`got ${String(message)}`);
    },
  });
  return { busy, seen, open: gate.resolve };
}

test("a broadcast from outside to a full mailbox throws, with the time to try again", async () => {
  const { busy, seen, open } = blocked();
  const { server, reports } = await serve({ busy });
  server.info(busy, "block");
  await settle();
  for (let n = 1; n <= 4; n++) server.broadcast(busy, n);
  let thrown: unknown;
  try {
    broadcast(busy, 5);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(OverloadedError);
  expect((thrown as OverloadedError).retryAfterMs).toBe(1000);
  expect(String(thrown)).toContain("Expected room in the mailbox of busy for a broadcast");
  expect(() => info(busy, 6)).toThrow(OverloadedError);
  open();
  await settle();
  expect(seen).toEqual([1, 2, 3, 4]);
  server.broadcast(busy, 7);
  await settle();
  expect(seen.at(-1)).toBe(7);
  expect(reports).toEqual([]);
});

test("a mailbox is full by bytes as well", async () => {
  const { busy, open } = blocked({ maxMailboxBytes: 1000 });
  const { server } = await serve({ busy });
  server.info(busy, "block");
  await settle();
  server.broadcast(busy, "x".repeat(499));
  server.broadcast(busy, "y");
  expect(server.services()[0]).toMatchObject({ mailboxMessages: 2, mailboxBytes: 1000 });
  expect(() => server.broadcast(busy, "z")).toThrow(OverloadedError);
  open();
});

test("a join to a full mailbox gets 503 with Retry-After", async () => {
  const { busy, open: letGo } = blocked();
  const { server, open } = await serve({ busy });
  server.info(busy, "block");
  await settle();
  for (let n = 1; n <= 4; n++) server.broadcast(busy, n);
  const refused = (await open("busy").catch((error: unknown) => error)) as RefusedError;
  expect(refused).toBeInstanceOf(RefusedError);
  expect(refused.status).toBe(503);
  expect(refused.headers["retry-after"]).toBe("1");
  expect(refused.body).toContain("the mailbox of busy is full");
  letGo();
  await settle();
  expect((await open("busy")).isOpen).toBe(true);
});

test("closes and timers enter a full mailbox", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const busy = defineService({
    limits: { maxMailboxMessages: 2 },
    info: type<string>(),
    async handleInfo(what, _state, service) {
      seen.push(what);
      if (what === "start") service.sendAfter("timer", 10);
      if (what === "block") await gate.promise;
    },
    handleBroadcast: (message: string) => void seen.push(message),
    handleClose: () => void seen.push("close"),
  });
  const { server, open, clock } = await serve({ busy });
  const client = await open("busy");
  await until(clock, () => server.clients(busy).length === 1);
  server.info(busy, "start");
  server.info(busy, "block");
  await settle();
  server.broadcast(busy, "a");
  server.broadcast(busy, "b");
  await clock.advance(10);
  client.cut();
  await until(clock, () => server.services()[0]?.mailboxMessages === 4);
  gate.resolve();
  await settle();
  expect(seen).toEqual(["start", "block", "a", "b", "timer", "close"]);
});

/** Sends as much as the bound lets in, and gives the most that the mailbox ever held. */
async function flood(
  served: Awaited<ReturnType<typeof serve>>,
  client: Awaited<ReturnType<Awaited<ReturnType<typeof serve>>["open"]>>,
  count: number,
): Promise<number> {
  for (let n = 0; n < count; n++) client.send(String(n));
  let most = 0;
  for (let round = 0; round < 50; round++) {
    await served.clock.advance(1);
    most = Math.max(most, served.server.services()[0]?.mailboxMessages ?? 0);
  }
  return most;
}

test("a client that sends more than the mailbox takes is not read any further, and loses nothing", async () => {
  const { busy, seen, open } = blocked({ maxMailboxMessages: 10 });
  const served = await serve({ busy });
  const client = await served.open("busy");
  served.server.info(busy, "block");
  expect(await flood(served, client, 300)).toBeLessThan(100);
  open();
  expect(await client.take(300)).toEqual(Array.from({ length: 300 }, (_, n) => `got ${n}`));
  expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => String(n)));
});

// The edge was told only when a client's own message crossed the bound. A mailbox that
// broadcasts had filled took what clients sent without end.
test("so it is when others have filled the mailbox", async () => {
  const { busy, open } = blocked({ maxMailboxMessages: 10 });
  const served = await serve({ busy });
  const client = await served.open("busy");
  await until(served.clock, () => served.server.clients(busy).length === 1);
  served.server.info(busy, "block");
  await settle();
  for (let n = 0; n < 10; n++) served.server.broadcast(busy, n);
  expect(await flood(served, client, 300)).toBeLessThan(100);
  open();
  expect(await client.take(300)).toHaveLength(300);
});

test("a post from a turn to a full mailbox waits for room, and holds its sender up meanwhile", async () => {
  const { busy, seen, open } = blocked();
  const states: number[] = [];
  const front = defineService({
    init: () => 0,
    handleInfo(_what, state, service) {
      states.push(state);
      broadcast("busy", `post ${state}`);
      service.publish(`done ${state}`);
      return state + 1;
    },
  });
  const { server, clock, reports, open: connect } = await serve({ busy, front });
  const client = await connect("front");
  await until(clock, () => server.clients(front).length === 1);
  server.info(busy, "block");
  await settle();
  for (let n = 1; n <= 4; n++) server.broadcast(busy, n);
  server.info("front", "go");
  server.info("front", "go");
  // The turn is committed, so what it published is out; the next one waits.
  expect(await client.next()).toBe("done 0");
  await clock.advance(1000);
  expect(states).toEqual([0]);
  open();
  expect(await client.next()).toBe("done 1");
  await settle();
  expect(seen).toEqual([1, 2, 3, 4, "post 0", "post 1"]);
  expect(reports).toEqual([]);
});

test("after the time of a callback such a post is reported, the state stays, and the sender goes on", async () => {
  const { busy, seen, open } = blocked();
  const states: number[] = [];
  const front = defineService({
    limits: { callbackTimeoutMs: 100 },
    init: () => 0,
    handleInfo(_what, state) {
      states.push(state);
      if (state === 0) for (const n of [1, 2]) broadcast("busy", `post ${n}`);
      return state + 1;
    },
  });
  const { server, clock, reports } = await serve({ busy, front });
  server.info(busy, "block");
  await settle();
  for (let n = 1; n <= 4; n++) server.broadcast(busy, n);
  server.info("front", "go");
  server.info("front", "go");
  await clock.advance(99);
  expect(reports).toEqual([]);
  await clock.advance(1);
  const report = {
    type: "undelivered",
    address: "busy",
    what: "a broadcast",
    reason: "its mailbox is full",
  };
  expect(reports).toEqual([report, report]);
  expect(states).toEqual([0, 1]);
  open();
  await settle();
  expect(seen).toEqual([1, 2, 3, 4]);
});

test("posts of one turn arrive in their order, also around a wait", async () => {
  const { busy, seen, open } = blocked({ maxMailboxMessages: 2 });
  const front = defineService({
    handleInfo() {
      for (let n = 0; n < 20; n++) {
        if (n % 2 === 0) broadcast("busy", n);
        else info("busy", n);
      }
    },
  });
  const { server } = await serve({ busy, front });
  server.info(busy, "block");
  server.info("front", "go");
  await settle();
  open();
  await settle();
  await settle();
  expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test("a post to one's own full mailbox cannot be waited for: it is reported at once", async () => {
  const seen: unknown[] = [];
  const own = defineService({
    limits: { maxMailboxMessages: 2 },
    info: type<string>(),
    handleInfo(what, _state, service) {
      seen.push(what);
      if (what !== "go") return;
      for (const n of [1, 2, 3]) service.info(`own ${n}`);
    },
  });
  const { server, reports } = await serve({ own });
  server.info(own, "go");
  await settle();
  expect(seen).toEqual(["go", "own 1", "own 2"]);
  expect(reports).toEqual([
    { type: "undelivered", address: "own", what: "an info", reason: "its mailbox is full" },
  ]);
});

test("two services that fill each other's mailboxes do not stop each other for ever", async () => {
  const counts = { a: 0, b: 0 };
  const filling = (name: "a" | "b", other: string) =>
    defineService({
      limits: { maxMailboxMessages: 2, callbackTimeoutMs: 100 },
      handleInfo() {
        for (let n = 0; n < 10; n++) broadcast(other, n);
      },
      handleBroadcast: () => void (counts[name] += 1),
    });
  const { server, clock, reports } = await serve({ a: filling("a", "b"), b: filling("b", "a") });
  server.info("a", "go");
  server.info("b", "go");
  await clock.advance(10_000);
  expect(counts.a + counts.b + reports.length).toBe(20);
  expect(counts.a).toBeGreaterThan(0);
  expect(server.services().every(({ state }) => state === "running")).toBe(true);
});

test("what a turn posts to a service that has stopped or is down is reported", async () => {
  const front = defineService({ handleInfo: () => broadcast("down", "hello") });
  const down = defineService({
    limits: { maxRestarts: 1 },
    handleBroadcast() {
      throw new Error("boom");
    },
  });
  const { server, clock, reports } = await serve({ front, down });
  for (let crash = 0; crash < 2; crash++) server.broadcast(down, "x");
  await until(clock, () => server.services()[1]?.state === "down");
  server.info("front", "go");
  await settle();
  expect(reports.at(-1)).toMatchObject({
    type: "undelivered",
    address: "down",
    reason: "down is down: it restarted too often",
  });
});

// A timer that was refused for the full mailbox still counted: enough of them, and
// `sendAfter` threw for ever.
test("what is sent from outside to a full mailbox throws, and leaves nothing behind", async () => {
  const gate = Promise.withResolvers<void>();
  let context: ServiceContext<string, string> | undefined;
  let theirs: Client<string> | undefined;
  const busy = defineService({
    limits: { maxMailboxMessages: 1, maxTimers: 2, maxSubscriptions: 1 },
    outgoing: type<string>(),
    info: type<string>(),
    init: (service) => void (context = service),
    handleJoin: (client) => void (theirs = client as Client<string>),
    handleInfo: () => gate.promise,
  });
  const { server, open, clock } = await serve({ busy });
  const client = await open("busy");
  await until(clock, () => theirs !== undefined);
  server.info(busy, "block");
  await settle();
  server.broadcast(busy, "fills it");
  for (let n = 0; n < 5; n++) {
    expect(() => context?.sendAfter("x", 1)).toThrow(/room in the mailbox/);
    expect(() => theirs?.subscribe(`topic ${n}`)).toThrow(/room in the mailbox/);
    expect(() => theirs?.send("x")).toThrow(/room in the mailbox/);
  }
  gate.resolve();
  expect(await client.next()).toBe("fills it");
  context?.sendAfter("x", 1);
  await settle();
  theirs?.subscribe("topic");
});

test("a service that posts to itself without end does not hold up others", async () => {
  const endless = defineService({
    info: type<number>(),
    async handleInfo(n, _state, service) {
      if (typeof n !== "number" || isOver) return;
      handled = n;
      if (n < enough) service.info(n + 1);
    },
  });
  const enough = 1_000_000;
  let handled = 0;
  let isOver = false;
  const other = defineService({
    handleIncoming: (client, message) => client.send(String(message)),
  });
  const { server, open } = await serve({ endless, other });
  server.info(endless, 0);
  const client = await open("other");
  for (let n = 0; n < 20; n++) {
    client.send(String(n));
    expect(await client.next()).toBe(String(n));
  }
  isOver = true;
  expect(handled).toBeLessThan(enough);
});
