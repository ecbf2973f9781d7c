import { Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { clientFrame, RawSocket } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { defineService, type CloseReason } from "../index.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a full mailbox holds its clients back by TCP; when it drains, all is handled, in order", async () => {
  const handled: string[] = [];
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const service = defineService({
    limits: { maxMailboxMessages: 50, callbackTimeoutMs: 1_000_000 },
    handleIncoming: async (client, message) => {
      await gate;
      handled.push(`${client.id} ${String(message).slice(0, 5)}`);
    },
  });
  const {
    server,
    open: connect,
    clock,
  } = await serve(service, {
    limits: { maxMessagesPerSecond: 1_000_000 },
  });
  const clients = [await connect(), await connect()];
  const ids = server.clients("status").map(({ id }) => id);
  // 20 MB each: more than the socket buffers of both sides hold.
  const messages = Array.from({ length: 1000 }, (_, index) => String(index).padEnd(20_000, "."));
  for (const message of messages) for (const client of clients) client.send(message);
  await until(clock, () => server.services()[0]!.mailboxMessages >= 50);
  await clock.advance(100_000);
  expect(server.services()[0]!.mailboxMessages).toBeLessThan(400);
  for (const client of clients) {
    expect(client.bufferedBytes).toBeGreaterThan(1_000_000);
    expect(client.isOpen).toBe(true);
  }
  open();
  await until(clock, () => handled.length === 2000);
  for (const id of ids)
    expect(handled.filter((each) => each.startsWith(id))).toEqual(
      messages.map((message) => `${id} ${message.slice(0, 5)}`),
    );
}, 60_000);

test("a viewer that stops reading gets a log of 5 MB whole when it reads on", async () => {
  const lines = Array.from({ length: 50_000 }, (_, index) => String(index).padEnd(100, "."));
  const service = defineService({
    init: (self) =>
      self.log("log", {
        head: () => lines.length,
        read: (from) => ({
          messages: lines.slice(from, from + 600),
          next: Math.min(lines.length, from + 600),
        }),
      }),
    handleJoin: (client) => client.subscribe("log", { from: 0 }),
  });
  const { open, clock } = await serve(service);
  const client = await open();
  await client.take(100);
  client.pause();
  await clock.advance(20_000);
  client.resume();
  await client.take(lines.length - 100);
  expect(client.received).toEqual(lines);
});

test("a client that does not read while the log moves past it is closed with 1013", async () => {
  const reasons: CloseReason[] = [];
  const service = defineService({
    history: { messages: 20 },
    handleClose: (_client, reason) => void reasons.push(reason),
  });
  const { server, open, clock } = await serve(service, {
    limits: { pingIntervalMs: 1_000_000, stalledTimeoutMs: 1_000_000 },
  });
  const slow = await open();
  await until(clock, () => server.clients("status").length === 1);
  slow.pause();
  const message = "x".repeat(100_000);
  // The system's buffers take some MB before anything waits here.
  for (let count = 0; count < 600; count++) {
    server.broadcast("status", message);
    if (count % 10 === 0) await clock.advance(1);
  }
  await clock.advance(1000);
  slow.resume();
  expect((await slow.closed).code).toBe(1013);
  await until(clock, () => reasons.length === 1);
  expect(reasons).toEqual([{ type: "slow" }]);
});

/** Counts what the server's sockets are asked to write. */
function countWrites(): () => number {
  let writes = 0;
  const write = Reflect.get(Socket.prototype, "write") as (...args: unknown[]) => boolean;
  vi.spyOn(Socket.prototype, "write").mockImplementation(function (
    this: Socket,
    ...args: unknown[]
  ) {
    if ("server" in this && this.server != null) writes += 1;
    return Reflect.apply(write, this, args);
  });
  return () => writes;
}

test("100 messages to 50 real sockets in one turn are 50 writes", async () => {
  const { server, open } = await serve(
    defineService({
      handleBroadcast(messages: string[], _state, service) {
        for (const message of messages) service.publish(message);
      },
    }),
  );
  const clients = await Promise.all(Array.from({ length: 50 }, () => open()));
  const writes = countWrites();
  const messages = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(128, "."));
  server.broadcast("status", messages);
  for (const client of clients) expect(await client.take(100)).toEqual(messages);
  expect(writes()).toBe(50);
});

test("the replies to 100 messages that came in one read leave as one write", async () => {
  const { server } = await serve(
    defineService({ handleIncoming: (client, message) => client.send(message as string) }),
  );
  const raw = await RawSocket.upgrade(server.port);
  const writes = countWrites();
  raw.write(Buffer.concat(Array.from({ length: 100 }, () => clientFrame(0x81, "hello"))));
  await raw.bytes(100 * 7);
  expect(writes()).toBe(1);
});

test("5,000 connections come and go and take no place with them", async () => {
  const { server, clock } = await serve(defineService({}), {
    limits: { maxConnections: 100, maxConnectionsPerAddress: 100 },
  });
  for (let round = 0; round < 50; round++) {
    const raws = await Promise.all(
      Array.from({ length: 100 }, () => RawSocket.upgrade(server.port)),
    );
    for (const raw of raws) raw.reset();
    await until(clock, () => server.clients("status").length === 0);
  }
  expect(server.services()).toMatchObject([{ clients: 0, mailboxMessages: 0 }]);
}, 60_000);
