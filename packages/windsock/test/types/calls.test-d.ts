// Calls, declared by name and handled by name; infos and timers.
import { expectTypeOf, test } from "vitest";
import {
  call,
  defineService,
  info,
  reply,
  stop,
  type,
  type Client,
  type Sendable,
  type Server,
  type Timeout,
} from "windsock";
import { z } from "zod";

type Tick = { type: "tick"; n: number };

const build = defineService({
  info: type<Tick>(),
  calls: {
    rebuild: { request: z.object({ ref: z.string() }), response: type<{ id: number }>() },
    at: { request: z.object({ at: z.string().transform(Number) }), response: z.date() },
    search: { request: z.string().optional(), response: type<string[]>() },
    count: { response: z.number() },
    ping: {},
  },
  init: () => ({ count: 0 }),
  handleCall: {
    rebuild(client, request, state, service) {
      expectTypeOf(client).toEqualTypeOf<Client<Sendable, undefined, {}> | undefined>();
      expectTypeOf(request).toEqualTypeOf<{ ref: string }>();
      expectTypeOf(service.name).toEqualTypeOf<string>();
      return reply({ id: state.count }, { count: state.count + 1 });
    },
    at: async (_client, { at }) => reply(new Date(at)),
    search: (_client, request) => reply(request === undefined ? [] : [request]),
    count: (_client, _request, state) => reply(state.count),
    ping: () => reply(),
  },
});

test("a required request", () => {
  expectTypeOf(call(build, "rebuild", { ref: "main" })).toEqualTypeOf<Promise<{ id: number }>>();
  void call(build, "rebuild", { ref: "main" }, { timeoutMs: 1000 });
  // @ts-expect-error -- the request is missing
  void call(build, "rebuild");
  // @ts-expect-error -- another request
  void call(build, "rebuild", { rev: "main" });
  // @ts-expect-error -- another type
  void call(build, "rebuild", { ref: 1 });
});

test("a transforming request: the caller gives the input", () => {
  expectTypeOf(call(build, "at", { at: "12" })).toEqualTypeOf<Promise<Date>>();
  // @ts-expect-error -- the output
  void call(build, "at", { at: 12 });
});

test("a request that may be left out", () => {
  expectTypeOf(call(build, "search")).toEqualTypeOf<Promise<string[]>>();
  void call(build, "search", "word");
  void call(build, "search", undefined, { timeoutMs: 1000 });
});

test("a call without a request, and one without anything", () => {
  expectTypeOf(call(build, "count")).toEqualTypeOf<Promise<number>>();
  expectTypeOf(call(build, "ping")).toEqualTypeOf<Promise<undefined>>();
  void call(build, "count", undefined, { signal: new AbortController().signal });
  // @ts-expect-error -- it takes no request
  void call(build, "count", { ref: "main" });
});

test("an unknown call", () => {
  // @ts-expect-error -- "rebuidl"
  void call(build, "rebuidl", { ref: "main" });
  const none = defineService({});
  // @ts-expect-error -- it answers no calls
  void call(none, "ping");
});

test("the functions of a server are typed as the functions themselves", () => {
  const use = (server: Server): void => {
    expectTypeOf(server.call(build, "count")).toEqualTypeOf<Promise<number>>();
    server.info(build, { type: "tick", n: 1 });
    // @ts-expect-error -- another info
    server.info(build, { type: "tock" });
    // @ts-expect-error -- nothing that can be sent
    server.broadcast(build, undefined);
  };
  void use;
});

test("every declared call needs its handler, and every handler its declaration", () => {
  // @ts-expect-error -- `handleCall` is missing
  defineService({ calls: { ping: {} } });
  defineService({
    calls: { ping: {}, pong: {} },
    // @ts-expect-error -- `pong` is missing
    handleCall: { ping: () => reply() },
  });
  defineService({
    calls: { ping: {} },
    // @ts-expect-error -- `pong` is not declared
    handleCall: { ping: () => reply(), pong: () => reply() },
  });
});

test("a reply must be the declared response", () => {
  const calls = { size: { response: z.number() } };
  defineService({ calls, handleCall: { size: () => reply(1) } });
  // @ts-expect-error -- a string
  defineService({ calls, handleCall: { size: () => reply("1") } });
  // @ts-expect-error -- nothing
  defineService({ calls, handleCall: { size: () => reply() } });
});

test("each handler replies by its own declaration, with unions told apart", () => {
  defineService({
    calls: {
      try: { response: type<{ ok: true } | { ok: false; why: string }>() },
      phase: { response: type<"idle" | "busy">() },
    },
    handleCall: {
      try(client) {
        if (client === undefined) return reply({ ok: false, why: "the server asks" });
        return reply({ ok: true });
      },
      phase: async (client) => (client === undefined ? stop("normal") : reply("idle")),
    },
  });
});

test("an info goes to handleInfo, by its declared type", () => {
  info(build, { type: "tick", n: 1 });
  // @ts-expect-error -- `n` is missing
  info(build, { type: "tick" });
  // @ts-expect-error -- time-outs come from `noreply` only
  info(build, { type: "timeout" });
  const none = defineService({
    handleInfo(message) {
      expectTypeOf(message).toEqualTypeOf<Timeout>();
    },
  });
  // @ts-expect-error -- it declares no info
  info(none, { type: "tick", n: 1 });
});

test("`info` types handleInfo, service.info and service.sendAfter, wherever it stands", () => {
  defineService({
    handleJoin(_client, _state, service) {
      expectTypeOf(service.sendAfter({ type: "tick", n: 1 }, 10).cancel()).toEqualTypeOf<void>();
      service.info({ type: "tick", n: 1 });
      // @ts-expect-error -- another info
      service.sendAfter({ type: "tock" }, 10);
      // @ts-expect-error -- time-outs come from `noreply` only
      service.info({ type: "timeout" });
    },
    handleInfo(message) {
      expectTypeOf(message).toEqualTypeOf<Tick | Timeout>();
    },
    info: type<Tick>(),
  });
});

test("without `info` there is nothing to send", () => {
  defineService({
    handleJoin(_client, _state, service) {
      // @ts-expect-error -- no info is declared
      service.sendAfter({ type: "tick" }, 10);
      // @ts-expect-error -- no info is declared
      service.info("tick");
    },
  });
});

test("an annotated handleInfo declares the infos too", () => {
  const service = defineService({
    handleInfo(message: Tick | Timeout, _state, { sendAfter }) {
      if (message.type === "tick") sendAfter({ type: "tick", n: message.n + 1 }, 10);
    },
  });
  info(service, { type: "tick", n: 1 });
});
