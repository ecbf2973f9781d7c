import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import {
  broadcast,
  call,
  CallFailedError,
  defineService,
  info,
  reply,
  stop,
  type,
  type Client,
  type ServiceContext,
} from "../src/index.ts";
import { settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// A turn is a transaction: what a callback does leaves together with its next state, or not at all.

const callbacks = [
  "init",
  "handleJoin",
  "handleClose",
  "handleIncoming",
  "handleBroadcast",
  "handleInfo",
  "handleCall",
  "terminate",
] as const;
type CallbackName = (typeof callbacks)[number];

const callbackTimeoutMs = 100;

const failures = {
  throws: (): Promise<never> => {
    throw new Error("boom");
  },
  rejects: async (): Promise<never> => {
    await Promise.resolve();
    throw new Error("boom");
  },
  "never settles": (): Promise<never> => new Promise(() => {}),
};
type Failure = keyof typeof failures;

type Context = ServiceContext<string | Uint8Array | object, string>;

/** Everything a callback can do, each to be heard of by somebody. */
function doEverything(service: Context): void {
  service.publish("lost");
  service.publish("topic", "lost");
  service.sendAll(service.clients(), "lost");
  for (const client of service.clients()) {
    client.send("lost");
    client.subscribe("topic");
    client.close(4000, "lost");
  }
  service.info("lost");
  service.sendAfter("lost", 1);
  broadcast("other", "lost");
  info("other", "lost");
}

/** A service whose next call of one callback does everything and then fails, and one that hears of what gets out. */
function failing() {
  const seen: string[] = [];
  let armed: { callback: CallbackName; failure: Failure } | undefined;
  const perhaps = (callback: CallbackName, service: Context): Promise<never> | undefined => {
    if (armed?.callback !== callback) return undefined;
    const { failure } = armed;
    armed = undefined;
    doEverything(service);
    return failures[failure]();
  };
  const probe = defineService({
    limits: { callbackTimeoutMs },
    info: type<string>(),
    calls: { ask: { response: type<string>() } },
    init(service): number | Promise<number> {
      seen.push("init");
      return perhaps("init", service as Context) ?? 0;
    },
    handleJoin(client, _state, service) {
      seen.push(`join ${client.joinReason}`);
      return perhaps("handleJoin", service as Context);
    },
    handleClose(_client, _reason, _state, service) {
      seen.push("close");
      return perhaps("handleClose", service as Context);
    },
    handleIncoming(client, message, _state, service) {
      if (message === "crash") throw new Error("asked to");
      if (message === "echo") client.send("echo");
      return perhaps("handleIncoming", service as Context);
    },
    handleBroadcast(message: string, _state, service) {
      if (message === "marker") service.publish("marker");
      return perhaps("handleBroadcast", service as Context);
    },
    handleInfo(what, _state, service) {
      seen.push(`info ${String(what)}`);
      return perhaps("handleInfo", service as Context);
    },
    handleCall: {
      ask: (_client, _request, state, service) =>
        perhaps("handleCall", service as Context) ?? reply("answer", state),
    },
    terminate(_reason, _state, service) {
      seen.push("terminate");
      return perhaps("terminate", service as Context);
    },
  });
  const heard: string[] = [];
  const other = defineService({
    handleBroadcast: (message: string) => void heard.push(message),
    handleInfo: (what) => void heard.push(String(what)),
  });
  return {
    seen,
    heard,
    services: { probe, other },
    arm: (callback: CallbackName, failure: Failure) => (armed = { callback, failure }),
  };
}

for (const callback of callbacks) {
  test.each(Object.keys(failures) as Failure[])(
    `when ${callback} %s, nothing of its turn leaves, and the service goes on`,
    async (failure) => {
      const { services, arm, seen, heard } = failing();
      const { server, open, clock, reports } = await serve(services);
      const witness = await open("probe");
      const actor = await open("probe");
      actor.send("echo");
      await actor.next();
      seen.length = 0;
      arm(callback, failure);

      let asked: Promise<unknown> | undefined;
      switch (callback) {
        case "handleJoin":
          await open("probe");
          break;
        case "handleClose":
          actor.close();
          await actor.closed;
          break;
        case "handleIncoming":
          actor.send("fail");
          break;
        case "handleBroadcast":
          server.broadcast("probe", "fail");
          break;
        case "handleInfo":
          server.info("probe", "fail");
          break;
        case "handleCall":
          asked = server.call("probe", "ask").catch((error: unknown) => error);
          break;
        // An incarnation has to end before another one begins.
        case "init":
        case "terminate":
          actor.send("crash");
          break;
      }
      await until(clock, () =>
        reports.some((one) => one.type === "crash" && one.callback === callback),
      );
      await until(clock, () => server.services()[0]?.state === "running");

      server.broadcast("probe", "marker");
      server.broadcast("other", "marker");
      expect(await witness.next()).toBe("marker");
      await clock.advance(1000);
      expect(witness.received).toEqual(["marker"]);
      expect(heard).toEqual(["marker"]);
      expect(seen).not.toContain("info lost");
      expect(seen.filter((line) => line.startsWith("join restart")).length).toBeGreaterThan(0);
      expect((await asked) instanceof CallFailedError).toBe(callback === "handleCall");
      const report = reports.find((one) => one.type === "crash" && one.callback === callback);
      expect(report).toMatchObject({ service: "probe", address: "probe" });
      expect(String(report?.type === "crash" && report.error)).toMatch(
        failure === "never settles" ? /settle within 100 ms/ : /boom/,
      );
      witness.send("echo");
      expect(await witness.next()).toBe("echo");
    },
  );
}

test("what terminate sends still leaves", async () => {
  const probe = defineService({
    handleIncoming: () => stop("enough"),
    terminate: (reason, _state, service) => service.publish(`over: ${reason.type}`),
  });
  const { open } = await serve({ probe });
  const client = await open("probe");
  client.send("");
  expect(await client.next()).toBe("over: stop");
  expect(await client.closed).toMatchObject({ code: 1001 });
});

/** A service that starts something in a turn which goes on after it. */
function leaving(how: "throws" | "returns", onCrash: "restart" | "keep" = "restart") {
  const gate = Promise.withResolvers<void>();
  const outcome: unknown[] = [];
  const done = Promise.withResolvers<void>();
  const probe = defineService({
    onCrash,
    info: type<string>(),
    handleIncoming(client, message, _state, service) {
      if (message !== "begin") return;
      void gate.promise
        .then(async () => {
          service.publish("late publish");
          client.send("late send");
          service.info("late");
          service.sendAfter("late", 1);
          broadcast("other", "late");
          outcome.push(await call("other", "ask").catch((error: unknown) => error));
        })
        .finally(done.resolve);
      if (how === "throws") throw new Error("boom");
    },
    handleBroadcast: (message: string, _state, service) => service.publish(message),
    handleInfo: (what, _state, service) => service.publish(`info ${String(what)}`),
  });
  const heard: string[] = [];
  const other = defineService({
    calls: { ask: { response: type<string>() } },
    handleBroadcast: (message: string) => void heard.push(message),
    handleCall: { ask: () => reply("answer") },
  });
  return { services: { probe, other }, gate, done: done.promise, outcome, heard };
}

test("the leftovers of a failed turn do nothing, however late they come", async () => {
  const { services, gate, done, outcome, heard } = leaving("throws");
  const { server, open, clock } = await serve(services);
  const client = await open("probe");
  client.send("begin");
  await until(clock, () => server.services()[0]?.generation === 2);
  await clock.advance(60);
  gate.resolve();
  await done;
  await clock.advance(1000);
  server.broadcast("probe", "marker");
  expect(await client.next()).toBe("marker");
  expect(heard).toEqual([]);
  expect(outcome).toEqual([expect.any(CallFailedError)]);
});

test("so they do where the incarnation goes on after it, with onCrash keep", async () => {
  const { services, gate, done, outcome, heard } = leaving("throws", "keep");
  const { server, open, clock, reports } = await serve(services);
  const client = await open("probe");
  client.send("begin");
  await until(clock, () => reports.length === 1);
  gate.resolve();
  await done;
  await clock.advance(1000);
  server.broadcast("probe", "marker");
  expect(await client.next()).toBe("marker");
  expect(server.services()[0]?.generation).toBe(1);
  expect(heard).toEqual([]);
  expect(outcome).toEqual([expect.any(CallFailedError)]);
});

test("the leftovers of a turn that did well get commits of their own", async () => {
  const { services, gate, done, outcome, heard } = leaving("returns");
  const { open, clock } = await serve(services);
  const client = await open("probe");
  client.send("begin");
  await clock.advance(60);
  expect(client.received).toEqual([]);
  gate.resolve();
  await done;
  await clock.advance(1);
  expect(await client.take(4)).toEqual(["late publish", "late send", "info late", "info late"]);
  expect(heard).toEqual(["late"]);
  expect(outcome).toEqual(["answer"]);
});

test.each(["resolves", "rejects"] as const)(
  "a callback that %s after its time has crashed already: nothing of it counts",
  async (how) => {
    const gate = Promise.withResolvers<void>();
    const states: number[] = [];
    const probe = defineService({
      limits: { callbackTimeoutMs },
      init: () => 0,
      async handleIncoming(client, message, state, service) {
        states.push(state);
        if (message === "read") client.send("read");
        if (message !== "slow") return state;
        await gate.promise;
        client.send("late");
        service.publish("late");
        await service.flush(99).catch(() => {});
        if (how === "rejects") throw new Error("late");
        return 99;
      },
    });
    const { server, open, clock, reports } = await serve({ probe });
    const client = await open("probe");
    client.send("slow");
    await until(clock, () => server.services()[0]?.generation === 2);
    gate.resolve();
    await clock.advance(10);
    client.send("read");
    expect(await client.next()).toBe("read");
    expect(states).toEqual([0, 0]);
    expect(reports).toHaveLength(1);
  },
);

test("a callback runs in no context of whoever sent to it, and what it enters ends with it", async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const probe = defineService({
    async handleBroadcast(message: string) {
      seen.push(storage.getStore());
      storage.enterWith(message);
      await Promise.resolve();
      seen.push(storage.getStore());
    },
    handleIncoming(_client, message) {
      seen.push(storage.getStore());
      storage.enterWith(String(message));
    },
  });
  const { server, open, clock } = await serve({ probe });
  const client = await open("probe");
  storage.run("the sender's", () => server.broadcast("probe", "one"));
  storage.run("the sender's", () => server.broadcast("probe", "two"));
  await settle();
  expect(seen.splice(0)).toEqual([undefined, "one", undefined, "two"]);
  client.send("three");
  client.send("four");
  await until(clock, () => seen.length === 2);
  expect(seen).toEqual([undefined, undefined]);
});

test("what an async callback does leaves when its promise settles, not before", async () => {
  const gate = Promise.withResolvers<void>();
  const probe = defineService({
    async handleIncoming(client) {
      client.send("before the await");
      await gate.promise;
      client.send("behind it");
    },
  });
  const { open, clock } = await serve({ probe });
  const client = await open("probe");
  client.send("");
  await clock.advance(100);
  expect(client.received).toEqual([]);
  gate.resolve();
  expect(await client.take(2)).toEqual(["before the await", "behind it"]);
});

test("one callback at a time: the next message waits for the promise of the one before", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const order: string[] = [];
  const probe = defineService({
    async handleBroadcast(index: number) {
      order.push(`begins ${index}`);
      await gates[index]?.promise;
      order.push(`ends ${index}`);
    },
  });
  const { server } = await serve({ probe });
  server.broadcast("probe", 0);
  server.broadcast("probe", 1);
  gates[1]?.resolve();
  await settle();
  expect(order).toEqual(["begins 0"]);
  gates[0]?.resolve();
  await settle();
  expect(order).toEqual(["begins 0", "ends 0", "begins 1", "ends 1"]);
});

test("flush commits what was done so far, and its state; a later crash undoes only the rest", async () => {
  const states: (number | undefined)[] = [];
  const probe = defineService({
    onCrash: "keep",
    init: () => 1,
    async handleIncoming(client, message, state, service) {
      states.push(state);
      if (message === "read") return undefined;
      client.send("kept");
      await service.flush(state + 1);
      client.send("lost");
      throw new Error("boom");
    },
  });
  const { open, reports } = await serve({ probe });
  const client = await open("probe");
  client.send("flush");
  expect(await client.next()).toBe("kept");
  client.send("read");
  client.send("flush");
  expect(await client.next()).toBe("kept");
  expect(states).toEqual([1, 2, 2]);
  expect(reports.filter((one) => one.type === "crash")).not.toHaveLength(0);
});

test("flush in handleJoin lets the greeting out before the join is over", async () => {
  const gate = Promise.withResolvers<void>();
  const probe = defineService({
    async handleJoin(client, _state, service) {
      client.send("loading");
      await service.flush();
      await gate.promise;
      client.send("loaded");
    },
  });
  const { open } = await serve({ probe });
  const client = await open("probe");
  expect(await client.next()).toBe("loading");
  gate.resolve();
  expect(await client.next()).toBe("loaded");
});

test("a join that crashes after a flush is closed with 1011, behind what was flushed", async () => {
  const probe = defineService({
    async handleJoin(client, _state, service) {
      client.send("flushed");
      await service.flush();
      client.send("lost");
      throw new Error("boom");
    },
  });
  const { open } = await serve({ probe });
  const client = await open("probe");
  expect(await client.closed).toMatchObject({ code: 1011 });
  expect(client.received).toEqual(["flushed"]);
});

test("flush outside of a turn says where it belongs", async () => {
  let context: ServiceContext | undefined;
  const probe = defineService({
    init: (service) => void (context = service),
  });
  await serve({ probe });
  await expect(context!.flush()).rejects.toThrow("Expected `service.flush` to be awaited inside");
});

test("a value that changes after it was sent leaves as it was", async () => {
  const probe = defineService({
    handleIncoming(client, _message, _state, service) {
      const value = { n: 1 };
      const bytes = new Uint8Array([1, 2, 3]);
      client.send(value);
      client.send(bytes);
      service.publish(value);
      service.sendAll([client], bytes);
      service.sendAfter(value as never, 1);
      broadcast("probe", value);
      value.n = 2;
      bytes.fill(9);
    },
    handleInfo: (what, _state, service) => service.publish(what as object),
  });
  const { open, clock } = await serve({ probe });
  const client = await open("probe");
  client.send("");
  const n1 = '{"n":1}';
  const bytes = Buffer.from([1, 2, 3]);
  expect(await client.take(5)).toEqual([n1, bytes, n1, bytes, n1]);
  await clock.advance(1);
  expect(await client.next()).toBe(n1);
});

test("private and published messages come in the order in which they were committed", async () => {
  const probe = defineService({
    handleIncoming(client, message, _state, service) {
      const n = String(message);
      client.send(`private ${n}a`);
      service.publish(`public ${n}`);
      client.send(`private ${n}b`);
      client.send(`private ${n}b`);
      service.sendAll(service.clients(), `all ${n}`);
    },
  });
  const { open } = await serve({ probe });
  const other = await open("probe");
  const client = await open("probe");
  for (let n = 0; n < 50; n++) client.send(String(n));
  const expected = Array.from({ length: 50 }, (_, n) => [
    `private ${n}a`,
    `public ${n}`,
    `private ${n}b`,
    `private ${n}b`,
    `all ${n}`,
  ]).flat();
  expect(await client.take(250)).toEqual(expected);
  expect(await other.take(100)).toEqual(expected.filter((line) => !line.startsWith("private")));
});

test("100,000 effects of one turn leave, in order", async () => {
  const count = 100_000;
  const probe = defineService({
    handleIncoming(client) {
      for (let n = 0; n < count; n++) client.send(n);
    },
  });
  const { open } = await serve({ probe }, { limits: { maxSendQueueBytes: 16 * 1024 * 1024 } });
  const client = await open("probe");
  client.send("");
  const received = await client.take(count);
  expect(received[0]).toBe("0");
  expect(received.every((message, n) => message === String(n))).toBe(true);
});

test("a client of another service is sent to when the turn commits, as its own commit there", async () => {
  let foreign: Client | undefined;
  const probe = defineService({
    onCrash: "keep",
    handleIncoming(_client, message) {
      foreign?.send(String(message));
      if (message === "fail") throw new Error("boom");
    },
  });
  const other = defineService({ handleJoin: (client) => void (foreign = client) });
  const { open } = await serve({ probe, other });
  const theirs = await open("other");
  const ours = await open("probe");
  ours.send("fail");
  ours.send("good");
  expect(await theirs.next()).toBe("good");
});

test("sendAll skips clients of other services, and those who have left", async () => {
  const all: Client[] = [];
  const probe = defineService({
    handleJoin: (client) => void all.push(client),
    handleBroadcast: (message: string, _state, service) => service.sendAll(all, message),
  });
  const other = defineService({ handleJoin: (client) => void all.push(client) });
  const { server, open, clock } = await serve({ probe, other });
  const [gone, theirs, ours] = [await open("probe"), await open("other"), await open("probe")];
  gone.close();
  await gone.closed;
  await until(clock, () => server.clients("probe").length === 1);
  server.broadcast("probe", "hello");
  expect(await ours.next()).toBe("hello");
  await settle();
  expect(theirs.received).toEqual([]);
});

test("what is sent behind a close, or to a client that has left, goes nowhere", async () => {
  const left: Client[] = [];
  const probe = defineService({
    handleJoin(client) {
      client.send("hello");
      client.close(4001, "bye");
      client.send("lost");
    },
    handleClose(client, _reason, _state, service) {
      client.send("lost");
      client.subscribe("lost");
      client.close();
      left.push(client);
      service.publish("others go on");
    },
    handleBroadcast: () => left[0]?.send("lost"),
  });
  const { server, open, clock, reports } = await serve({ probe });
  const client = await open("probe");
  expect(await client.closed).toEqual({ code: 4001, reason: "bye" });
  expect(client.received).toEqual(["hello"]);
  await until(clock, () => left.length === 1);
  server.broadcast("probe", "now");
  await settle();
  expect(reports).toEqual([]);
});

// `call` gives the caller a promise that fails when the caller's turn crashes. Nobody awaits
// it then: without a handler, Node ends the process.
test("a call that its crashed turn has forgotten is no unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const probe = defineService({
    handleIncoming() {
      void call("other", "ask");
      throw new Error("boom");
    },
  });
  const other = defineService({
    calls: { ask: {} },
    handleCall: { ask: () => new Promise<never>(() => {}) },
  });
  const { server, open, clock } = await serve({ probe, other });
  const client = await open("probe");
  client.send("");
  await until(clock, () => server.services()[0]?.generation === 2);
  await settle();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
