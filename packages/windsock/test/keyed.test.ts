import { expect, test } from "vitest";
import { z } from "zod";
import {
  at,
  call,
  CallFailedError,
  defineService,
  OverloadedError,
  reply,
  stop,
  type,
  UnknownServiceError,
} from "../src/index.ts";
import { RefusedError, settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// A keyed service: an actor for each key, from its first join to the end of its idle time.

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Says what becomes of its actors. */
function rooms(limits: Record<string, number> = {}) {
  const seen: string[] = [];
  const room = defineService({
    params: ["id"],
    limits: { idleTimeoutMs: 1000, ...limits },
    calls: { who: { response: type<string>() } },
    init(service) {
      seen.push(`init ${service.key}`);
      return service.params.id;
    },
    handleJoin: (client, id) => client.send(`room ${id}`),
    handleIncoming: (client, message, id) => client.send(`${id} got ${String(message)}`),
    handleCall: { who: (_client, _request, id) => reply(`I am ${id}`) },
    terminate: (reason, id) => void seen.push(`terminate ${id} ${reason.type}`),
  });
  return { services: { "room/[id]": room }, room, seen };
}

test("each key has an actor of its own, started by the first join", async () => {
  const { services, room, seen } = rooms();
  const { server, open } = await serve(services);
  expect(server.services()).toEqual([]);
  const one = await open("room/1");
  const two = await open("room/2");
  expect(await one.next()).toBe("room 1");
  expect(await two.next()).toBe("room 2");
  server.broadcast(at(room, { id: "1" }), "for one");
  server.broadcast("room/2", "for two");
  expect(await one.next()).toBe("for one");
  expect(await two.next()).toBe("for two");
  expect(seen).toEqual(["init 1", "init 2"]);
});

test("a crash of one key touches no other", async () => {
  const room = defineService({
    params: ["id"],
    handleIncoming() {
      throw new Error("boom");
    },
  });
  const { server, open, clock } = await serve({ "room/[id]": room });
  const [one] = [await open("room/1"), await open("room/2")];
  one.send("crash");
  await until(clock, () => server.services()[0]?.generation === 2);
  expect(server.services().map(({ address, generation }) => [address, generation])).toEqual([
    ["room/1", 2],
    ["room/2", 1],
  ]);
});

test("it ends after its idle time, not before, and its log outlives it", async () => {
  const { services, seen } = rooms();
  const { server, open, clock } = await serve(services);
  const first = await open("room/1");
  await first.next();
  server.broadcast("room/1", "kept in the log");
  await first.next();
  first.close();
  await until(clock, () => server.services()[0]?.clients === 0);
  await clock.advance(998);
  expect(server.services()).toHaveLength(1);
  await clock.advance(3);
  expect(server.services()).toEqual([]);
  expect(seen).toEqual(["init 1", "terminate 1 normal"]);

  const again = await open("room/1");
  expect(await again.next()).toBe("room 1");
  expect(server.services()[0]).toMatchObject({ generation: 1, seq: 1 });
});

test("a member, a message, a timer and a time-out keep it alive", async () => {
  const room = defineService({
    params: ["id"],
    limits: { idleTimeoutMs: 1000 },
    info: type<string>(),
    handleInfo: (what, _state, service) => {
      if (what === "timer") service.sendAfter("later", 5000);
    },
  });
  const { server, open, clock } = await serve({ "room/[id]": room });
  const client = await open("room/1");
  await clock.advance(3000);
  expect(server.services()).toHaveLength(1);
  client.close();
  await until(clock, () => server.services()[0]?.clients === 0);
  for (let n = 0; n < 5; n++) {
    await clock.advance(900);
    server.info("room/1", "still used");
  }
  expect(server.services()).toHaveLength(1);
  server.info("room/1", "timer");
  await clock.advance(4999);
  expect(server.services()).toHaveLength(1);
  await clock.advance(3000);
  expect(server.services()).toEqual([]);
});

// What was skipped in the mailbox stopped the watch and nobody started it again: such an
// actor, and one whose last client's `handleClose` crashed, lived for ever.
test.each(["a call that it does not have", "a crash", "a client that was gone again"])(
  "it ends as well after %s",
  async (what) => {
    const gate = Promise.withResolvers<void>();
    const room = defineService({
      params: ["id"],
      limits: { idleTimeoutMs: 1000 },
      calls: { wait: {} },
      handleCall: {
        wait: async () => {
          await gate.promise;
          return reply(undefined);
        },
      },
      handleClose() {
        if (what === "a crash") throw new Error("boom");
      },
    });
    const { server, open, clock } = await serve({ "room/[id]": room });
    switch (what) {
      case "a crash": {
        const client = await open("room/1");
        await until(clock, () => server.clients("room/1").length === 1);
        client.close();
        await until(clock, () => server.services()[0]?.generation === 2);
        break;
      }
      case "a client that was gone again": {
        const waiting = server.call("room/1", "wait");
        const client = await open("room/1");
        client.cut();
        await until(clock, () => server.services()[0]?.clients === 0);
        gate.resolve();
        await waiting;
        break;
      }
      default:
        await failure(server.call("room/1", "nothing" as never));
    }
    expect(server.services()).toHaveLength(1);
    await clock.advance(1001);
    expect(server.services()).toEqual([]);
  },
);

test("a join while it terminates waits, with its messages, and joins the next actor", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const room = defineService({
    params: ["id"],
    limits: { idleTimeoutMs: 1000 },
    init: () => void seen.push("init"),
    handleIncoming: (client, message) => client.send(`got ${String(message)}`),
    async terminate() {
      seen.push("terminating");
      if (seen.length === 2) await gate.promise;
      seen.push("terminated");
    },
  });
  const { server, open, clock } = await serve({ "room/[id]": room });
  (await open("room/1")).close();
  await until(clock, () => seen.includes("terminating"));
  const client = await open("room/1");
  client.send("one");
  client.send("two");
  await until(clock, () => server.services()[0]?.mailboxMessages === 3);
  gate.resolve();
  server.broadcast("room/1", "three");
  expect(await client.take(3)).toEqual(["got one", "got two", "three"]);
  expect(seen).toEqual(["init", "terminating", "terminated", "init"]);
  expect(server.clients("room/1")).toHaveLength(1);
});

test("a client that leaves while it waits for the next actor is never joined", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const room = defineService({
    params: ["id"],
    limits: { idleTimeoutMs: 1000 },
    handleJoin: () => void seen.push("join"),
    handleClose: () => void seen.push("close"),
    async terminate() {
      seen.push("terminate");
      await gate.promise;
    },
  });
  const { server, open, clock } = await serve({ "room/[id]": room });
  (await open("room/1")).close();
  await until(clock, () => seen.includes("terminate"));
  const client = await open("room/1");
  await until(clock, () => server.services()[0]?.clients === 1);
  client.cut();
  await until(clock, () => server.services()[0]?.clients === 0);
  gate.resolve();
  await until(clock, () => server.services().length === 0);
  expect(seen).toEqual(["join", "close", "terminate"]);
});

// An actor ends by itself when it is idle. A call that came while it did was refused, and one
// that came a moment later was answered.
test("a call while it terminates for idleness is answered by the next actor", async () => {
  const gate = Promise.withResolvers<void>();
  const { seen } = rooms();
  const room = defineService({
    params: ["id"],
    limits: { idleTimeoutMs: 1000 },
    init: () => void seen.push("init"),
    calls: { who: { response: type<string>() } },
    handleCall: { who: () => reply("the next one") },
    terminate: () => gate.promise,
  });
  const { server, clock, reports } = await serve({ "room/[id]": room });
  await server.call("room/1", "who");
  await clock.advance(1000);
  server.info("room/1", "nobody waits for this");
  const answer = server.call("room/1", "who");
  await settle();
  gate.resolve();
  expect(await answer).toBe("the next one");
  expect(seen).toEqual(["init", "init"]);
  expect(reports).toMatchObject([{ type: "undelivered", what: "1 message of its mailbox" }]);
});

test("stop ends one key: its clients get 1001, calls that wait are refused, joins that wait join the next", async () => {
  const gate = Promise.withResolvers<void>();
  let hasBegun = false;
  const room = defineService({
    params: ["id"],
    calls: { who: { response: type<string>() } },
    handleCall: { who: () => reply("nobody") },
    handleJoin: (client) => client.send("joined"),
    async handleIncoming(client, message) {
      hasBegun = true;
      client.send("bye");
      await gate.promise;
      return stop(String(message));
    },
  });
  const { server, open, clock, reports } = await serve({ "room/[id]": room });
  const [stopper, other] = [await open("room/1"), await open("room/2")];
  await stopper.next();
  stopper.send("game over");
  await until(clock, () => hasBegun);
  const refused = failure(server.call("room/1", "who"));
  server.broadcast("room/1", "lost");
  const waiting = await open("room/1");
  server.broadcast("room/1", "kept");
  gate.resolve();
  expect(await stopper.closed).toEqual({ code: 1001, reason: "the service has stopped" });
  expect(stopper.received).toEqual(["joined", "bye"]);
  expect(await refused).toBeInstanceOf(CallFailedError);
  expect(await waiting.take(2)).toEqual(["joined", "kept"]);
  expect(other.isOpen).toBe(true);
  expect(reports).toEqual([
    {
      type: "undelivered",
      address: "room/1",
      what: "1 message of its mailbox",
      reason: "the service has stopped",
    },
  ]);
});

test("maxKeys keys run; a join that needs one more gets 503, and a place that is free is taken", async () => {
  const { services } = rooms({ maxKeys: 2 });
  const { server, open, clock } = await serve(services);
  const one = await open("room/1");
  await open("room/2");
  await open("room/2");
  const refused = (await failure(open("room/3"))) as RefusedError;
  expect(refused).toBeInstanceOf(RefusedError);
  expect(refused.status).toBe(503);
  expect(refused.headers["retry-after"]).toBe("5");
  expect(refused.body).toContain("already has 2 keys");
  one.close();
  await until(clock, () => server.services().length === 1);
  await open("room/3");
});

// Only joins looked at `maxKeys` and the key's schema: a call with a key that a user typed
// started an actor for it, however many there were.
test("a call starts the actor of a key within the same bounds as a join", async () => {
  const room = defineService({
    params: ["id"],
    key: z.object({ id: z.string().regex(/^\d+$/) }),
    limits: { maxKeys: 1 },
    calls: { who: { response: type<string>() } },
    handleCall: { who: (_client, _request, _state, service) => reply(service.key) },
  });
  const slow = defineService({
    params: ["id"],
    key: z.object({ id: z.string().refine(async (id) => id === "yes") }),
    calls: { who: { response: type<string>() } },
    handleCall: { who: (_client, _request, _state, service) => reply(service.key) },
  });
  const { server, open } = await serve({ "room/[id]": room, "slow/[id]": slow });
  const error = await failure(server.call("room/x", "who"));
  expect(error).toBeInstanceOf(UnknownServiceError);
  expect(String(error)).toContain("Expected a key that fits room/[id]: at `id`");
  expect(await server.call("room/1", "who")).toBe("1");
  expect(await server.call(at(room, { id: "1" }), "who")).toBe("1");
  expect(await failure(server.call("room/2", "who"))).toBeInstanceOf(OverloadedError);
  expect(await failure(server.call("slow/no", "who"))).toBeInstanceOf(UnknownServiceError);
  expect(await Promise.all([server.call("slow/yes", "who"), call("slow/yes", "who")])).toEqual([
    "yes",
    "yes",
  ]);
  expect(server.services().map(({ address }) => address)).toEqual(["room/1", "slow/yes"]);
  expect((await failure(open("room/x"))) as RefusedError).toMatchObject({ status: 404 });
});

// Down, up and down again, for a key that nobody wants: it took its place among `maxKeys` and
// tried its `init` for ever.
test("a key that cannot start is given up when nobody comes any more", async () => {
  let attempts = 0;
  const room = defineService({
    params: ["id"],
    limits: { maxRestarts: 1, idleTimeoutMs: 10_000, maxKeys: 1 },
    init() {
      attempts += 1;
      throw new Error("no such room");
    },
  });
  const { server, open, clock } = await serve({ "room/[id]": room });
  const before = clock.pending;
  const client = await open("room/1");
  expect(await client.closed).toMatchObject({ code: 1011 });
  expect(await failure(open("room/1"))).toMatchObject({ status: 503 });
  expect(await failure(open("room/2"))).toMatchObject({ status: 503 });
  await clock.advance(10_000);
  expect(server.services()).toEqual([]);
  expect(clock.pending).toBe(before);
  const made = attempts;
  await clock.advance(120_000);
  expect(attempts).toBe(made);
  expect(await (await open("room/2")).closed).toMatchObject({ code: 1011 });
});

test("a broadcast to a key that nobody has joined starts no actor, and says so", async () => {
  const { services, seen } = rooms();
  const { server, reports } = await serve(services);
  server.broadcast("room/1", "hello?");
  server.info("room/2", "hello?");
  expect(seen).toEqual([]);
  expect(reports).toEqual([
    {
      type: "undelivered",
      address: "room/1",
      what: "a broadcast",
      reason: "nobody has joined it",
    },
    { type: "undelivered", address: "room/2", what: "an info", reason: "nobody has joined it" },
  ]);
});

test("a keyed service without its key, and a key that cannot be, are errors of the caller", async () => {
  const { services, room } = rooms();
  const { server } = await serve(services);
  expect(() => server.broadcast(room as never, "x" as never)).toThrow(
    "Expected a key for room/[id]",
  );
  expect(() => server.broadcast("room/", "x")).toThrow(UnknownServiceError);
  expect(() => server.broadcast(at(room, { id: "" }), "x")).toThrow("1 to 128 bytes");
  expect(() => server.broadcast(`room/${"x".repeat(129)}`, "x")).toThrow(UnknownServiceError);
  server.broadcast(`room/${"x".repeat(128)}`, "x");
});

test("many keys leave nothing behind once they are idle", async () => {
  const { services, seen } = rooms();
  const { server, clock } = await serve(services);
  const before = clock.pending;
  const keys = Array.from({ length: 500 }, (_, n) => `room/${n}`);
  expect(await Promise.all(keys.map((key) => server.call(key, "who")))).toHaveLength(500);
  expect(server.services()).toHaveLength(500);
  await clock.advance(1001);
  expect(server.services()).toEqual([]);
  expect(clock.pending).toBe(before);
  expect(seen.filter((line) => line.startsWith("terminate"))).toHaveLength(500);
});
