import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { clientFrame, RawSocket } from "../../test/raw-socket.ts";
import { settle, VirtualClock } from "../testing/index.ts";
import { Connections } from "./connections.ts";
import { SocketTransport } from "./socket-transport.ts";
import { TimeoutQueue } from "./timeout-queue.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A transport on a real socket, and what it tells. */
async function listen() {
  const clock = new VirtualClock();
  const connections = new Connections();
  const share = {
    limits: { maxPayloadBytes: 65_536, maxFragments: 1024 },
    connections,
    closeTimeouts: new TimeoutQueue<SocketTransport>(clock, 5000, (late) => late.destroy()),
  };
  const told: string[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const { promise: accepted, resolve: accept } = Promise.withResolvers<SocketTransport>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const transport = new SocketTransport(socket, share);
    transport.bind(
      {
        message: (data) => void told.push(data.toString()),
        writable: () => void told.push("writable"),
        closed: (code, reason) => {
          told.push(`closed ${code} ${reason}`);
          resolve();
        },
      },
      connections.open("here"),
      Buffer.alloc(0),
    );
    accept(transport);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, clock, connections, told, over, accepted };
}

/** Until nothing more happens with the sockets. */
async function quiet(): Promise<void> {
  for (let round = 0; round < 20; round++) await settle();
}

const ping = (payload: string): Buffer => clientFrame(0x89, payload);

describe("a client that sends pings and reads nothing", () => {
  async function flooded() {
    const listening = await listen();
    const client: Socket = connect(listening.port, "127.0.0.1");
    await once(client, "connect");
    const transport = await listening.accepted;
    const flood = Buffer.concat(Array<Buffer>(500).fill(ping("x".repeat(125))));
    let mostBuffered = 0;
    // Beyond what the system's buffers of both sides hold.
    for (let sent = 0; sent < 40_000_000; sent += flood.length) {
      if (!client.write(flood)) await once(client, "drain");
      mostBuffered = Math.max(mostBuffered, transport.bufferedBytes);
    }
    return { ...listening, client, transport, mostBuffered };
  }

  test("has no more waiting for it than a socket's high-water mark and the pongs of one read", async () => {
    const { client, mostBuffered, over } = await flooded();
    expect(mostBuffered).toBeGreaterThan(0);
    expect(mostBuffered).toBeLessThan(200_000);
    client.destroy();
    await over;
  });

  test("gets the pong of its last ping when it reads on", async () => {
    const { client, over } = await flooded();
    client.write(ping("the last one"));
    let end = "";
    for await (const chunk of client) {
      end = (end + String(chunk)).slice(-200);
      if (end.includes("the last one")) break;
    }
    expect(end.endsWith("\x0cthe last one")).toBe(true);
    client.destroy();
    await over;
  });
});

describe("RFC 6455, section 7: the end", () => {
  test("a client that does not answer a close frame is dropped after `closeTimeoutMs`", async () => {
    const { port, clock, told, over, accepted, connections } = await listen();
    const client = await RawSocket.open(port);
    (await accepted).close(1001, "bye");
    expect((await client.bytes(7)).toString("latin1")).toBe("\x88\x05\x03\xe9bye");
    await clock.advance(4999);
    expect(told).toEqual([]);
    await clock.advance(1);
    await over;
    expect(told).toEqual(["closed undefined "]);
    expect(connections.count).toBe(0);
    await quiet();
    expect(clock.pending).toBe(0);
  });

  test("a client that says goodbye and stays is dropped after `closeTimeoutMs`", async () => {
    const { port, clock, told, over } = await listen();
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    client.write(clientFrame(0x88, Buffer.from("03e8", "hex")));
    await once(client.resume(), "end");
    await clock.advance(4999);
    expect(told).toEqual([]);
    await clock.advance(1);
    await over;
    expect(told).toEqual(["closed 1000 "]);
    client.destroy();
  });

  test("what a client sends while it is being closed is read, up to its own close frame", async () => {
    const { port, told, over, accepted } = await listen();
    const client = await RawSocket.open(port);
    (await accepted).close(1000, "");
    expect(await client.closeCode()).toBe(1000);
    client.write(Buffer.concat([clientFrame(0x81, "late"), ping("late")]));
    client.write(clientFrame(0x88, Buffer.from("03e9", "hex")));
    expect(await client.rest()).toHaveLength(0);
    client.end();
    await over;
    expect(told).toEqual(["late", "closed 1001 "]);
  });

  test("after a close frame nothing is written, and a second close does nothing", async () => {
    const { port, accepted, over } = await listen();
    const client = await RawSocket.open(port);
    const transport = await accepted;
    transport.close(1000, "");
    transport.close(1001, "");
    await quiet();
    expect(transport.isWritable).toBe(false);
    transport.write(Buffer.from("8100", "hex"));
    transport.ping();
    client.write(clientFrame(0x88, ""));
    expect((await client.rest()).toString("hex")).toBe("880203e8");
    client.end();
    await over;
  });

  test("of a client that ends, or is reset, is told once and without a code", async () => {
    for (const leave of ["end", "reset"] as const) {
      const { port, told, over, connections, clock, accepted } = await listen();
      const client = await RawSocket.open(port);
      await accepted;
      client[leave]();
      await over;
      await quiet();
      expect(told).toEqual(["closed undefined "]);
      expect(connections.count).toBe(0);
      expect(clock.pending).toBe(0);
    }
  });

  test("comes even to a socket that is paused", async () => {
    const { port, told, over, accepted } = await listen();
    const client = await RawSocket.open(port);
    const transport = await accepted;
    transport.pause();
    client.write(clientFrame(0x81, "held back"));
    await quiet();
    expect(told).toEqual([]);
    transport.resume();
    transport.close(1013, "");
    expect(await client.closeCode()).toBe(1013);
    client.end();
    await over;
    expect(told).toEqual(["held back", "closed undefined "]);
  });
});

test("messages of one read arrive after `pause` too; those behind it wait", async () => {
  const { port, told, accepted, over } = await listen();
  const client = await RawSocket.open(port);
  const transport = await accepted;
  client.write(Buffer.concat([clientFrame(0x81, "one"), clientFrame(0x81, "two")]));
  while (told.length < 2) await settle();
  transport.pause();
  client.write(clientFrame(0x81, "three"));
  await quiet();
  expect(told).toEqual(["one", "two"]);
  transport.resume();
  while (told.length < 3) await settle();
  expect(told).toEqual(["one", "two", "three"]);
  client.end();
  await over;
});

test("a client that reads again is told of, whatever filled its socket", async () => {
  const { port, told, accepted, over } = await listen();
  const client = connect(port, "127.0.0.1");
  await once(client, "connect");
  const transport = await accepted;
  const frame = Buffer.alloc(1_000_000);
  while (transport.isWritable) transport.write(frame);
  expect(transport.bufferedBytes).toBeGreaterThan(0);
  const taken = transport.takenBytes;
  client.resume();
  while (!told.includes("writable")) await settle();
  expect(transport.isWritable).toBe(true);
  expect(transport.takenBytes).toBeGreaterThan(taken);
  client.destroy();
  await over;
});
