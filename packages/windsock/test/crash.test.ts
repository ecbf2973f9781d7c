import { expect, test } from "vitest";
import {
  broadcast,
  defineService,
  noreply,
  stop,
  type,
  type Client,
  type CloseReason,
  type ServiceContext,
} from "../src/index.ts";
import { RefusedError, settle, type PlainClient } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// What a crash costs, what it does not, and where it ends.

/** Crashes on the message or broadcast "crash"; says what it is told. */
function fragile(limits: Record<string, number> = {}) {
  const seen: string[] = [];
  const probe = defineService({
    limits,
    init(service) {
      seen.push("init");
      return service.name;
    },
    handleJoin(client, _state, service) {
      seen.push(`join ${client.joinReason}`);
      client.send(`${client.joinReason} ${[...service.clients()].indexOf(client)}`);
    },
    handleClose: (_client, reason) => void seen.push(`close ${reason.type}`),
    handleIncoming(client, message) {
      if (message === "crash") throw new Error("boom");
      client.send(`got ${String(message)}`);
    },
    handleBroadcast(message: string, _state, service) {
      if (message === "crash") throw new Error("boom");
      service.publish(message);
    },
    terminate: (reason) => void seen.push(`terminate ${reason.type}`),
  });
  return { probe, seen };
}

test("after a crash the sockets stay, and every member joins again, in the order of the joins", async () => {
  const { probe, seen } = fragile();
  const { server, open, clock } = await serve({ probe });
  const clients: PlainClient[] = [];
  for (let n = 0; n < 3; n++) {
    const client = await open("probe");
    expect(await client.next()).toBe(`new ${n}`);
    clients.push(client);
  }
  const before = server.clients("probe");
  seen.length = 0;
  server.broadcast("probe", "crash");
  for (const [n, client] of clients.entries()) expect(await client.next()).toBe(`restart ${n}`);
  expect(seen).toEqual(["terminate error", "init", "join restart", "join restart", "join restart"]);
  expect(server.clients("probe")).toEqual(before);
  server.broadcast("probe", "all are here");
  for (const client of clients) expect(await client.next()).toBe("all are here");
  await until(clock, () => server.services()[0]?.generation === 2);
});

test("the joins are replayed ahead of the kept mailbox, and the message that crashed it is gone", async () => {
  const { probe } = fragile();
  const { server, open } = await serve({ probe });
  const client = await open("probe");
  expect(await client.next()).toBe("new 0");
  for (const message of ["one", "crash", "two", "crash", "three"])
    server.broadcast("probe", message);
  expect(await client.take(5)).toEqual(["one", "restart 0", "two", "restart 0", "three"]);
});

test("the log and its numbers go on; a restart takes a number of its own", async () => {
  const { probe } = fragile();
  const { server, open, clock } = await serve({ probe });
  const client = await open("probe");
  server.broadcast("probe", "one");
  await until(clock, () => server.services()[0]?.seq === 1);
  server.broadcast("probe", "crash");
  server.broadcast("probe", "two");
  expect(await client.take(4)).toEqual(["new 0", "one", "restart 0", "two"]);
  expect(server.services()[0]).toMatchObject({ generation: 2, seq: 3 });
});

test("a join that throws closes that client alone, with 1011", async () => {
  let restarts = 0;
  const probe = defineService({
    init: () => void restarts++,
    handleJoin(client) {
      if (client.request.url.searchParams.has("bad")) throw new Error("boom");
      client.send("welcome");
    },
    handleClose: () => {
      throw new Error("its join never was");
    },
  });
  const { open, reports, clock } = await serve({ probe });
  const good = await open("probe");
  const bad = await open("probe?bad");
  expect(await bad.closed).toEqual({ code: 1011, reason: "joining failed" });
  expect(bad.received).toEqual([]);
  expect(await good.take(2)).toEqual(["welcome", "welcome"]);
  await clock.advance(1000);
  expect(reports).toHaveLength(1);
  expect(restarts).toBe(2);
});

// `terminate` still counted it as a client, so what it sent to all stood ahead of the close
// in the queue of a client that had never joined, and nothing ever left that queue.
/** Refuses to take who comes with `?bad`, in the middle of its work. */
function picky(open: Promise<void> = Promise.resolve()) {
  const seen: string[] = [];
  const probe = defineService({
    init: () => void seen.push("init"),
    async handleJoin(client) {
      seen.push(`join ${client.joinReason}`);
      await open;
      if (client.request.url.search === "?bad") throw new Error("cannot take it");
      client.send("hello");
    },
    handleIncoming: (client, message) => client.send(`got ${String(message)}`),
    handleBroadcast() {
      throw new Error("boom");
    },
  });
  return { probe, seen };
}

// Each join that threw spent a restart of the service: eleven bad connections took it
// down for everybody.
test("joins that throw close the door, not the service: its members stay, and hear nothing of a 1011", async () => {
  const { probe, seen } = picky();
  const { server, open, clock, reports } = await serve({ probe });
  const member = await open("probe");
  expect(await member.next()).toBe("hello");
  const knock = async (): Promise<unknown> => {
    const client = await open("probe?bad").catch((error: unknown) => error);
    return client instanceof Error ? client : (client as PlainClient).closed;
  };
  for (let n = 0; n < 11; n++) {
    expect(await knock()).toEqual({ code: 1011, reason: "joining failed" });
    expect(await member.next()).toBe("hello");
  }
  const refused = await knock();
  expect(refused).toBeInstanceOf(RefusedError);
  expect(refused).toMatchObject({ status: 503 });
  expect(server.services()[0]).toMatchObject({ state: "running", clients: 1 });
  expect(reports.at(-1)).toMatchObject({ type: "failure", where: "joining probe" });
  member.send("and on");
  expect(await member.next()).toBe("got and on");
  // The good ones wait with the bad, for a second.
  await expect(open("probe")).rejects.toMatchObject({ status: 503 });
  await clock.advance(1000);
  const late = await open("probe");
  expect(await late.next()).toBe("hello");
  // As long as the bad ones come, it waits longer each time.
  await clock.advance(9000);
  for (let n = 0; n < 11; n++) {
    await knock();
    await member.next();
    await late.next();
  }
  await clock.advance(1000);
  await expect(open("probe")).rejects.toMatchObject({ status: 503 });
  await clock.advance(1000);
  const later = await open("probe");
  expect(await later.next()).toBe("hello");
  expect(seen.filter((one) => one === "init")).toHaveLength(23);
});

test("who stood in the mailbox when the door closed is told to come back later", async () => {
  const gate = Promise.withResolvers<void>();
  const { probe } = picky(gate.promise);
  const { open, reports } = await serve({ probe });
  const opened = await Promise.all(Array.from({ length: 20 }, () => open("probe?bad")));
  gate.resolve();
  const codes = await Promise.all(opened.map(async ({ closed }) => (await closed).code));
  expect(codes.filter((code) => code === 1011)).toHaveLength(11);
  expect(codes.filter((code) => code === 1013)).toHaveLength(9);
  expect(reports.filter(({ type }) => type === "failure")).toHaveLength(1);
});

test("joins that throw take nothing from the budget of the service, nor it from theirs", async () => {
  const { probe } = picky();
  const { server, open, clock } = await serve({ probe });
  for (let n = 0; n < 10; n++) {
    await (
      await open("probe?bad")
    ).closed;
    server.broadcast("probe", "crash");
    await until(clock, () => server.services()[0]?.state === "running");
  }
  expect(await (await open("probe")).next()).toBe("hello");
  expect(server.services()[0]?.state).toBe("running");
});

test("a client whose join failed is closed even if terminate sends to every client", async () => {
  const counts: number[] = [];
  const probe = defineService({
    handleJoin() {
      throw new Error("boom");
    },
    terminate(_reason, _state, service) {
      counts.push([...service.clients()].length);
      service.sendAll(service.clients(), "goodbye");
    },
  });
  const { open } = await serve({ probe });
  const client = await open("probe");
  expect(await client.closed).toMatchObject({ code: 1011 });
  expect(client.received).toEqual([]);
  expect(counts).toEqual([0]);
});

test("replays that lose clients spend one restart at most; the others join a state that saw no half", async () => {
  let generation = 0;
  const probe = defineService({
    limits: { maxRestarts: 1 },
    init: () => {
      generation += 1;
      return [] as Client[];
    },
    handleJoin(client, clients) {
      const bad = client.request.url.searchParams.get("bad");
      if (client.joinReason === "restart" && bad !== null) throw new Error(`bad ${bad}`);
      client.send(`${client.joinReason} ${clients.length}`);
      return [...clients, client];
    },
    handleBroadcast(message: string, _clients, service) {
      if (message === "crash") throw new Error("boom");
      service.publish(message);
    },
  });
  const { server, open, clock } = await serve({ probe });
  const good = await open("probe");
  const bad = [await open("probe?bad=1"), await open("probe?bad=2")];
  const last = await open("probe");
  await until(clock, () => server.clients("probe").length === 4);
  server.broadcast("probe", "crash");
  for (const client of bad)
    expect(await client.closed).toEqual({ code: 1011, reason: "joining again failed" });
  server.broadcast("probe", "end");
  // The first pass found the bad ones, the second one begins from `init`.
  expect(await good.take(4)).toEqual(["new 0", "restart 0", "restart 0", "end"]);
  expect(await last.take(4)).toEqual(["new 3", "restart 1", "restart 1", "end"]);
  expect(server.services()[0]).toMatchObject({ state: "running", generation: 2, clients: 2 });
  expect(generation).toBe(3);
});

// Each pass that was given up had run `init`, and nobody ran `terminate` for it.
test("every incarnation that began ends with terminate, also one that a replay gave up", async () => {
  const open: string[] = [];
  let count = 0;
  const probe = defineService({
    init() {
      count += 1;
      open.push(`resource ${count}`);
      return `resource ${count}`;
    },
    handleJoin(client) {
      if (client.joinReason === "restart") throw new Error("boom");
    },
    handleInfo() {
      throw new Error("boom");
    },
    terminate: (_reason, resource) => void open.splice(open.indexOf(resource), 1),
  });
  const { server, open: connect, clock } = await serve({ probe });
  const client = await connect("probe");
  await until(clock, () => server.clients("probe").length === 1);
  server.info("probe", "crash");
  await client.closed;
  await until(clock, () => server.services()[0]?.state === "running");
  expect(open).toEqual(["resource 3"]);
  await server.stop();
  expect(open).toEqual([]);
});

// `init` had not given a state: `terminate` got `undefined` where its type says otherwise.
test("terminate is not called for an incarnation whose init failed", async () => {
  const ends: unknown[] = [];
  let attempts = 0;
  const probe = defineService({
    init() {
      attempts += 1;
      if (attempts < 3) throw new Error("no database");
      return { ready: true };
    },
    terminate: (_reason, state) => void ends.push(state),
  });
  const { server, clock, reports } = await serve({ probe });
  await until(clock, () => server.services()[0]?.state === "running");
  expect(attempts).toBe(3);
  expect(ends).toEqual([]);
  expect(reports.map((one) => one.type === "crash" && one.callback)).toEqual(["init", "init"]);
});

test("a client that leaves while the joins are replayed is joined, then closed, once each", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const probe = defineService({
    async handleJoin(client) {
      if (client.joinReason === "restart") await gate.promise;
      seen.push(`join ${client.joinReason} ${client.request.url.search}`);
    },
    handleClose: (client) => void seen.push(`close ${client.request.url.search}`),
    handleInfo() {
      throw new Error("boom");
    },
  });
  const { server, open, clock } = await serve({ probe });
  const [first, second] = [await open("probe?1"), await open("probe?2")];
  await until(clock, () => server.clients("probe").length === 2);
  server.info("probe", "crash");
  await until(clock, () => server.services()[0]?.generation === 2);
  first.cut();
  await until(clock, () => server.services()[0]?.mailboxMessages === 1);
  second.cut();
  await until(clock, () => server.services()[0]?.mailboxMessages === 2);
  gate.resolve();
  await until(clock, () => server.services()[0]?.clients === 0);
  expect(seen).toEqual([
    "join new ?1",
    "join new ?2",
    "join restart ?1",
    "join restart ?2",
    "close ?1",
    "close ?2",
  ]);
});

test("handleClose that crashes is not run again: that client is gone", async () => {
  const seen: string[] = [];
  const probe = defineService({
    handleJoin: (client) => void seen.push(`join ${client.joinReason}`),
    handleClose() {
      seen.push("close");
      throw new Error("boom");
    },
  });
  const { server, open, clock } = await serve({ probe });
  const client = await open("probe");
  await until(clock, () => seen.length === 1);
  client.close();
  await until(clock, () => server.services()[0]?.generation === 2);
  await clock.advance(100);
  expect(seen).toEqual(["join new", "close"]);
  expect(server.services()[0]?.clients).toBe(0);
});

test("ten restarts in ten seconds are borne, the eleventh crash is down; other services go on", async () => {
  const { probe } = fragile();
  const other = defineService({});
  const { server, open, clock, reports } = await serve({ probe, other });
  const client = await open("probe");
  const bystander = await open("other");
  for (let crash = 1; crash <= 10; crash++) server.broadcast("probe", "crash");
  await until(clock, () => server.services()[0]?.generation === 11);
  expect(server.services()[0]?.state).toBe("running");
  expect(client.isOpen).toBe(true);
  server.broadcast("probe", "crash");
  expect(await client.closed).toEqual({ code: 1011, reason: "the service is down" });
  expect(server.services()[0]?.state).toBe("down");
  expect(reports.at(-1)).toEqual({
    type: "down",
    service: "probe",
    address: "probe",
    retryAfterMs: 1000,
  });

  const refused = (await open("probe").catch((error: unknown) => error)) as RefusedError;
  expect(refused).toBeInstanceOf(RefusedError);
  expect(refused.status).toBe(503);
  expect(refused.headers["retry-after"]).toBe("1");
  expect(() => server.broadcast("probe", "x")).toThrow(
    /^probe is down: it restarted too often\. Try again in \d+ s \(`retryAfterMs`\)/,
  );

  server.broadcast("other", "still here");
  expect(await bystander.next()).toBe("still here");
  expect(server.services()[1]).toMatchObject({ name: "other", generation: 1 });
});

test("a crash that is alone in its ten seconds costs nothing of the budget", async () => {
  const { probe } = fragile({ maxRestarts: 2 });
  const { server, clock } = await serve({ probe });
  for (let crash = 0; crash < 6; crash++) {
    server.broadcast("probe", "crash");
    await clock.advance(5000);
  }
  expect(server.services()[0]).toMatchObject({ state: "running", generation: 7 });
});

test("a service that is down is tried again, later each time, and recovers", async () => {
  let isBroken = false;
  const starts: number[] = [];
  let now = (): number => 0;
  const probe = defineService({
    limits: { maxRestarts: 1 },
    init() {
      starts.push(now());
      if (isBroken) throw new Error("no database");
    },
    handleInfo() {
      throw new Error("boom");
    },
  });
  const { server, open, clock, reports } = await serve({ probe });
  now = () => clock.now();
  isBroken = true;
  server.info("probe", "crash");
  await clock.advance(15_000);
  // One restart is allowed at each attempt: two starts each, after 1, 2, 4 and 8 seconds.
  expect(starts.slice(1).map(Math.round)).toEqual([
    0, 1000, 1000, 3000, 3000, 7000, 7000, 15_000, 15_000,
  ]);
  const retry = (await open("probe").catch((error: unknown) => error)) as RefusedError;
  expect(retry.headers["retry-after"]).toBe("16");
  isBroken = false;
  await clock.advance(16_000);
  expect(server.services()[0]?.state).toBe("running");
  const client = await open("probe");
  server.broadcast("probe", "back again");
  expect(await client.next()).toBe("back again");

  // It has run for a whole window: the next back-off is a short one.
  await clock.advance(10_001);
  isBroken = true;
  reports.length = 0;
  server.info("probe", "crash");
  await until(clock, () => server.services()[0]?.state === "down");
  expect(reports.at(-1)).toMatchObject({ type: "down", retryAfterMs: 1000 });
});

test("what stood in the mailbox of a service that goes down is reported, and its clients are closed", async () => {
  const { probe } = fragile({ maxRestarts: 1 });
  const { server, open, reports } = await serve({ probe });
  const client = await open("probe");
  await client.next();
  for (const message of ["crash", "crash", "lost", "lost"]) server.broadcast("probe", message);
  expect(await client.closed).toMatchObject({ code: 1011 });
  expect(reports.filter(({ type: kind }) => kind === "undelivered")).toEqual([
    {
      type: "undelivered",
      address: "probe",
      what: "2 messages of its mailbox",
      reason: "the service is down",
    },
  ]);
});

// A service may go down with its mailbox full. Its edge was told to hold messages back and
// never heard of room again, so the messages of the next clients were held for ever.
test("a service that went down with a full mailbox hears its next clients", async () => {
  const gate = Promise.withResolvers<void>();
  let isBroken = true;
  const probe = defineService({
    limits: { maxRestarts: 1, maxMailboxMessages: 4 },
    async handleBroadcast() {
      await gate.promise;
      throw new Error("boom");
    },
    init() {
      if (isBroken && gate.promise !== undefined && starts++ > 0) throw new Error("no database");
    },
    handleIncoming: (client, message) => client.send(`got ${String(message)}`),
  });
  let starts = 0;
  const { server, open, clock } = await serve({ probe });
  const old = await open("probe");
  await until(clock, () => server.clients("probe").length === 1);
  server.broadcast("probe", 0);
  await settle();
  for (let n = 0; n < 4; n++) server.broadcast("probe", n);
  // It does not answer the close, so that its membership at the edge outlasts the back-off.
  old.pause();
  gate.resolve();
  await until(clock, () => server.services()[0]?.state === "down");
  isBroken = false;
  await clock.advance(1000);
  const next = await open("probe");
  next.send("hello");
  expect(await next.next()).toBe("got hello");
  old.cut();
});

test("a client whose messages crash the service three times in a minute is closed with 1008", async () => {
  const { probe, seen } = fragile();
  const { server, open, clock } = await serve({ probe });
  const bystander = await open("probe");
  const culprit = await open("probe");
  await culprit.next();
  for (let crash = 1; crash <= 2; crash++) {
    culprit.send("crash");
    await until(clock, () => server.services()[0]?.generation === 1 + crash);
  }
  expect(culprit.isOpen).toBe(true);
  culprit.send("crash");
  culprit.send("never handled");
  const { code, reason } = await culprit.closed;
  expect(code).toBe(1008);
  expect(reason).toContain("three times in a minute");
  await clock.advance(10);
  expect(culprit.received).not.toContain("got never handled");
  // Its generation has ended, and the next one never knew it.
  expect(seen.filter((line) => line.startsWith("close"))).toEqual([]);
  bystander.send("hello");
  await until(clock, () => bystander.received.includes("got hello"));
});

test("crashes that are a minute apart do not add up, nor do those of several clients", async () => {
  const { probe } = fragile();
  const { server, open, clock } = await serve({ probe });
  const [first, second] = [await open("probe"), await open("probe")];
  await until(clock, () => server.clients("probe").length === 2);
  let generation = 1;
  const crash = async (client: PlainClient) => {
    client.send("crash");
    generation += 1;
    await until(clock, () => server.services()[0]?.generation === generation);
  };
  await crash(first);
  await crash(first);
  await crash(second);
  await crash(second);
  for (let second = 0; second < 61; second++) {
    await clock.advance(1000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await crash(first);
  await crash(second);
  expect([first.isOpen, second.isOpen]).toEqual([true, true]);
});

test('onCrash "keep": the turn is dropped, the state before it stays, nothing restarts', async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    onCrash: "keep",
    init: () => 0,
    handleJoin: (client) => void seen.push(client.joinReason),
    handleIncoming(client, message, state) {
      client.send(`lost or kept ${state}`);
      if (message === "crash") throw new Error("boom");
      if (message === "reject") return Promise.reject(new Error("boom"));
      return state + 1;
    },
    terminate: () => void seen.push("terminate"),
  });
  const { server, open, reports } = await serve({ probe });
  const client = await open("probe");
  for (const message of ["good", "crash", "good", "reject", "good"]) client.send(message);
  expect(await client.take(3)).toEqual(["lost or kept 0", "lost or kept 1", "lost or kept 2"]);
  expect(seen).toEqual(["new"]);
  expect(server.services()[0]?.generation).toBe(1);
  expect(reports).toMatchObject([{ restarts: false }, { restarts: false }]);
});

// The state stays, and with it what it holds of the client: nobody told it of the close.
test('onCrash "keep": a client that is closed for its crashes gets its handleClose', async () => {
  const seen: CloseReason[] = [];
  const probe = defineService({
    onCrash: "keep",
    handleIncoming() {
      throw new Error("boom");
    },
    handleClose(_client, reason) {
      seen.push(reason);
      throw new Error("boom again");
    },
  });
  const { server, open, clock, reports } = await serve({ probe });
  const client = await open("probe");
  for (let crash = 0; crash < 5; crash++) client.send("crash");
  expect(await client.closed).toMatchObject({ code: 1008 });
  await clock.advance(10);
  expect(seen).toMatchObject([{ type: "closed", code: 1008 }]);
  expect(reports).toHaveLength(4);
  expect(server.services()[0]?.clients).toBe(0);
});

test('onCrash "keep": a join that throws closes that client alone, in a replay too', async () => {
  const probe = defineService({
    onCrash: "keep",
    handleJoin() {
      throw new Error("boom");
    },
  });
  const { server, open, clock } = await serve({ probe });
  const client = await open("probe");
  expect(await client.closed).toMatchObject({ code: 1011 });
  await until(clock, () => server.services()[0]?.clients === 0);
  expect(server.services()[0]?.generation).toBe(1);
});

// With "keep" the error was taken for a crash of a turn, and the service that had asked to
// end went on.
test.each(["restart", "keep"] as const)(
  "stop with an Error is a crash, with onCrash %s as well: the turn is committed, then it restarts",
  async (onCrash) => {
    const seen: unknown[] = [];
    const probe = defineService({
      onCrash,
      init: () => void seen.push("init"),
      handleInfo(_what, _state, service) {
        service.publish("committed");
        return stop(new Error("out of order"));
      },
      terminate: (reason) => void seen.push(reason.type),
    });
    const { server, open, clock, reports } = await serve({ probe });
    const client = await open("probe");
    await until(clock, () => server.clients("probe").length === 1);
    server.info("probe", "go");
    expect(await client.next()).toBe("committed");
    await until(clock, () => server.services()[0]?.generation === 2);
    expect(seen).toEqual(["init", "error", "init"]);
    expect(reports).toMatchObject([{ type: "crash", callback: "handleInfo", restarts: true }]);
    expect(client.isOpen).toBe(true);
  },
);

test("timers of an incarnation that has ended never fire", async () => {
  const seen: unknown[] = [];
  let generation = 0;
  const probe = defineService({
    info: type<string>(),
    init(service) {
      generation += 1;
      service.sendAfter(`tick ${generation}`, 100);
    },
    handleInfo(what) {
      seen.push(what);
      if (what === "crash") throw new Error("boom");
    },
  });
  const { server, clock } = await serve({ probe });
  server.info(probe, "crash");
  await clock.advance(1000);
  expect(seen).toEqual(["crash", "tick 2"]);
});

// It had run out and stood in the kept mailbox: the next incarnation, which starts timers of
// its own, got it as well. A service that ticks then ticks twice, and thrice after the next crash.
test("a timer that ran out before the crash, and was not handled, is not handled after it", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const probe = defineService({
    info: type<string>(),
    init: (service) => void service.sendAfter("tick", 100),
    async handleInfo(what) {
      seen.push(what);
      if (what !== "crash") return;
      await gate.promise;
      throw new Error("boom");
    },
  });
  const { server, clock } = await serve({ probe });
  server.info(probe, "crash");
  await clock.advance(150);
  gate.resolve();
  await clock.advance(99);
  expect(seen).toEqual(["crash"]);
  await clock.advance(1);
  expect(seen).toEqual(["crash", "tick"]);
});

test("the time-out of noreply ends with its incarnation", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    info: type<string>(),
    handleInfo(what) {
      seen.push(what);
      if (what === "crash") throw new Error("boom");
      return what === "wait" ? noreply(undefined, { timeoutMs: 100 }) : undefined;
    },
  });
  const { server, clock } = await serve({ probe });
  server.info(probe, "wait");
  await clock.advance(50);
  server.info(probe, "crash");
  await clock.advance(1000);
  expect(seen).toEqual(["wait", "crash"]);
});

// A crashed turn took its `subscribe` back, but the count against the limit stayed.
test("a subscription of a crashed turn does not count", async () => {
  const probe = defineService({
    onCrash: "keep",
    limits: { maxSubscriptions: 1 },
    handleIncoming(client, message) {
      client.subscribe(String(message));
      if (message === "a") throw new Error("boom");
      client.send("subscribed");
    },
    handleBroadcast: (message: string, _state, service) => service.publish("b", message),
  });
  const { server, open } = await serve({ probe });
  const client = await open("probe");
  client.send("a");
  client.send("b");
  expect(await client.next()).toBe("subscribed");
  server.broadcast("probe", "to topic b");
  expect(await client.next()).toBe("to topic b");
});

/** Subscribes as the URL says; publishes "<topic> <text>". */
function topics(joins: (client: Client, service: ServiceContext) => void) {
  return defineService({
    handleJoin: (client, _state, service) => joins(client as Client, service as ServiceContext),
    handleIncoming: (client, message) => client.subscribe(String(message)),
    handleBroadcast(message: string, _state, service) {
      if (message === "crash") throw new Error("boom");
      const [topic = "", text = ""] = message.split(" ");
      service.publish(topic, text);
    },
  });
}

// Each replay said it anew, and the client got the whole backlog again.
test("a subscription that the replayed join renews keeps its place", async () => {
  const probe = topics((client) => client.subscribe("news", { from: 0 }));
  const { server, open } = await serve({ probe });
  server.broadcast("probe", "news one");
  const client = await open("probe");
  expect(await client.next()).toBe("one");
  server.broadcast("probe", "crash");
  server.broadcast("probe", "news two");
  expect(await client.next()).toBe("two");
  const late = await open("probe");
  expect(await late.take(2)).toEqual(["one", "two"]);
});

test("a subscription that the replayed join does not renew ends", async () => {
  const probe = topics((client) => {
    client.subscribe("news");
    client.send("joined");
  });
  const { server, open } = await serve({ probe });
  const client = await open("probe");
  client.send("sport");
  await client.next();
  await settle();
  server.broadcast("probe", "sport one");
  expect(await client.next()).toBe("one");
  server.broadcast("probe", "crash");
  server.broadcast("probe", "sport lost");
  server.broadcast("probe", "news two");
  expect(await client.take(2)).toEqual(["joined", "two"]);
  // It may be said again, and begins where the log is then.
  client.send("sport");
  await settle();
  server.broadcast("probe", "sport three");
  expect(await client.next()).toBe("three");
});

test("a crash in the middle of a broadcast leaves nothing of it with anybody", async () => {
  const probe = defineService({
    handleBroadcast(message: string, _state, service) {
      let n = 0;
      for (const client of service.clients()) {
        client.send(message);
        n += 1;
        if (message === "half" && n === 2) throw new Error("boom");
      }
    },
  });
  const { server, open, clock } = await serve({ probe });
  const clients = [await open("probe"), await open("probe"), await open("probe")];
  await until(clock, () => server.clients("probe").length === 3);
  server.broadcast("probe", "half");
  server.broadcast("probe", "whole");
  for (const client of clients) expect(await client.next()).toBe("whole");
});

// Whatever posted first gave the actor its context. When that was a turn that crashed later,
// a report's own broadcast counted as done by it, and was dropped.
test("onReport may broadcast, whoever caused the report", async () => {
  const admin = defineService({});
  const front = defineService({
    async handleInfo() {
      broadcast("back", "crash");
      const { call } = await import("../src/index.ts");
      await call("back", "ask").catch(() => {});
      throw new Error("boom in front");
    },
  });
  const back = defineService({
    calls: { ask: {} },
    handleCall: {
      ask: async () => {
        await Promise.resolve();
        throw new Error("boom in back");
      },
    },
    handleBroadcast: () => {
      throw new Error("boom again");
    },
  });
  const { server, open } = await serve(
    { admin, front, back },
    {
      onReport: (report) => {
        if (report.type === "crash") broadcast("admin", String(report.error));
      },
    },
  );
  const client = await open("admin");
  server.info("front", "go");
  server.broadcast("back", "crash");
  const lines = await client.take(3);
  expect(lines.map(String).toSorted()).toEqual([
    "Error: boom again",
    "Error: boom in back",
    "Error: boom in front",
  ]);
});

test("1,000 crashes leave one incarnation, its members, and no timer behind", async () => {
  const probe = defineService({
    limits: { maxRestarts: 10_000 },
    info: type<string>(),
    init: (service) => void service.sendAfter("never", 1_000_000),
    handleInfo() {
      throw new Error("boom");
    },
  });
  const { server, open, clock } = await serve({ probe });
  await open("probe");
  await until(clock, () => server.clients("probe").length === 1);
  const before = clock.pending;
  for (let crash = 0; crash < 1000; crash++) {
    server.info(probe, "crash");
    if (crash % 100 === 99) await settle();
  }
  await until(clock, () => server.services()[0]?.generation === 1001);
  expect(server.services()).toHaveLength(1);
  expect(server.clients("probe")).toHaveLength(1);
  expect(clock.pending).toBe(before);
});
