import { expect, test } from "vitest";
import { createClient, type ClientError } from "../../src/client/index.ts";
import type { ClientEnvelope, ServerEnvelope } from "../../src/protocol/v1/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import type { AnyTyped } from "../any-typed.ts";
import { MemoryNetwork } from "./memory-network.ts";
import { info, rig, type Rig } from "./rig.ts";

const joined = (channel = 1, more = {}): ServerEnvelope => ({
  type: "joined",
  channel,
  info: { ...info, ...more },
});

/** A channel that is open. */
async function opened(world: Rig = rig()): Promise<Rig & ReturnType<Rig["connect"]>> {
  const connected = world.connect();
  await world.clock.advance(0);
  world.sent();
  await world.say(joined());
  return { ...world, ...connected };
}

const typesOf = (envelopes: readonly ClientEnvelope[]): string[] =>
  envelopes.map(({ type }) => type);

// ---------- the socket ----------

test("it connects to the origin of the page, below the base, with the sub-protocol", async () => {
  const { client, clock, network } = rig();
  client.connect("status");
  client.connect("status", { url: "http://other.example:8001/app/" });
  client.connect("status", { url: "/base" });
  await clock.advance(0);
  expect(network.servers.map(({ url, protocol }) => `${url} ${protocol}`)).toEqual([
    "wss://example.com/websocket/status windsock.v1",
    "ws://other.example:8001/app/websocket/status windsock.v1",
    "wss://example.com/base/websocket/status windsock.v1",
  ]);
});

test.each(["status", "room/42", "room/a_b-c?since=5&to=6"])(
  "the first channel is joined by the URL: %s",
  async (path) => {
    const { network, clock, connect, sent } = rig();
    connect(path);
    connect("second");
    await clock.advance(0);
    expect(network.server.url).toBe(`wss://example.com/websocket/${path}`);
    // What the server takes for the first message, and what the client sends.
    expect(sent()).toMatchObject([
      { type: "join", channel: 1, path },
      { type: "join", channel: 2, path: "second" },
    ]);
  },
);

test.each([
  ["room/..", {}],
  ["room/%2e%2e/status", {}],
  ["room/a#b", {}],
  ["room/é", {}],
  [`room/${"a".repeat(100)}`, {}],
  ["status", { auth: "a token, which must stand in no log of a proxy" }],
  ["status", { auth: () => "the same" }],
])("a join that the URL cannot say is a message: %s %j", async (path, options) => {
  const { network, clock, connect, sent } = rig();
  connect(path, options);
  await clock.advance(0);
  expect(network.server.url).toBe("wss://example.com/websocket");
  expect(sent()).toMatchObject([{ type: "join", channel: 1, path }]);
});

test("a channel that is closed before its URL was answered is left", async () => {
  const { network, clock, connect, sent } = rig();
  const { channel } = connect("status");
  connect("room/42");
  channel.close();
  await clock.advance(0);
  expect(network.dialled).toBe(1);
  expect(sent()).toMatchObject([
    { type: "join", channel: 1, path: "status" },
    { type: "join", channel: 2, path: "room/42" },
    { type: "leave", channel: 1 },
  ]);
});

test("a channel that has a token by the time its URL is answered joins with that", async () => {
  const { clock, connect, sent, say } = rig();
  const { channel } = connect("status");
  void channel.reauthorize("token");
  await clock.advance(0);
  expect(sent()).toMatchObject([
    { type: "join", channel: 1, path: "status", options: {} },
    { type: "join", channel: 2, path: "status", options: { auth: "token" } },
    { type: "leave", channel: 1 },
  ]);
  await say(joined(1), joined(2));
  expect(channel.state.type).toBe("open");
});

test("a connection that comes back joins by messages: what it says is for no URL", async () => {
  const { network, clock, sent, say } = await opened();
  network.server.cut();
  await clock.advance(60_000);
  expect(network.server.url).toBe("wss://example.com/websocket");
  expect(sent()).toMatchObject([{ type: "join", channel: 1, options: { resume: {} } }]);
  await say(joined(1, { answer: "resumed" }));
});

test("all channels of one URL share a socket, and each has its number", async () => {
  const { clock, network, connect, sent } = rig();
  connect("status");
  connect("room/42");
  await clock.advance(0);
  connect("room/43", { query: { since: "5" } });
  await clock.advance(0);
  connect("room/44?a=1", { query: { b: "ü&" } });
  await clock.advance(0);
  expect(network.dialled).toBe(1);
  expect(sent()).toMatchObject([
    { type: "join", channel: 1, path: "status" },
    { type: "join", channel: 2, path: "room/42" },
    { type: "join", channel: 3, path: "room/43?since=5" },
    { type: "join", channel: 4, path: "room/44?a=1&b=%C3%BC%26" },
  ]);
});

test("the last channel's close ends the socket a second later, and a new one keeps it", async () => {
  const { channel, clock, network, connect, page, sent } = await opened();
  channel.close();
  await clock.advance(999);
  expect(typesOf(sent())).toEqual(["leave"]);
  expect(network.server.isOpen).toBe(true);
  const again = connect("room/1").channel;
  await clock.advance(5000);
  expect(network.server.isOpen).toBe(true);
  again.close();
  await clock.advance(1000);
  expect(network.server.isOpen).toBe(false);
  expect(page.listeners).toBe(0);
  connect("room/2");
  await clock.advance(0);
  expect(network.dialled).toBe(2);
});

test("without a WebSocket, or without a place to connect to, it says what it needs", () => {
  expect(() => createClient({ WebSocket: undefined as never }).connect).not.toThrow();
  const { WebSocket } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, "WebSocket");
    expect(() => createClient()).toThrow(/global `WebSocket`.* falls back to nothing else/);
  } finally {
    globalThis.WebSocket = WebSocket;
  }
  const { client, page } = rig();
  page.url = undefined;
  expect(() => client.connect("status")).toThrow(
    'Expected `url` to be the server with its scheme, such as "https://example.com" or "http://localhost:8001", got none; the page is none.',
  );
});

test("a server that agrees to no sub-protocol is reported, and tried again", async () => {
  const { connect, clock, network } = rig();
  network.answer = "other protocol";
  const { log } = connect();
  await clock.advance(0);
  expect(log.find(({ type }) => type === "error")).toMatchObject({
    error: { code: "WINDSOCK_PROTOCOL" },
  });
  network.answer = "accept";
  await clock.advance(500);
  expect(network.servers.length).toBe(2);
});

test("what is no envelope ends the socket and is reported", async () => {
  const { log, network, clock, channel } = await opened();
  network.server.send('["pub",1,"x",0]');
  await clock.advance(0);
  expect(log.at(-1)).toMatchObject({ type: "state", state: { type: "resuming" } });
  expect(log.find(({ type }) => type === "error")).toMatchObject({
    error: {
      code: "WINDSOCK_PROTOCOL",
      message:
        'Expected wss://example.com/websocket to speak windsock.v1, got a fault: Expected `seq`, element 2 of `pub`, to be an integer from 0 to 2^53 - 1, got "x".',
    },
  });
  expect(channel.state.type).toBe("resuming");
});

// ---------- coming back ----------

test("waits have full jitter: drawn from the whole range, which doubles up to 30 s", async () => {
  const draws = [0.998, 0.999, 0.5, 0.001, 1, 1, 1, 1];
  const { clock, network, connect } = rig(() => draws.shift() ?? 1);
  network.answer = "refuse";
  connect();
  await clock.advance(0);
  const waits: number[] = [];
  for (let dials = 1, last = clock.now(); waits.length < 8;) {
    await clock.advance(1);
    if (network.dialled === dials) continue;
    waits.push(clock.now() - last);
    last = clock.now();
    dials = network.dialled;
  }
  expect(waits).toEqual([499, 999, 1000, 4, 8000, 16_000, 30_000, 30_000]);
});

test("the waits begin anew only after a connection that lasted 10 s", async () => {
  const { clock, network, connect } = rig(() => 0.5);
  network.answer = "refuse";
  const { channel } = connect();
  await clock.advance(0);
  await clock.advance(250 + 500);
  network.answer = "accept";
  await clock.advance(1000);
  expect(network.dialled).toBe(4);
  await clock.advance(9999);
  network.server.cut();
  await clock.advance(0);
  expect(channel.state).toMatchObject({ attempt: 4, retryInMs: 2000 });
  await clock.advance(2000 + 10_000);
  network.server.cut();
  await clock.advance(0);
  expect(channel.state).toMatchObject({ attempt: 1, retryInMs: 250 });
});

test("after 1012 and 1013 everybody else comes back too: the first wait is drawn from 4 s", async () => {
  for (const code of [1012, 1013]) {
    const { network, clock, channel } = await opened();
    network.server.close(code);
    await clock.advance(0);
    expect(channel.state).toMatchObject({ type: "resuming", retryInMs: 2000 });
  }
});

test.each([1002, 1003, 1007, 1008, 1009, 1010])("%i is the end", async (code) => {
  const { network, clock, channel, log, connect } = await opened();
  const send = channel.send("x");
  network.server.close(code, "bad client");
  await expect(Promise.all([send, clock.advance(0)])).rejects.toMatchObject({
    code: "WINDSOCK_UNKNOWN",
  });
  expect(channel.state).toMatchObject({ type: "closed", code, reason: "bad client" });
  expect(log.at(-1)).toMatchObject({ type: "state", state: { type: "closed" } });
  await clock.advance(600_000);
  expect(network.dialled).toBe(1);
  await expect(channel.send("y")).rejects.toMatchObject({ code: "WINDSOCK_CLOSED" });
  // A new channel may try, as the page may be another.
  connect();
  await clock.advance(0);
  expect(network.dialled).toBe(2);
});

test.each([1000, 1001, 1006, 1011, 1012, 1013, 3000, 4999])(
  "after %i it comes back",
  async (code) => {
    const { network, clock } = await opened();
    network.server.close(code);
    await clock.advance(4000);
    expect(network.servers.length).toBe(2);
  },
);

test("an opening that takes longer than 10 s is given up", async () => {
  const { network, clock, connect } = rig();
  network.answer = "nothing";
  connect();
  await clock.advance(9999);
  expect(network.dialled).toBe(1);
  network.answer = "accept";
  await clock.advance(1 + 250);
  expect(network.servers.length).toBe(1);
});

test("after two minutes without a connection it is suspended, says so once, and goes on trying", async () => {
  const { network, clock, channel, log, say } = await opened();
  network.answer = "refuse";
  network.server.cut();
  await clock.advance(119_999);
  expect(channel.state.type).toBe("resuming");
  await clock.advance(1);
  expect(channel.state.type).toBe("suspended");
  const errors = log.filter(({ type }) => type === "error");
  expect(errors).toMatchObject([{ error: { code: "WINDSOCK_UNREACHABLE" } }]);
  expect((errors[0] as { error: ClientError }).error.message).toContain(
    "by WebSocket and nothing else",
  );
  network.answer = "accept";
  await clock.advance(30_000);
  await say(joined(1, { answer: "resumed", token: "t2" }));
  expect(channel.state.type).toBe("open");
  network.server.cut();
  await clock.advance(0);
  expect(channel.state.type).toBe("resuming");
});

// ---------- liveness ----------

test("35 s of silence are answered by a ping, 10 s more by another socket", async () => {
  const { network, clock, sent, channel } = await opened();
  await clock.advance(34_999);
  expect(sent()).toEqual([]);
  await clock.advance(1);
  expect(sent()).toEqual([{ type: "ping", payload: 0 }]);
  network.server.freeze();
  await clock.advance(9999);
  expect(channel.state.type).toBe("open");
  await clock.advance(1);
  expect(channel.state.type).toBe("resuming");
  await clock.advance(250);
  expect(network.servers.length).toBe(2);
});

test("anything that comes counts as life", async () => {
  const { clock, sent, say } = await opened();
  for (let turn = 0; turn < 5; turn++) {
    await clock.advance(34_000);
    await say({ type: "at", channel: 1, seq: 17, count: 0 });
  }
  expect(sent()).toEqual([]);
  await clock.advance(35_000);
  expect(typesOf(sent())).toEqual(["ping"]);
  await say({ type: "pong", payload: 0 });
  await clock.advance(34_999);
  expect(sent()).toEqual([]);
});

test("a page that wakes asks at once whether the server is still there", async () => {
  const { network, clock, sent, page } = await opened();
  page.emit("wake");
  page.emit("wake");
  expect(typesOf((await clock.advance(0), sent()))).toEqual(["ping"]);
  network.server.freeze();
  await clock.advance(10_000 + 250);
  expect(network.servers.length).toBe(2);
});

test("a page that wakes does not wait out its back-off", async () => {
  const { network, clock, connect, page } = rig(() => 0.999);
  network.answer = "refuse";
  connect();
  await clock.advance(10_000);
  const dialled = network.dialled;
  network.answer = "accept";
  page.emit("wake");
  await clock.advance(0);
  expect(network.dialled).toBe(dialled + 1);
  expect(network.servers.length).toBe(1);
});

test("a hidden page hurries once, then waits as long as anybody may", async () => {
  const { network, clock, page } = await opened();
  page.hidden = true;
  network.answer = "refuse";
  network.server.cut();
  await clock.advance(250);
  expect(network.dialled).toBe(2);
  await clock.advance(14_999);
  expect(network.dialled).toBe(2);
  await clock.advance(1);
  expect(network.dialled).toBe(3);
});

test("a page that goes into the back-forward cache closes its socket and resumes when it is back", async () => {
  const { network, clock, page, sent, log, say } = await opened(rig(() => 0.999));
  const first = network.server;
  page.emit("freeze");
  await clock.advance(0);
  expect(first.isOpen).toBe(false);
  expect(sent(first)).toEqual([]);
  page.emit("wake");
  await clock.advance(0);
  expect(sent()).toMatchObject([{ type: "join", options: { resume: { token: "t1", seq: 17 } } }]);
  await say(joined(1, { answer: "resumed", token: "t2" }));
  expect(log.at(-1)).toEqual({ type: "resumed" });
});

test("a page that is gone leaves", async () => {
  const { network, clock, page, sent } = await opened();
  page.emit("leave");
  await clock.advance(0);
  expect(sent()).toEqual([{ type: "leave", channel: 1 }]);
  expect(network.server.isOpen).toBe(false);
});

// ---------- draining ----------

test("a draining server is used until the new socket is open, and left when the join is sent", async () => {
  const { network, clock, channel, sent, say, log } = await opened();
  const old = network.server;
  await say({ type: "draining", windowMs: 4000 });
  expect(channel.state).toEqual({ type: "draining", id: "c1", withinMs: 4000 });
  network.latencyMs = () => 100;
  await clock.advance(2000);
  expect(network.dialled).toBe(2);
  // The new one is under way; the old one serves.
  const send = channel.send("on the old one");
  old.send('["pub",4,18,"still here"]');
  await clock.advance(100);
  expect(typesOf(sent(old))).toEqual(["send"]);
  expect(log.at(-2)).toMatchObject({ type: "message", message: "still here" });
  // What comes on the old one now is not handled twice: the resume brings it.
  old.send('["pub",4,19,"late"]');
  await clock.advance(100);
  expect(sent()).toMatchObject([{ type: "join", options: { resume: { seq: 18 } } }]);
  await say(joined(1, { answer: "resumed", seq: 18, done: 0, token: "t2" }));
  await clock.advance(200);
  expect(sent()).toEqual([{ type: "send", channel: 1, n: 1, payload: "on the old one" }]);
  network.server.send('["pub",4,19,"late"]');
  network.server.send('["done",1,1]');
  await clock.advance(100);
  await send;
  expect(log.filter(({ type }) => type === "message")).toHaveLength(2);
  await clock.advance(5000);
  expect(old.isOpen).toBe(false);
});

test("a move that fails is tried again, and the old socket serves on", async () => {
  const { network, clock, channel, say } = await opened();
  network.answer = "refuse";
  await say({ type: "draining", windowMs: 1000 });
  await clock.advance(500);
  expect(network.dialled).toBe(2);
  expect(channel.state.type).toBe("draining");
  network.answer = "accept";
  await clock.advance(500);
  expect(network.servers.length).toBe(2);
});

test("a drained server that closes before the new socket is open costs nothing but time", async () => {
  const { network, clock, channel, log, sent, say } = await opened();
  network.latencyMs = () => 300;
  await say({ type: "draining", windowMs: 0 });
  await clock.advance(300);
  network.servers[0]!.close(1012);
  await clock.advance(300);
  expect(channel.state.type).toBe("resuming");
  // Never "open" in between, where nothing is.
  const states = log.flatMap((event) => (event.type === "state" ? [event.state.type] : []));
  expect(states.slice(states.indexOf("draining"))).toEqual(["draining", "resuming"]);
  await clock.advance(300);
  expect(network.dialled).toBe(2);
  await clock.advance(300);
  expect(typesOf(sent())).toEqual(["join"]);
});

test("servers that drain as soon as they are open are not moved between without a wait", async () => {
  const { network, clock, connect } = rig(() => 0.5);
  network.onaccept = (server) => server.send('["draining",0]');
  connect();
  await clock.advance(10_000);
  expect(network.dialled).toBeLessThan(8);
});

// ---------- the real WebSocket ----------

test("with Node's own WebSocket and clock it joins a real server", async () => {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  const received: string[] = [];
  server.on("connection", (socket, request) => {
    received.push(request.url ?? "", request.headers["sec-websocket-protocol"] ?? "");
    socket.on("message", (data: Buffer) => received.push(data.toString()));
    socket.send(JSON.stringify(["joined", 1, info]));
    socket.send(Buffer.from('\u0000\u0009["msg",1]\u0001\u0002', "latin1"));
  });
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address() as { port: number };
  try {
    const channel = createClient().connect<AnyTyped>("status", { url: `http://127.0.0.1:${port}` });
    const iterator = channel[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ done: false, value: new Uint8Array([1, 2]) });
    expect(received).toEqual(["/websocket/status", "windsock.v1"]);
    channel.close();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  } finally {
    server.close();
    for (const socket of server.clients) socket.terminate();
  }
});

test("nothing is left on the clock when the last channel is closed", async () => {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock);
  const client = createClient({ WebSocket: network.WebSocket, clock, random: () => 0.5 });
  const channel = client.connect<AnyTyped>("status", { url: "http://localhost" });
  await clock.advance(0);
  network.server.send(JSON.stringify(["joined", 1, info]));
  network.server.send('["msg",1,"x"]');
  await clock.advance(0);
  channel.close();
  await clock.advance(1000);
  expect(clock.pending).toBe(0);
});
