// What a callback may return, and what becomes of the state's type.
import { expectTypeOf, test } from "vitest";
import { broadcast, defineService, noreply, reply, stop, type, type Client } from "windsock";

type Phase = "idle" | "busy";
type Job =
  | { type: "idle" }
  | { type: "running"; steps: Phase[]; range: [from: Phase, to: number] }
  | { type: "done"; ok: boolean };

const init = () => ({ n: 0, phase: "idle" as Phase });
const initJob = (): { job: Job; log: string[] } => ({ job: { type: "idle" }, log: [] });

test("every form of return, sync", () => {
  defineService({
    init,
    handleJoin() {},
    handleClose(_client, _reason, state) {
      return state;
    },
    handleIncoming(_client, _message, state) {
      if (state.n === 0) return;
      return { ...state, n: 1 };
    },
    handleBroadcast(_message, state) {
      if (state.n === 0) return noreply();
      if (state.n === 1) return noreply(state);
      if (state.n === 2) return noreply(state, { timeoutMs: 1000 });
      if (state.n === 3) return stop("normal");
      if (state.n === 4) return stop(new Error("broken"), state);
      return undefined;
    },
  });
});

test("every form of return, async", () => {
  defineService({
    init: async () => ({ n: 0 }),
    async handleJoin() {},
    handleClose: async (_client, _reason, state) => state,
    async handleIncoming(_client, _message, state) {
      expectTypeOf(state).toEqualTypeOf<{ n: number }>();
      if (state.n === 0) return;
      return { ...state, n: 1 };
    },
    async handleBroadcast(_message, state) {
      if (state.n === 0) return noreply();
      if (state.n === 1) return noreply(state, { timeoutMs: 1000 });
      if (state.n === 2) return stop("done", state);
      return { n: 2 };
    },
    handleInfo: (_info, state) => Promise.resolve(state),
  });
});

test("a union of literals in the state: returned by every form", () => {
  defineService({
    init,
    calls: { go: { response: type<Phase>() }, later: {}, never: {} },
    handleJoin(_client, state) {
      return { ...state, phase: "busy" };
    },
    handleClose: (_client, _reason, state) => ({ ...state, phase: "busy" }),
    handleIncoming: async (_client, _message, state) => ({ ...state, phase: "busy" }),
    handleBroadcast(_message, state) {
      if (state.n === 0) return { ...state, phase: "busy" };
      return noreply({ ...state, phase: "idle" }, { timeoutMs: 1 });
    },
    async handleInfo(_info, state) {
      if (state.n === 0) return noreply({ ...state, phase: "busy" });
      if (state.n === 1) return stop("normal", { ...state, phase: "busy" });
      return { ...state, phase: "idle" };
    },
    handleCall: {
      go: (_client, _request, state) => reply("busy", { ...state, phase: "busy" }),
      async later(_client, _request, state) {
        return reply(undefined, { ...state, phase: "busy" }, { timeoutMs: 1 });
      },
      // A handler without parameters is typed before the others: it must not widen theirs.
      never: async () => reply(),
    },
  });
});

test("a union of objects in the state: returned by every form", () => {
  defineService({
    init: initJob,
    calls: { go: { response: type<Job>() } },
    handleJoin(_client, state) {
      return { ...state, job: { type: "running", steps: ["busy"], range: ["idle", 1] } };
    },
    handleClose: (_client, _reason, state) => ({ ...state, job: { type: "done", ok: true } }),
    handleIncoming: async (_client, _message, state) => ({
      ...state,
      job: { type: "running", steps: [], range: ["busy", 2] },
    }),
    handleBroadcast(_message, state) {
      if (state.job.type === "idle") return { ...state, job: { type: "done", ok: true } };
      return noreply({ ...state, job: { type: "running", steps: ["idle"], range: ["idle", 1] } });
    },
    handleCall: {
      go: (_client, _request, state) =>
        reply({ type: "done", ok: false }, { ...state, job: { type: "idle" } }),
    },
  });
});

test("a state that is itself one of the union, and one that is a literal", () => {
  defineService({
    init: (): Job => ({ type: "idle" }),
    handleJoin: () => ({ type: "done", ok: true }),
    handleClose: async () => ({ type: "running", steps: ["idle"], range: ["busy", 1] }),
    handleIncoming: () => noreply({ type: "idle" }),
    handleBroadcast: (_message, job) => (job.type === "done" ? { type: "idle" } : job),
  });
  defineService({
    init: (): Phase => "idle",
    handleJoin: () => "busy",
    handleClose(_client, _reason, phase) {
      return phase === "busy" ? "idle" : "busy";
    },
    handleIncoming: async () => noreply("busy"),
    // @ts-expect-error -- a trap: of an async arrow's expression, the literal widens; write noreply("busy")
    handleBroadcast: async () => "busy",
  });
});

test("a misspelt literal is rejected in every form", () => {
  defineService({
    init,
    calls: { go: {} },
    // @ts-expect-error -- "bsuy"
    handleJoin(_client, state) {
      return { ...state, phase: "bsuy" };
    },
    // @ts-expect-error -- "bsuy"
    handleClose: (_client, _reason, state) => ({ ...state, phase: "bsuy" }),
    // @ts-expect-error -- "bsuy"
    handleIncoming: async (_client, _message, state) => ({ ...state, phase: "bsuy" }),
    // @ts-expect-error -- "bsuy"
    handleBroadcast: (_message, state) => noreply({ ...state, phase: "bsuy" }),
    // @ts-expect-error -- "bsuy"
    handleInfo: (_info, state) => stop("normal", { ...state, phase: "bsuy" }),
    handleCall: {
      // @ts-expect-error -- "bsuy"
      go: (_client, _request, state) => reply(undefined, { ...state, phase: "bsuy" }),
    },
  });
  // @ts-expect-error -- "bsuy"
  defineService({ init: (): Phase => "idle", handleJoin: () => "bsuy" });
  defineService({
    init: initJob,
    // @ts-expect-error -- a running job has steps
    handleJoin: (_client, state) => ({ ...state, job: { type: "running" } }),
  });
});

test("a part of a state is not a state", () => {
  defineService({
    init,
    // @ts-expect-error -- `phase` is missing
    handleJoin: () => ({ n: 1 }),
    // @ts-expect-error -- `n` is a number
    handleClose: (_client, _reason, state) => ({ ...state, n: "1" }),
  });
});

test("without `init` the state is undefined, and nothing may be returned", () => {
  defineService({
    handleJoin(_client, state) {
      expectTypeOf(state).toEqualTypeOf<undefined>();
    },
    handleClose: () => noreply(undefined, { timeoutMs: 1 }),
    // @ts-expect-error -- there is no state
    handleIncoming: () => ({ n: 1 }),
  });
});

test("an annotated state needs an `init` that gives it", () => {
  // @ts-expect-error -- `init` is missing
  defineService({ handleJoin(_client, _state: { n: number }) {} });
  defineService({ init: () => ({ n: 1 }), handleJoin(_client, _state: { n: number }) {} });
  // @ts-expect-error -- `init` gives another state
  defineService({ init: () => ({ n: "1" }), handleJoin(_client, _state: { n: number }) {} });
});

test("a value that is no state cannot slip in as a concise return", () => {
  defineService({
    init: () => [] as Client[],
    // @ts-expect-error -- push gives a number
    handleJoin: (client, clients) => clients.push(client),
    handleClose(client, _reason, clients) {
      clients.splice(clients.indexOf(client), 1);
    },
  });
  defineService({
    init: () => new Set<Client>(),
    handleJoin: (client, clients) => clients.add(client),
    // @ts-expect-error -- delete gives a boolean
    handleClose: (client, _reason, clients) => clients.delete(client),
  });
});

test("what sends may be a concise return, and keeps the state", () => {
  const service = defineService({
    init,
    handleJoin: (client) => client.send("hello"),
    handleClose: (_client, _reason, _state, { publish }) => publish("gone"),
    handleIncoming: (client) => client.close(),
    handleBroadcast: (message, _state, { sendAll, clients }) => sendAll(clients(), message),
    handleInfo: () => broadcast("other", "tick"),
  });
  broadcast(service, "one");
});

test("mutable states: maps, sets and classes keep their types", () => {
  class Counter {
    n = 0;
    add(): this {
      this.n += 1;
      return this;
    }
  }
  defineService({
    init: () => ({ counter: new Counter(), names: new Map<string, Client>() }),
    handleJoin(client, state) {
      state.names.set(client.id, client);
      return { ...state, counter: state.counter.add() };
    },
    handleClose: (_client, _reason, state) => noreply({ ...state, names: new Map() }),
  });
  defineService({ init: () => new Counter(), handleJoin: (_client, counter) => counter.add() });
});

test("a handler of a call must reply or stop", () => {
  defineService({
    init,
    calls: { go: { response: type<number>() } },
    handleCall: {
      // @ts-expect-error -- the next state is no reply
      go: (_client, _request, state) => state,
    },
  });
  defineService({ calls: { go: {} }, handleCall: { go: () => stop("normal") } });
});

test("outcomes keep literals by themselves", () => {
  expectTypeOf(reply("ok")).toEqualTypeOf(reply<"ok">("ok"));
  expectTypeOf(noreply({ phase: "idle" })).toExtend<ReturnType<typeof noreply<{ phase: Phase }>>>();
  // @ts-expect-error -- a string that may be anything
  defineService({ init, handleJoin: (_client, state) => ({ ...state, phase: String("busy") }) });
});

test("a trap: properties that the state does not have are not reported", () => {
  defineService({ init, handleJoin: (_client, state) => ({ ...state, phsae: "busy" }) });
});

test("a trap: an empty list needs its type", () => {
  // @ts-expect-error -- never[]: write `[] as string[]`
  defineService({ init: () => [], handleJoin: (client, ids) => [...ids, client.id] });
});
