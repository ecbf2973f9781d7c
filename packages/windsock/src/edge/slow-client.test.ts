import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { defineService, type Client, type CloseReason, type Sendable } from "../index.ts";
import { itemOverheadBytes } from "./outbox.ts";

function textOf(length: number, index: number): string {
  return `${index}`.padEnd(length, ".");
}

/** Publishes what is broadcast; `private` sends it to each client instead. Remembers why clients left. */
function serviceOf(history: { messages?: number; bytes?: number } = {}) {
  const reasons: CloseReason[] = [];
  const service = defineService({
    history,
    handleClose: (_client, reason) => void reasons.push(reason),
    handleBroadcast(messages: Sendable[], _state, status) {
      for (const message of messages) status.publish(message);
    },
    handleIncoming(client, message) {
      const { count, length } = JSON.parse(String(message)) as { count: number; length: number };
      for (let index = 0; index < count; index++) client.send(textOf(length, index));
    },
  });
  return { service, reasons };
}

test("a client that the log has moved past is closed with 1013, and handleClose says slow", async () => {
  const { service, reasons } = serviceOf({ messages: 10 });
  const rig = startRig(service);
  const [slow, fast] = [await rig.open(), await rig.open()];
  await rig.idle();
  slow.transport.isReading = false;
  for (let index = 0; index < 40; index++) {
    rig.host.broadcast("status", [textOf(70_000, index)]);
    await rig.idle();
  }
  slow.transport.read();
  await rig.idle();
  expect(slow.transport.closed).toMatchObject({ code: 1013 });
  expect(reasons).toEqual([{ type: "slow" }]);
  expect(fast.transport.received).toHaveLength(40);
  // What it got is a beginning of what there was.
  const got = slow.transport.received.map((each) => Number.parseInt(String(each), 10));
  expect(got).toEqual(Array.from({ length: got.length }, (_, index) => index));
});

test("a client that lags behind a log that still has it catches up without a gap", async () => {
  const { service } = serviceOf({ messages: 100, bytes: 10_000_000 });
  const rig = startRig(service);
  const { transport } = await rig.open();
  await rig.idle();
  transport.isReading = false;
  for (let index = 0; index < 60; index++) {
    rig.host.broadcast("status", [textOf(20_000, index)]);
    await rig.idle();
  }
  while (transport.received.length < 60) {
    transport.take(50_000);
    await rig.idle();
    if (transport.bufferedBytes === 0) transport.read();
    await rig.idle();
  }
  expect(transport.received.map((each) => Number.parseInt(String(each), 10))).toEqual(
    Array.from({ length: 60 }, (_, index) => index),
  );
  expect(transport.closed).toBeUndefined();
});

// Each time the window overflowed, it was given more, up to a MiB: 20 such clients held as
// much again as the log.
test("a socket that takes nothing is not filled further: the log has what its client lacks", async () => {
  const { service } = serviceOf({ messages: 1000, bytes: 10_000_000 });
  const rig = startRig(service);
  const { transport } = await rig.open();
  await rig.idle();
  transport.isReading = false;
  for (let index = 0; index < 200; index++) {
    rig.host.broadcast("status", [textOf(20_000, index)]);
    await rig.idle();
  }
  expect(transport.bufferedBytes).toBeLessThanOrEqual((128 + 256) * 1024);
  expect(transport.closed).toBeUndefined();
});

test("what waits for one client alone may fill its bound to the byte, and not one message more", async () => {
  const length = 1000;
  const frame = length + 4 + itemOverheadBytes;
  const { service, reasons } = serviceOf();
  const rig = startRig(service, { limits: { maxSendQueueBytes: 20 * frame } });
  const fill = async (count: number) => {
    const { transport } = await rig.open();
    await rig.idle();
    transport.isReading = false;
    // More than a socket buffers when a queue is full: the rest stays in the queue.
    transport.send(JSON.stringify({ count: 1, length: 1_100_000 }));
    await rig.idle();
    transport.send(JSON.stringify({ count, length }));
    await rig.idle();
    return transport;
  };
  const within = await fill(20);
  expect(within.closed).toBeUndefined();
  const beyond = await fill(21);
  expect(beyond.closed).toEqual({ code: 1013, reason: "its send queue is full" });
  beyond.read();
  within.read();
  await rig.idle();
  expect(within.received).toHaveLength(21);
  expect(reasons).toEqual([{ type: "slow" }]);
});

// Only frames counted: a client that had the service subscribe and unsubscribe it, and
// took a byte now and then, grew a queue without a bound.
test("subscriptions that wait for a slow client count as well", async () => {
  const reasons: CloseReason[] = [];
  const rig = startRig(
    defineService({
      handleClose: (_client, reason) => void reasons.push(reason),
      handleIncoming(client, message) {
        if (message === "fill") client.send("x".repeat(1_100_000));
        client.subscribe("a");
        client.unsubscribe("a");
      },
    }),
    { limits: { maxSendQueueBytes: 100 * itemOverheadBytes } },
  );
  const { transport } = await rig.open();
  await rig.idle();
  transport.isReading = false;
  transport.send("fill");
  await rig.idle();
  for (let index = 0; index < 49; index++) transport.send("");
  await rig.idle();
  expect(transport.closed).toBeUndefined();
  for (let index = 0; index < 2; index++) transport.send("");
  await rig.idle();
  expect(transport.closed?.code).toBe(1013);
});

test("a socket that takes nothing for 30 s is cut; one that takes a byte now and then is not", async () => {
  const { service, reasons } = serviceOf();
  const rig = startRig(service, { limits: { pingIntervalMs: 1_000_000 } });
  const [stalled, slow] = [await rig.open(), await rig.open()];
  await rig.idle();
  for (const { transport } of [stalled, slow]) transport.isReading = false;
  rig.host.broadcast("status", [textOf(1000, 0)]);
  await rig.idle();
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      if (second % 10 === 0) slow.transport.take(1);
      await rig.clock.advance(1000);
    }
  };
  await pass(29);
  expect(stalled.transport.isDestroyed).toBe(false);
  await pass(10);
  expect(stalled.transport.isDestroyed).toBe(true);
  expect(slow.transport.isDestroyed).toBe(false);
  expect(reasons).toEqual([{ type: "slow" }]);
});

test("5,000 messages in one turn reach every client that reads, though the log keeps 1,000", async () => {
  const { service } = serviceOf();
  const rig = startRig(service);
  const opened = await Promise.all(Array.from({ length: 20 }, () => rig.open()));
  await rig.idle();
  const messages = Array.from({ length: 5000 }, (_, index) => textOf(128, index));
  rig.host.broadcast("status", messages);
  await rig.idle();
  for (const { transport } of opened) expect(transport.received).toEqual(messages);
});

/** Clients of which none reads, and each has `length` bytes of its own waiting beyond what its socket buffers. */
async function crowd(maxTotalSendQueueBytes: number, count: number, length: number) {
  const { service, reasons } = serviceOf();
  const rig = startRig(service, { limits: { maxTotalSendQueueBytes } });
  const open = async (each: number) => {
    const { transport } = await rig.open();
    await rig.idle();
    transport.isReading = false;
    transport.send(JSON.stringify({ count: 1, length: 300_000 }));
    await rig.idle();
    transport.send(JSON.stringify({ count: 1, length: each }));
    await rig.idle();
    return transport;
  };
  const transports = [];
  for (let index = 0; index < count; index++) transports.push(await open(length));
  return { rig, reasons, transports, open };
}

test("what waits for all clients alone may fill its bound to the byte", async () => {
  const { transports } = await crowd(4 * (100_000 + itemOverheadBytes) + 300_064, 4, 100_000);
  expect(transports.map(({ closed }) => closed)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("beyond it those are closed for whom most waits, and nobody else", async () => {
  const { rig, reasons, transports, open } = await crowd(700_000, 4, 100_000);
  const greedy = await open(310_000);
  expect(greedy.closed).toEqual({
    code: 1013,
    reason: "too much waits for all clients together",
  });
  expect(transports.map(({ closed }) => closed)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(reasons).toEqual([]);
  greedy.read();
  for (const transport of transports) transport.read();
  await rig.idle();
  expect(reasons).toEqual([{ type: "slow" }]);
  for (const { received } of transports) expect(received).toHaveLength(2);
});

test("a message to many clients that do not read waits once", async () => {
  const rig = startRig(
    defineService({
      init: () => [] as Client[],
      handleJoin: (client, clients) => [...clients, client],
      handleBroadcast(text: string, clients) {
        for (const client of clients) client.send(text);
      },
    }),
    { limits: { maxTotalSendQueueBytes: 500_000 } },
  );
  const opened = await Promise.all(Array.from({ length: 20 }, () => rig.open()));
  await rig.idle();
  for (const { transport } of opened) transport.isReading = false;
  for (let index = 0; index < 2; index++) {
    rig.host.broadcast("status", textOf(300_000, index));
    await rig.idle();
  }
  for (const { transport } of opened) expect(transport.closed).toBeUndefined();
});
