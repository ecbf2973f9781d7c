import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  broadcast,
  defineService,
  EncodeError,
  noreply,
  OptionError,
  reply,
  stop,
  type,
  type Client,
  type CloseReason,
  type ServiceContext,
  type UpgradeRequest,
} from "../src/index.ts";
import { RefusedError, settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// What each callback is called with and when, and what its returns mean.

test("init gives the first state, also as a promise; without it the state is undefined", async () => {
  const states: unknown[] = [];
  const counted = defineService({
    init: async () => ({ n: 1 }),
    handleIncoming: (_client, _message, state) => void states.push(state),
  });
  const plain = defineService({
    handleIncoming: (_client, _message, state) => void states.push(state),
  });
  const { open, clock } = await serve({ counted, plain });
  (await open("counted")).send("");
  await until(clock, () => states.length === 1);
  (await open("plain")).send("");
  await until(clock, () => states.length === 2);
  expect(states).toEqual([{ n: 1 }, undefined]);
});

test("a return is the next state; no return, and noreply() without one, keep it", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    init: () => "a",
    handleIncoming(_client, message, state) {
      seen.push(state);
      switch (message) {
        case "return":
          return "b";
        case "later":
          return Promise.resolve("c");
        case "noreply":
          return noreply("d");
        case "keep":
          return noreply();
        default:
          return undefined;
      }
    },
  });
  const { open, clock } = await serve({ probe });
  const client = await open("probe");
  for (const message of ["return", "nothing", "later", "noreply", "keep", "end"])
    client.send(message);
  await until(clock, () => seen.length === 6);
  expect(seen).toEqual(["a", "b", "b", "c", "d", "d"]);
});

test("a client shows its request, session, user, params, protocol and why it joins", async () => {
  const seen: Record<string, unknown>[] = [];
  const note = ({ url, headers, cookies, remoteAddress }: UpgradeRequest) => ({
    path: `${url.pathname}${url.search}`,
    agent: headers.get("x-agent"),
    flavour: cookies.get("flavour"),
    remoteAddress,
  });
  const room = defineService({
    params: ["id"],
    protocols: ["chat.v2", "chat.v1"],
    authorize: async (request) => ({ name: request.headers.get("x-user"), asked: note(request) }),
    handleJoin(client, _state, service) {
      const { id, sessionId, user, params, protocol, joinReason } = client;
      seen.push({ id, sessionId, user, params, protocol, joinReason, ...note(client.request) });
      client.send({ key: service.key, address: service.address, params: service.params });
    },
  });
  const { open } = await serve({ "room/[id]": room });
  const how = {
    headers: { "x-agent": "test", "x-user": "ada", cookie: "flavour=sweet" },
    protocols: ["chat.v1"],
  };
  const client = await open("room/a%2Fb?page=2", how);
  expect(JSON.parse(String(await client.next()))).toEqual({
    key: "a/b",
    address: "room/a%2Fb",
    params: { id: "a/b" },
  });
  expect(client.protocol).toBe("chat.v1");
  const request = {
    path: "/websocket/room/a%2Fb?page=2",
    agent: "test",
    flavour: "sweet",
    remoteAddress: "127.0.0.1",
  };
  expect(seen).toEqual([
    {
      id: expect.stringMatching(/^[\w-]{20,}$/),
      sessionId: expect.stringMatching(/.{16,}/),
      user: { name: "ada", asked: request },
      params: { id: "a/b" },
      protocol: "chat.v1",
      joinReason: "new",
      ...request,
    },
  ]);
});

test("two tabs of one browser are two clients with one session", async () => {
  const seen: Client[] = [];
  const probe = defineService({ handleJoin: (client) => void seen.push(client) });
  const { open, clock } = await serve({ probe });
  const first = await open("probe");
  const [cookie] = first.headers["set-cookie"] ?? [];
  await open("probe", { headers: { cookie: cookie!.split(";")[0]! } });
  await open("probe");
  await until(clock, () => seen.length === 3);
  expect(new Set(seen.map(({ id }) => id)).size).toBe(3);
  expect(seen[0]?.sessionId).toBe(seen[1]?.sessionId);
  expect(seen[0]?.sessionId).not.toBe(seen[2]?.sessionId);
});

test("what authorize refuses never joins; a throw is a 500 and a report", async () => {
  let joins = 0;
  const probe = defineService({
    authorize(request) {
      if (request.url.searchParams.has("throw")) throw new Error("boom");
      return request.url.searchParams.has("ok") ? 1 : new Response("who?", { status: 403 });
    },
    handleJoin: () => void joins++,
  });
  const { open, reports } = await serve({ probe });
  const refused = await open("probe").catch((error: unknown) => error);
  expect(refused).toMatchObject({ status: 403, body: "who?" });
  expect(refused).toBeInstanceOf(RefusedError);
  expect(await open("probe?throw").catch((error: unknown) => error)).toMatchObject({ status: 500 });
  await open("probe?ok");
  await settle();
  expect(joins).toBe(1);
  expect(reports).toHaveLength(1);
});

/** How a client ends, and what `handleClose` is told of it. */
const ends: Record<string, { end: (served: Ending) => Promise<void>; reason: CloseReason }> = {
  "the client closes": {
    end: async ({ client }) => client.close(4001, "bye"),
    reason: { type: "closed", code: 4001, reason: "bye" },
  },
  "the connection breaks": { end: async ({ client }) => client.cut(), reason: { type: "lost" } },
  "the service closes": {
    end: async ({ client }) => client.send("close me"),
    reason: { type: "closed", code: 4002, reason: "as asked" },
  },
  "the client answers no ping": {
    end: async ({ client, clock }) => {
      // A socket that is not read answers no ping either.
      client.pause();
      await clock.advance(60_000);
    },
    reason: { type: "timeout" },
  },
  "a message does not fit": {
    end: async ({ client }) => client.send("no"),
    reason: {
      type: "closed",
      code: 1007,
      reason: expect.stringContaining("message refused") as string,
    },
  },
};
interface Ending {
  readonly client: Awaited<ReturnType<Awaited<ReturnType<typeof serve>>["open"]>>;
  readonly clock: Awaited<ReturnType<typeof serve>>["clock"];
}

test.each(Object.entries(ends))("handleClose is told once that %s", async (_, { end, reason }) => {
  const seen: [boolean, CloseReason][] = [];
  const probe = defineService({
    incoming: z.enum(["close me", "hello"]),
    init: () => [] as Client[],
    handleJoin: (client, clients) => [...clients, client],
    handleIncoming: (client) => client.close(4002, "as asked"),
    handleClose(client, why, clients, service) {
      seen.push([clients.includes(client), why]);
      expect([...service.clients()]).not.toContain(client);
      return clients.filter((other) => other !== client);
    },
  });
  const { open, clock, server, reports } = await serve({ probe });
  const client = await open("probe");
  await until(clock, () => server.clients("probe").length === 1);
  await end({ client, clock });
  await until(clock, () => seen.length > 0);
  client.resume();
  await client.closed;
  await settle();
  expect(seen).toEqual([[true, reason]]);
  expect(reports).toEqual([]);
});

test("a client that is too slow for what is sent to it is closed, and handleClose is told", async () => {
  const seen: CloseReason[] = [];
  const probe = defineService({
    handleBroadcast(size: number, _state, service) {
      for (let n = 0; n < 64; n++) service.sendAll(service.clients(), new Uint8Array(size));
    },
    handleClose: (_client, reason) => void seen.push(reason),
  });
  const { server, open, clock } = await serve({ probe }, { limits: { maxSendQueueBytes: 65_536 } });
  const slow = await open("probe");
  await until(clock, () => server.clients("probe").length === 1);
  slow.pause();
  for (let n = 0; n < 20 && seen.length === 0; n++) {
    server.broadcast("probe", 65_536);
    await clock.advance(10_000);
  }
  slow.cut();
  await until(clock, () => seen.length > 0);
  expect(seen).toEqual([{ type: "slow" }]);
});

test("a client that left before its join was handled is never heard of", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const probe = defineService({
    handleInfo: () => gate.promise,
    handleJoin: () => void seen.push("join"),
    handleClose: () => void seen.push("close"),
  });
  const { server, open, clock } = await serve({ probe });
  server.info("probe", "block");
  const client = await open("probe");
  client.cut();
  await client.closed;
  await until(clock, () => server.services()[0]?.clients === 0);
  gate.resolve();
  await settle();
  expect(seen).toEqual([]);
});

test("a message is text, bytes, or what the schema makes of it; without a handler it is dropped", async () => {
  const seen: unknown[] = [];
  const plain = defineService({ handleIncoming: (_client, message) => void seen.push(message) });
  const typed = defineService({
    incoming: z.object({ at: z.string().transform((text) => new Date(text)) }),
    handleIncoming: (_client, { at }) => void seen.push(at.getUTCFullYear()),
  });
  const text = defineService({
    incoming: z.string().min(2),
    handleIncoming: (_client, message) => void seen.push(message),
  });
  const deaf = defineService({});
  const { open, clock } = await serve({ plain, typed, text, deaf });
  const client = await open("plain");
  client.send('{"a":1}');
  client.send(new Uint8Array([1, 2]));
  await until(clock, () => seen.length === 2);
  (await open("typed")).send('{"at":"2020-01-01"}');
  await until(clock, () => seen.length === 3);
  const texter = await open("text");
  texter.send("not JSON");
  texter.send('"JSON"');
  texter.send("12");
  await until(clock, () => seen.length === 6);
  expect(seen).toEqual(['{"a":1}', Buffer.from([1, 2]), 2020, "not JSON", "JSON", "12"]);
  const ignored = await open("deaf");
  ignored.send("hello");
  await settle();
  expect(ignored.isOpen).toBe(true);
});

test("a message that does not fit closes with 1007 and names the field, in at most 123 bytes", async () => {
  const probe = defineService({
    incoming: z.object({ user: z.object({ name: z.string("ü".repeat(200)) }) }),
    handleIncoming: () => {},
  });
  const { open, reports } = await serve({ probe });
  const [wrong, broken] = [await open("probe"), await open("probe")];
  wrong.send('{"user":{"name":1}}');
  broken.send("{");
  const { code, reason } = await wrong.closed;
  expect(code).toBe(1007);
  expect(reason).toMatch(/^message refused: at `user\.name`: ü+$/);
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  expect((await broken.closed).reason).toContain("it is not JSON");
  expect(reports).toEqual([]);
});

test("a broadcast without a handler goes to every client, as text, bytes or JSON", async () => {
  const probe = defineService({});
  const { server, open } = await serve({ probe });
  const clients = [await open("probe"), await open("probe")];
  await settle();
  server.broadcast(probe, "text");
  server.broadcast("probe", new Uint8Array([1]));
  broadcast(probe, { a: [1, null] });
  for (const client of clients)
    expect(await client.take(3)).toEqual(["text", Buffer.from([1]), '{"a":[1,null]}']);
});

// It was encoded in the actor: a value that nobody can encode crashed the service that it was for.
test.each([undefined, 1n, () => "text", Symbol("s")])(
  "a broadcast of %o, which cannot be sent, is an error of its sender alone",
  async (value) => {
    const probe = defineService({});
    const { server, open, reports } = await serve({ probe });
    const client = await open("probe");
    expect(() => server.broadcast("probe", value as never)).toThrow(EncodeError);
    server.broadcast("probe", "fine");
    expect(await client.next()).toBe("fine");
    expect(reports).toEqual([]);
  },
);

test.each([new ArrayBuffer(2), new Float32Array(1), new Map([[1, 2]]), new Set([1])])(
  "%o is no JSON: sending it is an error, not an empty object",
  async (value) => {
    const errors: unknown[] = [];
    const probe = defineService({
      handleJoin(client) {
        try {
          client.send(value);
        } catch (error) {
          errors.push(error);
        }
      },
    });
    const { open, clock } = await serve({ probe });
    await open("probe");
    await until(clock, () => errors.length === 1);
    expect(errors).toEqual([expect.any(EncodeError)]);
  },
);

test("handleInfo gets infos from outside, its own, and timers", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    info: type<string>(),
    handleInfo(what, _state, service) {
      seen.push(what);
      if (what !== "outside") return;
      service.info("own");
      service.sendAfter("timer", 10);
      service.sendAfter("cancelled", 5).cancel();
    },
  });
  const { server, clock } = await serve({ probe });
  server.info(probe, "outside");
  await clock.advance(9);
  expect(seen).toEqual(["outside", "own"]);
  await clock.advance(1);
  expect(seen).toEqual(["outside", "own", "timer"]);
});

test("a timer may be cancelled in a later turn; a cancel after it ran is harmless", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    info: type<string>(),
    init: (service) => [service.sendAfter("first", 10), service.sendAfter("second", 20)],
    handleInfo(what, timers) {
      seen.push(what);
      for (const timer of timers) timer.cancel();
    },
  });
  const { clock } = await serve({ probe });
  await clock.advance(100);
  expect(seen).toEqual(["first"]);
});

test.each([-1, Number.NaN, Infinity, 2 ** 31])(
  "sendAfter refuses %d ms, and says which it takes",
  async (ms) => {
    const errors: unknown[] = [];
    const probe = defineService({
      info: type<string>(),
      init(service) {
        try {
          service.sendAfter("never", ms);
        } catch (error) {
          errors.push(error);
        }
      },
    });
    await serve({ probe });
    expect(errors).toEqual([expect.any(OptionError)]);
    expect(String(errors[0])).toContain("0 to 2147483647 ms");
  },
);

test("at most maxTimers timers, and a cancelled one makes room", async () => {
  const results: unknown[] = [];
  const probe = defineService({
    limits: { maxTimers: 2 },
    info: type<string>(),
    init(service) {
      const first = service.sendAfter("a", 1000);
      service.sendAfter("b", 1000);
      const third = (): unknown => {
        try {
          return service.sendAfter("c", 1000);
        } catch (error) {
          return error;
        }
      };
      results.push(third());
      first.cancel();
      results.push(third());
    },
  });
  await serve({ probe });
  expect(String(results[0])).toContain("Expected at most 2 timers in probe");
  expect(results[1]).not.toBeInstanceOf(Error);
});

test("noreply with a time-out: handleInfo gets it when no message comes within it", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    info: type<string>(),
    handleInfo(what) {
      seen.push(what);
      return what === "wait" ? noreply(undefined, { timeoutMs: 100 }) : undefined;
    },
  });
  const { server, clock } = await serve({ probe });
  server.info(probe, "wait");
  await clock.advance(99);
  server.info(probe, "in time");
  await clock.advance(1000);
  expect(seen).toEqual(["wait", "in time"]);
  server.info(probe, "wait");
  await clock.advance(99);
  expect(seen).toHaveLength(3);
  await clock.advance(1);
  expect(seen.at(-1)).toEqual({ type: "timeout" });
  await clock.advance(1000);
  expect(seen).toHaveLength(4);
});

// Whatever left the mailbox stopped the time-out, also what no callback ever hears of: a
// client that came and went before its join was handled left the service waiting for ever.
test("only a message that a callback gets stops the time-out of noreply", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  let context: ServiceContext | undefined;
  const probe = defineService({
    init: (service) => void (context = service as ServiceContext),
    async handleInfo(what) {
      seen.push(what);
      if (seen.length > 1) return undefined;
      await gate.promise;
      return noreply(undefined, { timeoutMs: 100 });
    },
  });
  const { server, open, clock } = await serve({ probe });
  server.info("probe", "wait");
  const client = await open("probe");
  client.cut();
  await client.closed;
  await until(clock, () => server.services()[0]?.clients === 0);
  gate.resolve();
  await clock.advance(1);
  server.broadcast("probe", "nobody handles this");
  context!.publish("nor this");
  await clock.advance(100);
  expect(seen).toEqual(["wait", { type: "timeout" }]);
});

test("reply takes a time-out, too", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    calls: { wait: {} },
    handleCall: { wait: () => reply(undefined, undefined, { timeoutMs: 10 }) },
    handleInfo: (what) => void seen.push(what),
  });
  const { server, clock } = await serve({ probe });
  await server.call("probe", "wait");
  await clock.advance(10);
  expect(seen).toEqual([{ type: "timeout" }]);
});

// A time that no timer can take ran out at once, again and again.
test.each([-1, Number.NaN, 2 ** 31])("a time-out of %d ms is a bad return", async (timeoutMs) => {
  const probe = defineService({
    onCrash: "keep",
    handleInfo: () => noreply(undefined, { timeoutMs }),
  });
  const { server, clock, reports } = await serve({ probe });
  server.info("probe", "go");
  await clock.advance(1);
  expect(reports).toHaveLength(1);
  expect(String(reports[0]?.type === "crash" && reports[0].error)).toContain(
    "`timeoutMs` of 0 to 2147483647 ms",
  );
});

test("a wrong return says what is allowed, then what came", async () => {
  const probe = defineService({
    onCrash: "keep",
    calls: { ask: {}, again: {} },
    handleCall: {
      ask: (() => ({ answer: 42 })) as never,
      again: (() => noreply()) as never,
    },
    handleInfo: (() => reply(1)) as never,
  });
  const { server, reports } = await serve({ probe });
  await server.call("probe", "ask").catch(() => {});
  await server.call("probe", "again").catch(() => {});
  server.info("probe", "go");
  await settle();
  expect(reports.map((one) => String(one.type === "crash" && one.error))).toEqual([
    "BadReturnError: Expected handleCall to return `reply(value)`, `reply(value, state)` or `stop(reason)`, got an object with the keys answer.",
    "BadReturnError: Expected handleCall to return `reply(value)`, `reply(value, state)` or `stop(reason)`, got `noreply(...)`.",
    "BadReturnError: Expected handleInfo to return the next state, nothing, `noreply(state)` or `stop(reason, state)`, got `reply(...)`.",
  ]);
});

test("terminate runs with the last state when the server stops; handleClose does not", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    init: () => 1,
    handleIncoming(client, _message, state) {
      client.send("taken");
      return state + 1;
    },
    handleClose: () => void seen.push("close"),
    async terminate(reason, state, service) {
      await Promise.resolve();
      seen.push([reason, state]);
      service.publish("goodbye");
    },
  });
  const { server, open, reports } = await serve({ probe });
  const client = await open("probe");
  client.send("");
  expect(await client.next()).toBe("taken");
  expect(await server.stop()).toEqual({ timedOut: false });
  expect(seen).toEqual([[{ type: "shutdown" }, 2]]);
  expect(client.received).toEqual(["taken", "goodbye"]);
  expect(await client.closed).toMatchObject({ code: 1012 });
  expect(reports).toEqual([]);
});

test("a stop handles what is in the mailbox first", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    async handleInfo(what) {
      await Promise.resolve();
      seen.push(what);
    },
    terminate: () => void seen.push("terminate"),
  });
  const { server } = await serve({ probe });
  for (let n = 0; n < 3; n++) server.info("probe", n);
  await server.stop();
  expect(seen).toEqual([0, 1, 2, "terminate"]);
});

// A client's handle outlives the actor: its `send` threw "has stopped" into the user's own
// timers, which ends the process in the middle of a drain.
test("what the app's own timers send after a stop goes nowhere, silently", async () => {
  let theirs: Client | undefined;
  let context: ServiceContext | undefined;
  const probe = defineService({
    handleJoin(client, _state, service) {
      theirs = client as Client;
      context = service as ServiceContext;
    },
  });
  const { server, open, clock, reports } = await serve({ probe });
  await open("probe");
  await until(clock, () => theirs !== undefined);
  await server.stop();
  theirs?.send("late");
  theirs?.close();
  context?.publish("late");
  context?.sendAfter("late" as never, 1);
  context?.info("late" as never);
  expect(context?.signal.aborted).toBe(true);
  expect(reports).toEqual([]);
});

test("service.signal is aborted when the incarnation ends, and not before", async () => {
  const signals: AbortSignal[] = [];
  const probe = defineService({
    init: (service) => void signals.push(service.signal),
    handleInfo() {
      throw new Error("boom");
    },
  });
  const { server, clock } = await serve({ probe });
  expect(signals[0]?.aborted).toBe(false);
  server.info("probe", "crash");
  await until(clock, () => signals.length === 2);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("services() and clients() show what runs, in the order of the joins", async () => {
  const probe = defineService({ handleJoin: (client) => client.send(client.id) });
  const room = defineService({ params: ["id"] });
  const { server, open, clock } = await serve({ probe, "room/[id]": room });
  const ids: unknown[] = [];
  for (let n = 0; n < 3; n++) ids.push(await (await open("probe")).next());
  await open("room/1");
  await until(clock, () => server.clients("room/1").length === 1);
  server.broadcast("probe", "one entry");
  await settle();
  expect(server.services()).toMatchObject([
    { name: "probe", address: "probe", state: "running", generation: 1, clients: 3, seq: 1 },
    { name: "room/[id]", address: "room/1", clients: 1, mailboxMessages: 0, mailboxBytes: 0 },
  ]);
  expect(server.clients("probe").map(({ id }) => id)).toEqual(ids);
  expect(server.clients(probe)).toHaveLength(3);
  expect(server.clients("room/2")).toEqual([]);
});

test("a sub-protocol: the client's first that the service lists; a plain socket without one works too", async () => {
  const probe = defineService({
    protocols: ["b", "a"],
    handleJoin: (client) => client.send(`joined with ${client.protocol || "none"}`),
  });
  const { open } = await serve({ probe });
  const both = await open("probe", { protocols: ["a", "b"] });
  const none = await open("probe");
  expect(["a", "b"]).toContain(both.protocol);
  expect(await both.next()).toBe(`joined with ${both.protocol}`);
  expect(await none.next()).toBe("joined with none");
});

test("a close code that may not be sent is refused, and a long reason is cut between characters", async () => {
  const errors: string[] = [];
  const probe = defineService({
    handleIncoming(client, message) {
      try {
        client.close(Number(message), "ü".repeat(100));
      } catch (error) {
        errors.push(String(error));
      }
    },
  });
  const { open } = await serve({ probe });
  const client = await open("probe");
  for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000]) client.send(String(code));
  client.send("4999");
  expect(await client.closed).toEqual({ code: 4999, reason: "ü".repeat(61) });
  expect(errors).toHaveLength(7);
  expect(errors[0]).toContain("Expected a close code of 1000 to 1014");
});

test("messages that came with the handshake are handled after the join", async () => {
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  const probe = defineService({
    async handleJoin() {
      await gate.promise;
      seen.push("join");
    },
    handleIncoming: (_client, message) => void seen.push(String(message)),
  });
  const { server, clock } = await serve({ probe });
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  const head =
    "GET /websocket/probe HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  // A masked text frame "hi" with the mask 0 in the same packet.
  socket.write(Buffer.concat([Buffer.from(head), Buffer.from("8182000000006869", "hex")]));
  await once(socket, "data");
  await clock.advance(1);
  gate.resolve();
  await until(clock, () => seen.length === 2);
  expect(seen).toEqual(["join", "hi"]);
  socket.destroy();
});

test("stop ends the service: terminate, clients closed with 1001; the next join starts it anew", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    init: () => void seen.push("init"),
    handleIncoming: (_client, message) => stop(String(message)),
    handleClose: () => void seen.push("close"),
    terminate: (reason) => void seen.push(reason),
  });
  const { server, open } = await serve({ probe });
  const [first, other] = [await open("probe"), await open("probe")];
  first.send("enough");
  expect(await first.closed).toMatchObject({ code: 1001 });
  expect(await other.closed).toMatchObject({ code: 1001 });
  expect(seen).toEqual(["init", { type: "stop", reason: "enough" }]);
  expect(server.services()).toEqual([]);
  const next = await open("probe");
  await settle();
  expect(next.isOpen).toBe(true);
  expect(seen.at(-1)).toBe("init");
});
