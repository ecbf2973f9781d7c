import { syncBuiltinESMExports } from "node:module";
import zlib from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi, type MockInstance } from "vitest";
import { inflated } from "../../test/autobahn/conversation.ts";
import { frame, RawClient, text } from "../../test/autobahn/raw-client.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { connect } from "../client/index.ts";
import { createServer, defineService, OptionError, type } from "../index.ts";
import { deflateFrom, inflate } from "./deflate.ts";

let deflates: MockInstance;

beforeEach(() => {
  deflates = vi.spyOn(zlib, "deflateRawSync");
  syncBuiltinESMExports();
});

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

const offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
const v1 = ["Sec-WebSocket-Protocol: windsock.v1"];
const large = (n: number): string => `${n} `.repeat(1000);
const small = (n: number): string => `small ${n}`;

/** What a client of the raw kind has got: the first bytes of the frames, and the texts. */
function got({ frames }: RawClient): { heads: number[]; texts: string[] } {
  return {
    heads: frames.map(({ head }) => head),
    texts: frames.map(({ head, payload }) =>
      ((head & 0x40) === 0 ? payload : inflated(payload)).toString(),
    ),
  };
}

async function openMany(count: number, port: number, headers: string[], path?: string) {
  const options = { headers, ...(path === undefined ? {} : { path }) };
  return Promise.all(Array.from({ length: count }, () => RawClient.open(port, options)));
}

describe("a broadcast", () => {
  test("is compressed once for all plain clients that take it so, and goes to the others as it is", async () => {
    const { server, clock } = await serve(defineService({}), { compression: true });
    const taking = await openMany(20, server.port, offer);
    const others = await openMany(5, server.port, []);
    await until(clock, () => server.clients("status").length === 25);
    const sent = [large(1), small(2), large(3), small(4), small(5), large(6)];
    for (const message of sent.slice(0, 3)) server.broadcast("status", message);
    await Promise.all(taking.map((client) => client.received(3)));
    for (const message of sent.slice(3)) server.broadcast("status", message);
    await Promise.all([...taking, ...others].map((client) => client.received(sent.length)));
    for (const client of taking)
      expect(got(client)).toEqual({ heads: [0xc1, 0x81, 0xc1, 0x81, 0x81, 0xc1], texts: sent });
    for (const client of others)
      expect(got(client)).toEqual({ heads: Array(6).fill(0x81), texts: sent });
    expect(deflates).toHaveBeenCalledTimes(3);
  });

  test("is compressed once for all `windsock.v1` clients that take it so", async () => {
    const { server, clock } = await serve(defineService({}), { compression: true });
    const taking = await openMany(10, server.port, [...v1, ...offer], "/websocket");
    const others = await openMany(3, server.port, v1, "/websocket");
    const plain = await openMany(3, server.port, offer);
    for (const client of [...taking, ...others]) client.write(text('["join",1,"status",{}]'));
    await Promise.all([...taking, ...others].map((client) => client.received(1)));
    await until(clock, () => server.clients("status").length === 16);
    server.broadcast("status", large(1));
    server.broadcast("status", small(2));
    const all = [...taking, ...others];
    await Promise.all([
      ...all.map((client) => client.received(3)),
      ...plain.map((client) => client.received(2)),
    ]);
    for (const client of all) {
      const { heads, texts } = got(client);
      expect(heads.slice(1)).toEqual([taking.includes(client) ? 0xc1 : 0x81, 0x81]);
      expect(texts.slice(1).map((each) => JSON.parse(each) as unknown)).toEqual([
        ["pub", expect.any(Number), 1, large(1)],
        ["pub", expect.any(Number), 2, small(2)],
      ]);
    }
    // One for each dialect.
    expect(deflates).toHaveBeenCalledTimes(2);
  });

  test("on a topic is compressed once too", async () => {
    const service = defineService({
      handleJoin: (client) => client.subscribe("news"),
      handleBroadcast: (message: string, _state, self) => self.publish("news", message),
    });
    const { server, clock } = await serve(service, { compression: true });
    const clients = await openMany(10, server.port, offer);
    clients.push(...(await openMany(10, server.port, [])));
    await until(clock, () => server.clients("status").length === 20);
    await clock.advance(0);
    server.broadcast("status", large(1));
    await Promise.all(clients.map((client) => client.received(1)));
    for (const client of clients) expect(got(client).texts).toEqual([large(1)]);
    expect(deflates).toHaveBeenCalledTimes(1);
  });
});

describe("a message for one client", () => {
  test("is compressed for it, and a loop over all clients compresses equal ones once", async () => {
    const service = defineService({
      handleIncoming: (client, message) => client.send(large(Number(message))),
      handleBroadcast(message: string, _state, self) {
        for (const client of self.clients()) client.send(message);
      },
    });
    const { server, clock } = await serve(service, { compression: true });
    // Turn and turn about: none of them may make the others' work anew.
    const clients: RawClient[] = [];
    for (let index = 0; index < 10; index++)
      clients.push(await RawClient.open(server.port, { headers: index % 2 === 0 ? offer : [] }));
    await until(clock, () => server.clients("status").length === 10);
    clients[0]!.write(text("7"));
    clients[1]!.write(text("8"));
    await Promise.all([clients[0]!.received(1), clients[1]!.received(1)]);
    expect(got(clients[0]!)).toEqual({ heads: [0xc1], texts: [large(7)] });
    expect(got(clients[1]!)).toEqual({ heads: [0x81], texts: [large(8)] });
    expect(deflates).toHaveBeenCalledTimes(1);
    server.broadcast("status", large(9));
    await Promise.all(clients.map((client, index) => client.received(index < 2 ? 2 : 1)));
    for (const client of clients) expect(got(client).texts.at(-1)).toBe(large(9));
    expect(deflates).toHaveBeenCalledTimes(2);
  });
});

test("what is no shorter when it is compressed leaves as it is", async () => {
  const { server, clock } = await serve(defineService({}), { compression: { thresholdBytes: 1 } });
  const [client] = await openMany(1, server.port, offer);
  await until(clock, () => server.clients("status").length === 1);
  for (const message of ["x", "y".repeat(100)]) server.broadcast("status", message);
  await client!.received(2);
  expect(got(client!)).toEqual({ heads: [0x81, 0xc1], texts: ["x", "y".repeat(100)] });
});

test("a backlog, and what a slow client had missed, come in order and as they are", async () => {
  const service = defineService({
    handleJoin: (client) => client.subscribe("", { from: 0 }),
  });
  const { server, clock } = await serve(service, { compression: true });
  for (const n of [1, 2, 3]) server.broadcast("status", large(n));
  await until(clock, () => server.services()[0]?.mailboxMessages === 0);
  const [client] = await openMany(1, server.port, offer);
  await client!.received(3);
  server.broadcast("status", large(4));
  await client!.received(4);
  expect(got(client!)).toEqual({
    heads: [0x81, 0x81, 0x81, 0xc1],
    texts: [1, 2, 3, 4].map(large),
  });
});

test("clients as they are used have it without a word", async () => {
  const service = defineService({
    outgoing: type<string>(),
    handleIncoming: (client, message) => client.send(`${String(message)}!`),
  });
  const { server, open, clock } = await serve(service, { compression: true });
  const plain = await open();
  expect(plain.headers["sec-websocket-extensions"]).toContain("permessage-deflate");
  plain.send(large(1));
  expect(await plain.next()).toBe(`${large(1)}!`);
  const status = connect("status", { url: server.url });
  const messages = status[Symbol.asyncIterator]();
  const next = messages.next();
  await until(clock, () => server.clients("status").length === 2);
  server.broadcast("status", large(2));
  expect((await next).value).toBe(large(2));
  expect(await plain.next()).toBe(large(2));
  expect(deflates).toHaveBeenCalledTimes(3);
  status.close();
});

test("what a `windsock.v1` client sends compressed may become twice `maxPayloadBytes`: refused in band, and closed beyond", async () => {
  const { server } = await serve(defineService({}), {
    compression: true,
    limits: { maxPayloadBytes: 10_000 },
  });
  const [client] = await openMany(1, server.port, [...v1, ...offer], "/websocket");
  client!.write(text('["join",1,"status",{}]'));
  await client!.received(1);
  const send = (length: number): void => {
    const message = `["send",1,1,"${"x".repeat(length - 15)}"]`;
    expect(message).toHaveLength(length);
    const bytes = zlib.deflateRawSync(message, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
    client!.write(frame(0xc1, bytes.subarray(0, -4)));
  };
  send(20_000);
  await client!.received(2);
  expect(got(client!).texts[1]).toMatch(/^\["error",1,1,"too_big",/);
  send(20_001);
  await client!.over();
  expect(client!.frames.at(-1)?.payload.readUInt16BE()).toBe(1009);
});

test("is off unless the server is told otherwise", async () => {
  const { open } = await serve(defineService({}));
  const plain = await open();
  expect(plain.headers["sec-websocket-extensions"]).toBeUndefined();
});

test("an offer that is no list of extensions gets 400", async () => {
  const { server } = await serve(defineService({}), { compression: true });
  const bad = ["Sec-WebSocket-Extensions: permessage-deflate; =1"];
  await expect(RawClient.open(server.port, { headers: bad })).rejects.toThrow("400");
});

test("an option of another shape is refused", async () => {
  for (const compression of [1, "yes", { thresholdBytes: 0 }, { thresholdBytes: "1" }])
    await expect(
      createServer({ services: {}, port: 0, compression: compression as never }),
    ).rejects.toThrow(OptionError);
});

test("what was compressed, or taken out of it, takes no more memory than its bytes", () => {
  const messages = Array.from({ length: 500 }, (_, index) => Buffer.from(large(index)));
  const frames = messages.map((message) => deflateFrom(1).compress(message));
  const back = frames.map((frame) => inflate(Buffer.from(frame), 100_000));
  expect(back).toEqual(messages);
  for (const kept of [frames, back as Buffer[]]) {
    const buffers = new Set(kept.map(({ buffer }) => buffer));
    const taken = [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
    expect(taken).toBeLessThan(2 * kept.reduce((sum, { length }) => sum + length, 0) + 1);
  }
});
