import { expect, test } from "vitest";
import { z } from "zod";
import {
  call,
  CallCycleError,
  CallFailedError,
  CallTimeoutError,
  defineService,
  info,
  InvalidMessageError,
  OptionError,
  OverloadedError,
  reply,
  ServiceDownError,
  stop,
  type,
  UnknownServiceError,
} from "../src/index.ts";
import { settle } from "../src/testing/index.ts";
import { serve } from "./serve.ts";
import { until } from "./until.ts";

/** What a promise rejects with. */
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => new Error(`it gave ${String(value)}`),
    (error: unknown) => error,
  );

const anything = { response: type<unknown>() };

const never = (): Promise<never> => new Promise(() => {});

test("a call is answered with what the handler replies, and the reply's state is the next one", async () => {
  const counter = defineService({
    init: () => 0,
    calls: { add: { request: z.object({ n: z.number() }), response: type<number>() } },
    handleCall: {
      add: (client, { n }, state) => {
        expect(client).toBeUndefined();
        return reply(state + n, state + n);
      },
    },
  });
  const { server } = await serve({ counter });
  expect(await server.call(counter, "add", { n: 2 })).toBe(2);
  expect(await call(counter, "add", { n: 3 })).toBe(5);
  expect(await server.call("counter", "add", { n: 1 })).toBe(6);
});

test("reply without a state keeps it; stop in a handler fails the call and ends the service", async () => {
  const counter = defineService({
    init: () => 7,
    calls: { read: { response: type<number>() }, quit: { response: type<number>() } },
    handleCall: { read: (_client, _request, state) => reply(state), quit: () => stop("enough") },
  });
  const { server } = await serve({ counter });
  expect(await server.call("counter", "read")).toBe(7);
  expect(await server.call("counter", "read")).toBe(7);
  const error = await failure(server.call("counter", "quit"));
  expect(error).toBeInstanceOf(CallFailedError);
  expect(String(error)).toContain("counter stopped instead of answering `quit`");
});

test("request and reply are copies: neither side sees what the other changes later", async () => {
  const kept: { n: number }[] = [];
  const echo = defineService({
    calls: { echo: { response: type<{ n: number }>() } },
    handleCall: {
      echo: (_client, request) => {
        kept.push(request as never);
        const answer = { n: 1 };
        kept.push(answer);
        return reply(answer);
      },
    },
  });
  const { server } = await serve({ echo });
  const request = { n: 0 };
  const pending = server.call("echo", "echo", request);
  request.n = 9;
  const answer = (await pending) as { n: number };
  kept[1]!.n = 9;
  expect(kept[0]).toEqual({ n: 0 });
  expect(answer).toEqual({ n: 1 });
});

test("an unknown call is told which there are", async () => {
  const probe = defineService({ calls: { a: {}, b: {} }, handleCall: { a: never, b: never } });
  const { server } = await serve({ probe });
  const error = await failure(server.call("probe", "constructor"));
  expect(error).toBeInstanceOf(CallFailedError);
  expect(String(error)).toContain("Expected a call that probe declares (a, b), got `constructor`");
  expect(await failure(server.call("nobody", "a"))).toBeInstanceOf(UnknownServiceError);
});

test("a request that does not fit is refused with the field, and is no crash", async () => {
  const probe = defineService({
    calls: { add: { request: z.object({ n: z.number() }) } },
    handleCall: { add: () => reply(undefined) },
  });
  const { server, reports } = await serve({ probe });
  const error = await failure(server.call("probe", "add", { n: "two" }));
  expect(error).toBeInstanceOf(InvalidMessageError);
  expect(String(error)).toContain(
    "Expected a request that fits `calls.add.request` of probe: at `n`",
  );
  expect(reports).toEqual([]);
});

test("an async schema may refuse, too", async () => {
  const probe = defineService({
    calls: { add: { request: z.string().refine(async (text) => text === "yes"), ...anything } },
    handleCall: { add: () => reply("taken") },
  });
  const { server } = await serve({ probe });
  expect(await failure(server.call("probe", "add", "no"))).toBeInstanceOf(InvalidMessageError);
  expect(await server.call("probe", "add", "yes")).toBe("taken");
});

test("a call is given up at its deadline: 5 s, unless it says another", async () => {
  const probe = defineService({ calls: { ask: anything }, handleCall: { ask: never } });
  const { server, clock } = await serve({ probe });
  const ends: string[] = [];
  void failure(server.call("probe", "ask")).then((error) => ends.push(String(error)));
  await clock.advance(4999);
  expect(ends).toEqual([]);
  await clock.advance(1);
  expect(ends).toEqual([
    "CallTimeoutError: Expected probe to answer `ask` within 5000 ms, got nothing.",
  ]);
  expect(await failure(server.call("probe", "ask", undefined, { timeoutMs: 0 }))).toBeInstanceOf(
    OptionError,
  );
});

test("a call whose deadline passed while it waited in the mailbox is not handled", async () => {
  const gate = Promise.withResolvers<void>();
  let handled = 0;
  const probe = defineService({
    calls: { ask: anything },
    handleInfo: () => gate.promise,
    handleCall: { ask: () => reply(++handled) },
  });
  const { server, clock } = await serve({ probe });
  server.info("probe", "block");
  const late = failure(server.call("probe", "ask", undefined, { timeoutMs: 10 }));
  const controller = new AbortController();
  const aborted = failure(server.call("probe", "ask", undefined, { signal: controller.signal }));
  const patient = server.call("probe", "ask");
  await clock.advance(10);
  controller.abort();
  expect(await late).toBeInstanceOf(CallTimeoutError);
  expect(String(await aborted)).toContain("was aborted");
  gate.resolve();
  expect(await patient).toBe(1);
  expect(
    String(await failure(server.call("probe", "ask", undefined, { signal: AbortSignal.abort() }))),
  ).toContain("was aborted");
});

test("a call made while another is answered has the rest of that one's time", async () => {
  const front = defineService({
    calls: { ask: anything },
    handleCall: {
      ask: async () => reply(await failure(call("back", "ask", undefined, { timeoutMs: 60_000 }))),
    },
  });
  const back = defineService({ calls: { ask: anything }, handleCall: { ask: never } });
  const { server, clock } = await serve({ front, back });
  const outer = failure(server.call("front", "ask", undefined, { timeoutMs: 100 }));
  await clock.advance(99);
  let inner = 0;
  void outer.then(() => (inner += 1));
  await settle();
  expect(inner).toBe(0);
  await clock.advance(1);
  expect(await outer).toBeInstanceOf(CallTimeoutError);
});

/** Services that call each other in a ring: `a` calls `b`, ..., the last one calls `a`. */
function ring(names: readonly string[]) {
  return Object.fromEntries(
    names.map((name, index) => [
      name,
      defineService({
        calls: { ask: { response: type<unknown>() } },
        handleCall: {
          ask: async () =>
            reply(await call(names[(index + 1) % names.length]!, "ask").catch((e: unknown) => e)),
        },
      }),
    ]),
  );
}

test.each([[["a"]], [["a", "b"]], [["a", "b", "c"]]])(
  "a ring of calls through %j fails at once, with the chain",
  async (names) => {
    const { server } = await serve(ring(names));
    const error = (await server.call("a", "ask")) as Error;
    expect(error.message).toContain(`got the cycle ${[...names, "a"].join(" -> ")}`);
  },
);

test("of two calls that cross, the later one fails", async () => {
  const gate = Promise.withResolvers<void>();
  const ends: Record<string, unknown> = {};
  const calling = (name: string, other: string) =>
    defineService({
      calls: { ask: { response: type<string>() } },
      handleCall: { ask: () => reply(`${name} answers`) },
      async handleInfo() {
        if (name === "b") await gate.promise;
        ends[name] = await call(other, "ask").catch((error: unknown) => error);
      },
    });
  const { server } = await serve({ a: calling("a", "b"), b: calling("b", "a") });
  server.info("b", "go");
  server.info("a", "go");
  await settle();
  gate.resolve();
  await settle();
  expect(ends["b"]).toBeInstanceOf(CallCycleError);
  expect((ends["b"] as CallCycleError).chain).toEqual(["a", "b", "a"]);
  expect(ends["a"]).toBe("b answers");
});

// The set of those an actor waits for outlived the turn that did: an actor that had only
// started a call, and was free to answer, counted as waiting.
test("a service that does not wait for its call may be called back", async () => {
  const done = Promise.withResolvers<unknown>();
  const front = defineService({
    calls: { ask: { response: type<string>() } },
    handleInfo: () => void call("back", "ask").then(done.resolve, done.resolve),
    handleCall: { ask: () => reply("from front") },
  });
  const back = defineService({
    calls: { ask: { response: type<unknown>() } },
    handleCall: { ask: async () => reply(await call("front", "ask").catch((e: unknown) => e)) },
  });
  const { server } = await serve({ front, back });
  server.info("front", "go");
  expect(await done.promise).toBe("from front");
});

test("a cycle is found while the second of two calls to one service is still open", async () => {
  const gate = Promise.withResolvers<void>();
  const ends: unknown[] = [];
  const front = defineService({
    calls: { ask: anything },
    handleCall: { ask: () => reply("from front") },
    async handleInfo() {
      await Promise.all([call("back", "quick"), call("back", "cyclic")]);
    },
  });
  const back = defineService({
    calls: { quick: anything, cyclic: anything },
    handleCall: {
      quick: () => reply("quick"),
      async cyclic() {
        await gate.promise;
        ends.push(await call("front", "ask").catch((error: unknown) => error));
        return reply("done");
      },
    },
  });
  const { server } = await serve({ front, back });
  server.info("front", "go");
  await settle();
  gate.resolve();
  await settle();
  expect(ends).toEqual([expect.any(CallCycleError)]);
});

test("a callee that crashes fails the call that it handled, and answers those behind it", async () => {
  const probe = defineService({
    calls: { ask: { response: type<string>() } },
    handleCall: {
      ask: (_client, request) => {
        if (request === "crash") throw new Error("boom");
        return reply("fine");
      },
    },
  });
  const { server, reports } = await serve({ probe });
  const crashed = failure(server.call("probe", "ask", "crash"));
  const behind = server.call("probe", "ask");
  const error = await crashed;
  expect(error).toBeInstanceOf(CallFailedError);
  expect(String(error)).toContain("probe crashed while it handled this");
  expect(await behind).toBe("fine");
  expect(reports).toMatchObject([{ type: "crash", callback: "handleCall", message: "ask(crash)" }]);
});

test("a reply that cannot be copied is a crash of the service that gives it", async () => {
  const probe = defineService({
    calls: { ask: anything },
    handleCall: { ask: () => reply(() => "a function") },
  });
  const { server, reports } = await serve({ probe });
  expect(await failure(server.call("probe", "ask"))).toBeInstanceOf(CallFailedError);
  expect(reports).toHaveLength(1);
});

test("a caller that crashes ends its calls: those that wait are not handled any more", async () => {
  const gate = Promise.withResolvers<void>();
  let handled = 0;
  const front = defineService({
    async handleInfo() {
      void call("back", "ask");
      await Promise.resolve();
      throw new Error("boom");
    },
  });
  const back = defineService({
    calls: { ask: anything },
    handleInfo: () => gate.promise,
    handleCall: { ask: () => reply(++handled) },
  });
  const { server } = await serve({ front, back });
  server.info("back", "block");
  server.info("front", "go");
  await settle();
  gate.resolve();
  await settle();
  expect(handled).toBe(0);
  expect(server.services().map(({ generation }) => generation)).toEqual([2, 1]);
});

test("a call to a full mailbox fails at once; one that fits is answered", async () => {
  const gate = Promise.withResolvers<void>();
  const probe = defineService({
    limits: { maxMailboxMessages: 2 },
    calls: { ask: { response: type<string>() } },
    handleInfo: () => gate.promise,
    handleCall: { ask: () => reply("answer") },
  });
  const { server } = await serve({ probe });
  server.info("probe", "block");
  await settle();
  const fits = [server.call("probe", "ask"), server.call("probe", "ask")];
  const error = await failure(server.call("probe", "ask"));
  expect(error).toBeInstanceOf(OverloadedError);
  expect((error as OverloadedError).retryAfterMs).toBe(1000);
  gate.resolve();
  expect(await Promise.all(fits)).toEqual(["answer", "answer"]);
});

test("a service that is down refuses calls with the time until it is tried again", async () => {
  const probe = defineService({
    limits: { maxRestarts: 1 },
    calls: { ask: anything },
    handleCall: { ask: () => reply(1) },
    handleInfo() {
      throw new Error("boom");
    },
  });
  const { server, clock } = await serve({ probe });
  for (let crash = 0; crash < 2; crash++) server.info("probe", "crash");
  const waiting = failure(server.call("probe", "ask"));
  await until(clock, () => server.services()[0]?.state === "down");
  expect(await waiting).toBeInstanceOf(ServiceDownError);
  const error = await failure(server.call("probe", "ask"));
  expect(error).toBeInstanceOf(ServiceDownError);
  expect((error as ServiceDownError).retryAfterMs).toBeGreaterThan(0);
});

test("a call to itself fails at once; an info to itself is handled in its turn", async () => {
  const seen: unknown[] = [];
  const probe = defineService({
    info: type<string>(),
    calls: { ask: anything },
    async handleInfo(what) {
      seen.push(what);
      if (what !== "go") return;
      info("probe", "later");
      seen.push(await failure(call("probe", "ask")));
    },
    handleCall: { ask: () => reply(1) },
  });
  const { server } = await serve({ probe });
  server.info("probe", "go");
  await settle();
  expect(seen).toEqual(["go", expect.any(CallCycleError), "later"]);
});

test.each(["constructor", "__proto__", "toString", "hasOwnProperty"])(
  "what every object has is no call: %s",
  async (name) => {
    const it = defineService({ calls: { mine: anything }, handleCall: { mine: () => reply(1) } });
    const { server } = await serve({ it });
    const error = await failure(server.call("it", name));
    expect(error).toBeInstanceOf(CallFailedError);
    expect(error).toMatchObject({ message: expect.stringContaining("(mine)") });
  },
);

// It was taken for declared with the handler that every object has, and no call to it was answered.
test("a declared call that is named like a member of every object needs a handler of its own", () => {
  const definition = { calls: { toString: anything }, handleCall: {} };
  expect(() => defineService(definition as never)).toThrow("got none for `toString`");
});

test.each(["constructor", "__proto__", "toString"])(
  "a key may be called %s, and is one like any other",
  async (id) => {
    const room = defineService({
      params: ["id"],
      calls: { count: anything },
      init: () => 0,
      handleCall: { count: (_client, _request, count: number) => reply(count + 1, count + 1) },
    });
    const { server } = await serve({ "room/[id]": room });
    expect(await server.call(`room/${id}`, "count")).toBe(1);
    expect(await server.call(`room/${id}`, "count")).toBe(2);
    expect(await server.call("room/other", "count")).toBe(1);
    expect(() => server.broadcast(id, "x")).toThrow(UnknownServiceError);
  },
);
