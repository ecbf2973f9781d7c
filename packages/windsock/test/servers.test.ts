import { expect, test, vi } from "vitest";
import { z } from "zod";
import {
  broadcast,
  call,
  defineService,
  info,
  NoServerError,
  OptionError,
  reply,
  type,
  UnknownServiceError,
} from "../src/index.ts";
import { settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

// Which server `broadcast`, `info` and `call` mean.

/** A service that says which server it belongs to, and passes on what it is told to. */
function named(name: string) {
  const late = Promise.withResolvers<void>();
  const probe = defineService({
    calls: { who: { response: type<string>() } },
    handleCall: { who: () => reply(name) },
    async handleIncoming(client, message, _state, service) {
      if (message === "broadcast") broadcast("probe", `from a turn of ${name}`);
      if (message === "call") client.send(String(await call("other", "who")));
      if (message === "later")
        void late.promise.then(() => broadcast("probe", `from a leftover of ${name}`));
      if (message === "crash") {
        service.publish("lost");
        throw new Error("boom");
      }
    },
  });
  const other = defineService({
    calls: { who: { response: type<string>() } },
    handleCall: { who: () => reply(`other of ${name}`) },
  });
  return { services: { probe, other }, late: late.resolve };
}

test("without a server they say how to start one", async () => {
  expect(() => broadcast("status", "x")).toThrow(NoServerError);
  expect(() => broadcast("status", "x")).toThrow("createServer()");
  expect(() => info("status", "x")).toThrow(NoServerError);
  expect(() => call("status", "x")).toThrow(NoServerError);
});

test("of two servers in one process, each has its own services, clients and crashes", async () => {
  const [a, b] = [await serve(named("a").services), await serve(named("b").services)];
  const [ofA, ofB] = [await a.open("probe"), await b.open("probe")];
  await until(a.clock, () => a.server.clients("probe").length === 1);
  await until(b.clock, () => b.server.clients("probe").length === 1);
  a.server.broadcast("probe", "for a");
  b.server.broadcast("probe", "for b");
  expect(await ofA.next()).toBe("for a");
  expect(await ofB.next()).toBe("for b");
  expect(await a.server.call("probe", "who")).toBe("a");
  expect(await b.server.call("probe", "who")).toBe("b");
  ofA.send("crash");
  await until(a.clock, () => a.server.services()[0]?.generation === 2);
  expect(b.server.services()[0]?.generation).toBe(1);
  expect(a.reports).toHaveLength(1);
  expect(b.reports).toEqual([]);
});

test("in a callback they mean the server of its service; outside, two are one too many", async () => {
  const [first, second] = [named("a"), named("b")];
  const [a, b] = [await serve(first.services), await serve(second.services)];
  const clients = [await a.open("probe"), await b.open("probe")] as const;
  for (const client of clients) client.send("broadcast");
  expect(await clients[0].next()).toBe("from a turn of a");
  expect(await clients[1].next()).toBe("from a turn of b");
  for (const client of clients) client.send("call");
  expect(await clients[0].next()).toBe("other of a");
  expect(await clients[1].next()).toBe("other of b");

  expect(() => broadcast("probe", "which?")).toThrow("got 2. Use `server.broadcast`");
  await b.server.stop();
  broadcast("probe", "the only one");
  expect(await clients[0].next()).toBe("the only one");
});

test("what a callback left behind means its server, too, also when its actor has ended", async () => {
  const [first, second] = [named("a"), named("b")];
  const keyed = defineService({
    params: ["id"],
    limits: { idleTimeoutMs: 100 },
    handleIncoming: () => void gone.promise.then(() => broadcast("probe", "from an ended actor")),
  });
  const gone = Promise.withResolvers<void>();
  const a = await serve({ ...first.services, "keyed/[id]": keyed });
  await serve(second.services);
  const client = await a.open("probe");
  client.send("later");
  const visitor = await a.open("keyed/1");
  visitor.send("x");
  await settle();
  visitor.close();
  await until(a.clock, () => a.server.services().length === 2);
  first.late();
  expect(await client.next()).toBe("from a leftover of a");
  gone.resolve();
  expect(await client.next()).toBe("from an ended actor");
});

test("a service that this server does not run, and a name that nobody has, are errors", async () => {
  const stranger = defineService({});
  const { server } = await serve(named("a").services);
  expect(() => server.broadcast(stranger, "x")).toThrow(UnknownServiceError);
  expect(() => server.broadcast("nobody", "x")).toThrow(
    "Expected the name of a service (probe, other), got",
  );
  expect(() => server.clients("nobody")).toThrow(UnknownServiceError);
  await expect(server.call("nobody", "who")).rejects.toThrow(UnknownServiceError);
});

// The last name won: a broadcast went to one of the two, and nobody could tell to which.
test("a service that is served under two names is addressed by name", async () => {
  const probe = defineService({});
  const { server, open, clock } = await serve({ first: probe, second: probe });
  const client = await open("first");
  await until(clock, () => server.clients("first").length === 1);
  expect(() => server.broadcast(probe, "x")).toThrow("served as first and second");
  server.broadcast("first", "by name");
  expect(await client.next()).toBe("by name");
});

test("a stopped server takes nothing more", async () => {
  const { server } = await serve(named("a").services);
  await server.stop();
  expect(server.services()).toEqual([]);
  await expect(server.call("probe", "who")).rejects.toThrow("stopping");
  expect(() => broadcast("probe", "x")).toThrow(NoServerError);
});

// A package of services brought its own windsock along: what its callbacks returned was taken
// for a state, and a reply for nothing that a call may answer.
test("services of another copy of the package do what they return", async () => {
  vi.resetModules();
  const other = await import("../src/index.ts");
  expect(other.reply).not.toBe(reply);
  const foreign = other.defineService({
    incoming: z.string(),
    calls: { count: { response: other.type<number>() } },
    init: () => 1,
    handleIncoming: (_client, _message, count) => other.stop("enough", count),
    handleCall: { count: (_client, _request, count) => other.reply(count, count + 1) },
  });
  const { server, open } = await serve({ foreign });
  expect(await server.call("foreign", "count")).toBe(1);
  expect(await server.call("foreign", "count")).toBe(2);
  const client = await open("foreign");
  client.send("stop");
  expect(await client.closed).toMatchObject({ code: 1001 });
});

test("a definition that cannot be is refused when it is made, with what was expected", () => {
  const define = defineService as (definition: object) => unknown;
  for (const [definition, message] of [
    [{ handleJion() {} }, "got `handleJion`. Did you mean `handleJoin`?"],
    [{ handleJoin: 1 }, "Expected `handleJoin` to be a function, got 1 (number)"],
    [{ incoming: {} }, "Expected `incoming` to be a Standard Schema"],
    [{ key: "id" }, "Expected `key` to be a Standard Schema"],
    [{ onCrash: "ignore" }, 'Expected `onCrash` to be "restart" or "keep"'],
    [{ calls: { ask: null } }, "Expected `calls.ask` to be an object, got null"],
    [{ calls: { ask: { request: {} } } }, "Expected `calls.ask.request` to be a Standard Schema"],
    [{ calls: { ask: {} } }, "Expected a handler for each declared call, got none for `ask`"],
    [{ handleCall: { ask() {} } }, "to have a declaration in `calls`, got `ask`"],
    [{ limits: { maxKeys: 0 } }, "Expected `limits.maxKeys` to be an integer of at least 1, got 0"],
    [{ limits: { maxKey: 1 } }, "got `maxKey`. Did you mean `maxKeys`?"],
    [{ history: { messages: 1.5 } }, "Expected `history.messages` to be an integer"],
  ] as const) {
    expect(() => define(definition)).toThrow(OptionError);
    expect(() => define(definition)).toThrow(message);
  }
});
