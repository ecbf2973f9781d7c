import { describe, expect, test, vi } from "vitest";
import { ClientError, type Channel } from "../../src/client/index.ts";
import type { ServerEnvelope } from "../../src/protocol/v1/index.ts";
import type { AnyTyped } from "../any-typed.ts";
import { info, rig, type Connected, type Rig } from "./rig.ts";

const joined = (more = {}, channel = 1): ServerEnvelope => ({
  type: "joined",
  channel,
  info: { ...info, ...more },
});
const msg = (payload: unknown): ServerEnvelope => ({ type: "msg", channel: 1, payload });
const pub = (seq: number, payload: unknown): ServerEnvelope => ({
  type: "pub",
  log: 4,
  seq,
  payload,
});
const done = (n: number): ServerEnvelope => ({ type: "done", channel: 1, n });

async function opened(options = {}, more = {}): Promise<Rig & Connected> {
  const world = rig();
  const connected = world.connect("status", options);
  await world.clock.advance(0);
  world.sent();
  await world.say(joined(more));
  return { ...world, ...connected };
}

/** What a promise has come to so far. */
function fate(promise: Promise<unknown>): { now: unknown } {
  const state: { now: unknown } = { now: "pending" };
  promise.then(
    (value) => (state.now = value ?? "done"),
    (error: unknown) => (state.now = error instanceof ClientError ? error.code : error),
  );
  return state;
}

async function take(channel: Channel<AnyTyped>, count: number): Promise<unknown[]> {
  const taken: unknown[] = [];
  if (count === 0) return taken;
  for await (const message of channel) {
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}

describe("sends", () => {
  test("settle when the server is done with them, not before", async () => {
    const { channel, say, clock, sent } = await opened();
    const first = fate(channel.send({ a: 1 }));
    const second = fate(channel.send("two"));
    await clock.advance(0);
    expect(sent()).toMatchObject([
      { type: "send", n: 1, payload: { a: 1 } },
      { type: "send", n: 2, payload: "two" },
    ]);
    expect([first.now, second.now]).toEqual(["pending", "pending"]);
    await say(done(1));
    expect([first.now, second.now]).toEqual(["done", "pending"]);
    await say(
      { type: "error", channel: 1, n: 2, code: "invalid", message: "at `x`: too long", detail: {} },
      done(2),
    );
    expect(second.now).toBe("WINDSOCK_INVALID");
  });

  test("reject with the server's sentence, code and detail", async () => {
    const { channel, say } = await opened();
    const send = channel.send(1);
    await Promise.all([
      expect(send).rejects.toMatchObject({
        name: "ClientError",
        code: "WINDSOCK_RATE",
        message: "too many messages",
        retryAfterMs: 250,
      }),
      say({
        type: "error",
        channel: 1,
        n: 1,
        code: "rate",
        message: "too many messages",
        detail: { retryAfterMs: 250 },
      }),
    ]);
  });

  test("take the value as it is at the call", async () => {
    const { channel, clock, sent } = await opened();
    const value = { count: 1 };
    const bytes = new Uint8Array([1, 2]);
    void channel.send(value);
    void channel.send(bytes);
    value.count = 2;
    bytes[0] = 9;
    await clock.advance(0);
    expect(sent()).toMatchObject([{ payload: { count: 1 } }, { payload: new Uint8Array([1, 2]) }]);
  });

  test("of what cannot be encoded reject at once", async () => {
    const { channel } = await opened();
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    await expect(channel.send(undefined)).rejects.toThrow(
      "Expected a string, a Uint8Array or a value that JSON can hold, got undefined: TypeError: no JSON",
    );
    await expect(channel.send(circular)).rejects.toMatchObject({ code: "WINDSOCK_ENCODE" });
    await expect(channel.send(1n)).rejects.toMatchObject({ code: "WINDSOCK_ENCODE" });
  });

  test.each([
    new Map([["a", 1]]),
    new Set([1]),
    new ArrayBuffer(4),
    new DataView(new ArrayBuffer(4)),
    new Float32Array(2),
    new Blob(["text"]),
  ])("of %s reject at once: JSON would empty it", async (value) => {
    const { channel } = await opened();
    const message = /^Expected a string, a Uint8Array or a value.* got \w+: JSON would empty it$/;
    await expect(channel.send(value)).rejects.toThrow(message);
    await expect(channel.call("ask", value)).rejects.toMatchObject({ code: "WINDSOCK_ENCODE" });
  });

  test("of lists, dates and objects without a prototype are JSON", async () => {
    const { channel } = rig().connect();
    for (const value of [[1], new Date(0), Object.create(null), Buffer.from("bytes"), null])
      void channel.send(value as never);
    expect(await Promise.race([channel.send("last"), Promise.resolve("waits")])).toBe("waits");
  });

  test("wait for a connection up to 1000 messages; the next is refused", async () => {
    const { channel } = rig().connect();
    const sends = Array.from({ length: 1000 }, (_, index) => fate(channel.send(index)));
    await expect(channel.send("one more")).rejects.toMatchObject({
      code: "WINDSOCK_QUEUE_FULL",
      detail: { messages: 1000 },
    });
    expect(sends.every(({ now }) => now === "pending")).toBe(true);
  });

  test("wait for a connection up to 256 KiB; a byte more is refused, and room is found again", async () => {
    const { channel, say } = await opened({}, { credit: 600_000, maxBytes: 300_000 });
    const most = channel.send("x".repeat(256 * 1024 - 2 - 3));
    const last = channel.send("x");
    await expect(channel.send(1)).rejects.toMatchObject({ code: "WINDSOCK_QUEUE_FULL" });
    await Promise.all([most, last, say(done(2))]);
    expect(fate(channel.send(1)).now).toBe("pending");
  });

  test("longer than the server takes reject without a number", async () => {
    const { channel, clock, sent } = await opened({}, { maxBytes: 20 });
    const fits = '["send",1,1,"12345"]';
    expect(fits).toHaveLength(20);
    await expect(channel.send("123456")).rejects.toThrow(
      "Expected a message of at most 20 bytes, got 21.",
    );
    void channel.send("é234");
    void channel.send("12345");
    await clock.advance(0);
    expect(sent()).toMatchObject([
      { n: 1, payload: "é234" },
      { n: 2, payload: "12345" },
    ]);
  });
});

describe("calls", () => {
  test("give their reply", async () => {
    const { channel, say, clock, sent } = await opened();
    const call = channel.call("rebuild", { branch: "main" });
    await clock.advance(0);
    expect(sent()).toEqual([
      {
        type: "call",
        channel: 1,
        n: 1,
        name: "rebuild",
        timeoutMs: 5000,
        payload: { branch: "main" },
      },
    ]);
    await say({ type: "reply", channel: 1, n: 1, payload: { queued: true } });
    expect(await call).toEqual({ queued: true });
  });

  test("time out from the call on, and tell the server", async () => {
    const { channel, clock, sent } = await opened();
    const call = fate(channel.call("slow", null, { timeoutMs: 100 }));
    await clock.advance(99);
    expect(call.now).toBe("pending");
    await clock.advance(1);
    expect(call.now).toBe("WINDSOCK_TIMEOUT");
    expect(sent().map(({ type }) => type)).toEqual(["call", "cancel"]);
  });

  test("that time out before there is a connection are never sent and take no number", async () => {
    const { connect, clock, sent, say } = rig();
    const { channel } = connect();
    const call = fate(channel.call("slow", null, { timeoutMs: 100 }));
    await clock.advance(100);
    expect(call.now).toBe("WINDSOCK_TIMEOUT");
    void channel.send("x");
    sent();
    await say(joined());
    expect(sent()).toMatchObject([{ type: "send", n: 1 }]);
  });

  test("say what is left of their time when they are sent", async () => {
    const { connect, clock, sent, say } = rig();
    const { channel } = connect();
    void channel.call("ask", null, { timeoutMs: 5000 }).catch(() => {});
    await clock.advance(3000);
    sent();
    await say(joined());
    expect(sent()).toMatchObject([{ type: "call", timeoutMs: 2000 }]);
  });

  test("are aborted by a signal, with its reason", async () => {
    const { channel, clock, sent, say } = await opened();
    const controller = new AbortController();
    const call = fate(channel.call("ask", 1, { signal: controller.signal }));
    await clock.advance(0);
    controller.abort("no longer wanted");
    await clock.advance(0);
    expect(call.now).toBe("no longer wanted");
    expect(sent().map(({ type }) => type)).toEqual(["call", "cancel"]);
    // A late answer does no harm, and is counted.
    await say({ type: "reply", channel: 1, n: 1, payload: 0 });
    await clock.advance(1000);
    expect(sent()).toEqual([{ type: "ack", channel: 1, count: 1 }]);
    await expect(channel.call("ask", 1, { signal: controller.signal })).rejects.toBe(
      "no longer wanted",
    );
  });

  test("that were given up keep their number over a resume, and are cancelled again", async () => {
    const { channel, clock, sent, say, network } = await opened();
    const call = fate(channel.call("ask", 1, { timeoutMs: 50 }));
    void channel.send("after");
    await clock.advance(0);
    network.server.cut();
    await clock.advance(500);
    expect(call.now).toBe("WINDSOCK_TIMEOUT");
    sent();
    await say(joined({ answer: "resumed", token: "t2" }));
    expect(sent()).toMatchObject([
      { type: "call", n: 1 },
      { type: "cancel", n: 1 },
      { type: "send", n: 2 },
    ]);
  });

  test("whose reply comes after `done` still get it", async () => {
    const { channel, say, network, clock } = await opened();
    const call = fate(channel.call("ask", 1, { timeoutMs: 60_000 }));
    await clock.advance(0);
    await say(done(1));
    network.server.cut();
    await clock.advance(500);
    await say(joined({ answer: "resumed", token: "t2", done: 1 }));
    await say({ type: "reply", channel: 1, n: 1, payload: 42 });
    expect(call.now).toBe(42);
  });

  test("are unknown when the membership is gone", async () => {
    const { channel, say, clock, network } = await opened();
    const answered = fate(channel.call("ask", 1, { timeoutMs: 60_000 }));
    await clock.advance(0);
    await say(done(1));
    network.server.cut();
    await clock.advance(500);
    await say(joined({ answer: "rejoin", token: "t2" }));
    expect(answered.now).toBe("WINDSOCK_UNKNOWN");
  });
});

describe("messages", () => {
  test("are read by any number of loops and handlers, each all of them", async () => {
    const { channel, say } = await opened();
    const heard: unknown[] = [];
    channel.on("message", (message, { source }) => heard.push([message, source]));
    const loops = [take(channel, 2), take(channel, 2)];
    await say(msg("a"), pub(18, "b"));
    expect(await Promise.all(loops)).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    expect(heard).toEqual([
      ["a", { type: "private" }],
      ["b", { type: "published", topic: "", seq: 18 }],
    ]);
  });

  test("that came before anybody read are kept for the first who does", async () => {
    const { client, clock, network } = rig();
    const channel = client.connect<AnyTyped>("status");
    await clock.advance(0);
    for (const envelope of [
      ["joined", 1, info],
      ["msg", 1, "early"],
      ["msg", 1, "too"],
    ])
      network.server.send(JSON.stringify(envelope));
    await clock.advance(0);
    const heard: unknown[] = [];
    channel.on("message", (message) => heard.push(message));
    const loop = take(channel, 3);
    expect(heard).toEqual([]);
    network.server.send('["msg",1,"late"]');
    await clock.advance(0);
    expect(heard).toEqual(["early", "too", "late"]);
    expect(await loop).toEqual(["early", "too", "late"]);
  });

  test("of bytes come as bytes", async () => {
    const { say, log } = await opened();
    await say(msg(new Uint8Array([0, 255])), pub(18, new Uint8Array()));
    expect(log.filter(({ type }) => type === "message")).toMatchObject([
      { message: new Uint8Array([0, 255]) },
      { message: new Uint8Array() },
    ]);
  });

  test("wait for a slow loop up to the bound; then it reads what there is and throws", async () => {
    const { channel, say } = await opened({ maxBufferMessages: 2 });
    const iterator = channel[Symbol.asyncIterator]();
    const heard = vi.fn<() => void>();
    channel.on("message", heard);
    await say(msg(1), msg(2), msg(3), msg(4));
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    expect(await iterator.next()).toEqual({ done: false, value: 2 });
    await expect(iterator.next()).rejects.toMatchObject({ code: "WINDSOCK_SLOW_READER" });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(heard).toHaveBeenCalledTimes(4);
  });

  test("wait for a slow loop up to the bound in bytes", async () => {
    const { channel, say } = await opened({ maxBufferBytes: 32 });
    const iterator = channel[Symbol.asyncIterator]();
    const sixteen = msg("xxxx");
    await say(sixteen, sixteen, sixteen);
    await iterator.next();
    await iterator.next();
    await expect(iterator.next()).rejects.toMatchObject({ code: "WINDSOCK_SLOW_READER" });
  });

  test("that nobody reads are kept up to the bound; the first who reads is told of the rest", async () => {
    const { client, clock, network } = rig();
    const channel = client.connect<AnyTyped>("status", { maxBufferMessages: 1 });
    await clock.advance(0);
    for (const envelope of [
      ["joined", 1, info],
      ["msg", 1, 1],
      ["msg", 1, 2],
    ])
      network.server.send(JSON.stringify(envelope));
    await clock.advance(0);
    const errors: string[] = [];
    channel.on("error", ({ code }) => errors.push(code));
    const iterator = channel[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    await expect(iterator.next()).rejects.toMatchObject({ code: "WINDSOCK_SLOW_READER" });
    expect(errors).toEqual(["WINDSOCK_SLOW_READER"]);
  });

  test("end when the channel is closed, after what is left; a loop that breaks ends alone", async () => {
    const { channel, say } = await opened();
    const iterator = channel[Symbol.asyncIterator]();
    const left = channel[Symbol.asyncIterator]();
    await say(msg(1));
    await left.return?.();
    expect(await left.next()).toEqual({ done: true, value: undefined });
    channel.close();
    expect(await iterator.next()).toEqual({ done: false, value: 1 });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(await channel[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  test("throw in a loop when the server ends the channel with an error, and end it in order with 1000", async () => {
    for (const [code, expected] of [
      [1011, "WINDSOCK_CLOSED"],
      [1000, "done"],
    ] as const) {
      const { channel, say } = await opened();
      const loop = fate(
        channel[Symbol.asyncIterator]()
          .next()
          .then(() => undefined),
      );
      await say({ type: "closed", channel: 1, closeCode: code, reason: "over", how: "end" });
      expect(loop.now).toBe(expected);
      expect(channel.state).toMatchObject({ type: "closed", code, reason: "over" });
    }
  });

  test("a handler that throws stops nobody, and what it threw is not swallowed", async () => {
    const thrown: unknown[] = [];
    vi.stubGlobal("queueMicrotask", (run: () => void) => {
      Promise.resolve()
        .then(run)
        .catch((error: unknown) => thrown.push(error));
    });
    try {
      const { channel, say } = await opened();
      const heard: unknown[] = [];
      channel.on("message", () => {
        throw new Error("mine");
      });
      channel.on("message", (message) => heard.push(message));
      await say(msg(1), msg(2));
      expect(heard).toEqual([1, 2]);
      expect(thrown).toMatchObject([{ message: "mine" }, { message: "mine" }]);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("a handler stops where it is told to, and is called once however often it is added", async () => {
    const { channel, say } = await opened();
    const heard = vi.fn<() => void>();
    const stop = channel.on("message", heard);
    channel.on("message", heard);
    await say(msg(1));
    stop();
    stop();
    await say(msg(2));
    expect(heard).toHaveBeenCalledTimes(1);
  });
});

describe("acknowledgements", () => {
  test("of private messages come after a second", async () => {
    const { say, clock, sent } = await opened();
    await say(msg(1), pub(18, "not counted"), msg(2));
    await clock.advance(999);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect(sent()).toEqual([{ type: "ack", channel: 1, count: 2 }]);
    await clock.advance(10_000);
    expect(sent()).toEqual([]);
  });

  test("come after 256 messages", async () => {
    const { say, clock, sent } = await opened();
    await say(...Array.from({ length: 255 }, () => msg(1)));
    await clock.advance(0);
    expect(sent()).toEqual([]);
    await say(msg(1));
    await clock.advance(0);
    expect(sent()).toEqual([{ type: "ack", channel: 1, count: 256 }]);
  });

  test("come well before the 64 KiB that the server keeps", async () => {
    const { say, clock, sent } = await opened();
    await say(msg("é".repeat(16 * 1024)));
    await clock.advance(0);
    expect(sent()).toEqual([{ type: "ack", channel: 1, count: 1 }]);
  });
});

describe("what else it is told", () => {
  test("restarts, presence, snapshots and versions are events, in order with the messages", async () => {
    const { say, log, network, clock } = await opened();
    await say(
      pub(18, "a"),
      { type: "restarted", log: 4, seq: 19 },
      {
        type: "presence",
        channel: 1,
        seq: 19,
        changes: { join: [{ id: "u1" }], leave: [], all: true },
      },
      { type: "snapshot", channel: 1, seq: 25, payload: "state" },
      pub(25, "old"),
      pub(26, "b"),
    );
    network.server.cut();
    await clock.advance(500);
    await say(joined({ answer: "resumed", token: "t2", seq: 26, version: "v2" }));
    expect(log.filter(({ type }) => type !== "state")).toEqual([
      { type: "message", message: "a", source: { type: "published", topic: "", seq: 18 } },
      { type: "restarted", seq: 19 },
      { type: "presence", seq: 19, join: [{ id: "u1" }], leave: [], all: true },
      { type: "snapshot", snapshot: "state", seq: 25 },
      { type: "message", message: "state", source: { type: "snapshot", seq: 25 } },
      { type: "message", message: "b", source: { type: "published", topic: "", seq: 26 } },
      { type: "resumed" },
      { type: "version", version: "v2", previous: "v1" },
    ]);
  });

  test("its state is one union, from the first attempt to the end", async () => {
    const { channel, log, network, clock, say } = await opened();
    network.server.cut();
    await clock.advance(500);
    await say(joined({ answer: "resumed", token: "t2", id: "c1", params: { id: "42" } }));
    channel.close();
    await clock.advance(0);
    expect(log.flatMap((event) => (event.type === "state" ? [event.state] : []))).toEqual([
      { type: "open", id: "c1", params: {}, version: "v1" },
      { type: "resuming", attempt: 1, retryInMs: 250 },
      { type: "resuming", attempt: 1, retryInMs: 0 },
      { type: "open", id: "c1", params: { id: "42" }, version: "v1" },
      { type: "closed", code: 1000, reason: "" },
    ]);
  });

  test("idle positions let a client resume that received nothing", async () => {
    const { say, network, clock, sent } = await opened();
    await say({ type: "at", channel: 1, seq: 500, count: 0 });
    network.server.cut();
    await clock.advance(500);
    expect(sent()).toMatchObject([{ options: { resume: { seq: 500, count: 0 } } }]);
  });

  test("private messages that come twice are handled once", async () => {
    const { say, network, clock, log } = await opened();
    await say(msg("one"), msg("two"));
    network.server.cut();
    await clock.advance(500);
    // A server that could not use the client's count goes on from an earlier one.
    await say(joined({ answer: "resumed", token: "t2", count: 1 }), msg("two"), msg("three"));
    expect(log.flatMap((event) => (event.type === "message" ? [event.message] : []))).toEqual([
      "one",
      "two",
      "three",
    ]);
    await clock.advance(1000);
  });
});

describe("joins", () => {
  test("that are refused for now are tried again, no sooner than the server says", async () => {
    const { connect, say, clock, sent } = rig();
    const { channel, log } = connect();
    await clock.advance(0);
    sent();
    await say({
      type: "error",
      channel: 1,
      n: 0,
      code: "down",
      message: "it is down",
      detail: { retryAfterMs: 5000 },
    });
    expect(channel.state).toEqual({ type: "connecting", attempt: 1, retryInMs: 7000 });
    expect(log.find(({ type }) => type === "error")).toMatchObject({
      error: { code: "WINDSOCK_DOWN" },
    });
    await clock.advance(6999);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect(sent()).toMatchObject([{ type: "join", channel: 2 }]);
  });

  test("that are refused for good close the channel, and what waits rejects", async () => {
    const { connect, say, clock } = rig();
    const { channel } = connect();
    const send = fate(channel.send("x"));
    await clock.advance(0);
    await say({
      type: "error",
      channel: 1,
      n: 0,
      code: "not_found",
      message: "no service `status`",
      detail: {},
    });
    expect(channel.state).toMatchObject({
      type: "closed",
      error: { code: "WINDSOCK_NOT_FOUND", message: "no service `status`" },
    });
    expect(send.now).toBe("WINDSOCK_CLOSED");
  });

  test("that are answered with `rejoin` again and again slow down", async () => {
    const { say, clock, sent } = await opened();
    await say({ type: "closed", channel: 1, closeCode: 1013, reason: "", how: "rejoin" });
    expect(sent()).toMatchObject([{ type: "join", channel: 2, options: {} }]);
    await say(joined({ id: "c2" }, 2));
    for (const [channel, ms] of [
      [2, 500],
      [3, 1000],
      [4, 2000],
    ] as const) {
      await say({ type: "closed", channel, closeCode: 1013, reason: "", how: "rejoin" });
      await clock.advance(ms - 1);
      expect(sent()).toEqual([]);
      await clock.advance(1);
      expect(sent()).toMatchObject([{ type: "join" }]);
      await say(joined({}, channel + 1));
    }
  });

  test("carry what `auth` gives, asked each time", async () => {
    let tokens = 0;
    const world = rig();
    const { clock, sent, say, network } = world;
    world.connect("status", {
      auth: async () => {
        tokens += 1;
        return `jwt ${tokens}`;
      },
    });
    await clock.advance(0);
    expect(sent()).toMatchObject([{ options: { auth: "jwt 1" } }]);
    await say(joined());
    network.server.cut();
    await clock.advance(500);
    expect(sent()).toMatchObject([{ options: { auth: "jwt 2", resume: { token: "t1" } } }]);
  });

  test("whose `auth` fails are tried again, and say so", async () => {
    const world = rig();
    let isBroken = true;
    const { log, channel } = world.connect("status", {
      auth: () => {
        if (isBroken) throw new Error("the token server is down");
        return "jwt";
      },
    });
    await world.clock.advance(0);
    expect(log.find(({ type }) => type === "error")).toMatchObject({
      error: { message: expect.stringContaining("the token server is down") as string },
    });
    expect(channel.state).toMatchObject({ type: "connecting", retryInMs: 250 });
    isBroken = false;
    await world.clock.advance(250);
    expect(world.sent()).toMatchObject([{ type: "join", options: { auth: "jwt" } }]);
  });

  test("of a connection that is gone before `auth` answers are not sent on the next one twice", async () => {
    const world = rig();
    world.network.latencyMs = () => 10;
    let answer: ((token: string) => void) | undefined;
    world.connect("status", { auth: () => new Promise((resolve) => (answer = resolve)) });
    await world.clock.advance(20);
    const first = answer;
    world.network.server.cut();
    await world.clock.advance(300);
    first?.("old");
    await world.clock.advance(20);
    expect(world.sent()).toEqual([]);
    answer?.("new");
    await world.clock.advance(20);
    expect(world.sent()).toMatchObject([{ type: "join", options: { auth: "new" } }]);
  });
});

describe("a new token", () => {
  test("is taken or refused without a reconnect", async () => {
    const { channel, say, clock, sent, network } = await opened({ auth: "old" });
    const refused = fate(channel.reauthorize("bad"));
    const taken = fate(channel.reauthorize("good"));
    await clock.advance(0);
    expect(sent()).toMatchObject([
      { type: "auth", payload: "bad" },
      { type: "auth", payload: "good" },
    ]);
    await say(
      {
        type: "error",
        channel: 1,
        n: 0,
        code: "refused",
        message: "expired",
        detail: { status: 401 },
      },
      { type: "authed", channel: 1 },
    );
    expect([refused.now, taken.now]).toEqual(["WINDSOCK_REFUSED", "done"]);
    expect(channel.state.type).toBe("open");
    network.server.cut();
    await clock.advance(500);
    expect(sent()).toMatchObject([{ options: { auth: "good" } }]);
  });

  test("given while there is no connection goes with the join", async () => {
    const { channel, say, clock, sent, network } = await opened({ auth: "old" });
    network.server.cut();
    const taken = fate(channel.reauthorize("new"));
    await clock.advance(500);
    expect(sent()).toMatchObject([{ options: { auth: "new" } }]);
    await say(joined({ answer: "resumed", token: "t2" }));
    expect(taken.now).toBe("done");
  });
});

describe("close", () => {
  test("leaves, ends everything that waits, and is idempotent", async () => {
    const { channel, clock, sent, network } = await opened();
    const unknown = fate(channel.send("sent"));
    const call = fate(channel.call("ask"));
    const token = fate(channel.reauthorize("x"));
    await clock.advance(0);
    sent();
    channel.close();
    channel.close();
    await clock.advance(0);
    expect(sent()).toEqual([{ type: "leave", channel: 1 }]);
    expect([unknown.now, call.now, token.now]).toEqual([
      "WINDSOCK_UNKNOWN",
      "WINDSOCK_UNKNOWN",
      "WINDSOCK_CLOSED",
    ]);
    expect(channel.state).toEqual({ type: "closed", code: 1000, reason: "" });
    network.server.send('["msg",1,"late"]');
    await clock.advance(0);
    await expect(channel.reauthorize("y")).rejects.toMatchObject({
      code: "WINDSOCK_CLOSED",
      message: "Expected status to be open, got closed 1000",
    });
  });

  test("by a handler in the middle of a join is harmless", async () => {
    const { connect, clock, say, sent } = rig();
    const { channel } = connect();
    channel.on("state", ({ type }) => {
      if (type === "open") channel.close();
    });
    void channel.send("x").catch(() => {});
    await clock.advance(0);
    sent();
    await say(joined());
    expect(sent().map(({ type }) => type)).toEqual(["leave"]);
  });

  test("of what nobody awaits is no unhandled rejection", async () => {
    const { channel, clock } = await opened();
    const unhandled = vi.fn<() => void>();
    process.on("unhandledRejection", unhandled);
    void channel.send("x");
    void channel.call("ask");
    void channel.reauthorize("x");
    channel.close();
    await clock.advance(10);
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("is what `using` does at the end of its block", async () => {
    const { client, clock } = rig();
    let state: () => string;
    {
      using channel = client.connect<AnyTyped>("status");
      state = () => channel.state.type;
      await clock.advance(0);
    }
    expect(state()).toBe("closed");
  });
});
