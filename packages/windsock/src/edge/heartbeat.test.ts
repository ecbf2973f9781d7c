import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { openMany } from "../../test/port-rig.ts";
import { defineService, type CloseReason } from "../index.ts";

const second = 1000;

function leaving(limits: { maxMailboxMessages?: number } = {}) {
  const reasons: CloseReason[] = [];
  const gates: (() => void)[] = [];
  const service = defineService({
    limits: { ...limits, callbackTimeoutMs: 1_000_000 },
    handleClose: (_client, reason) => void reasons.push(reason),
    handleInfo: () => new Promise<void>((resolve) => gates.push(resolve)),
    handleIncoming: () => undefined,
  });
  return { service, reasons, gates };
}

test("a client is pinged after 25 s of silence, and not before", async () => {
  const rig = startRig(leaving().service);
  const { transport } = await rig.open();
  await rig.idle();
  await rig.clock.advance(24 * second);
  expect(transport.pings).toBe(0);
  await rig.clock.advance(2 * second);
  expect(transport.pings).toBe(1);
});

test("a client that sends is not pinged", async () => {
  const rig = startRig(leaving().service);
  const { transport } = await rig.open();
  await rig.idle();
  for (let round = 0; round < 10; round++) {
    await rig.clock.advance(20 * second);
    transport.send("x");
  }
  expect(transport.pings).toBe(0);
});

test("a client that answers its pings stays; one that is silent for 20 s after one is gone, as timed out", async () => {
  const { service, reasons } = leaving();
  const rig = startRig(service);
  const [alive, dead] = [await rig.open(), await rig.open()];
  await rig.idle();
  await rig.clock.advance(26 * second);
  alive.transport.pong();
  await rig.clock.advance(18 * second);
  expect(dead.transport.isDestroyed).toBe(false);
  await rig.clock.advance(3 * second);
  expect(dead.transport.isDestroyed).toBe(true);
  expect(alive.transport.isDestroyed).toBe(false);
  expect(reasons).toEqual([{ type: "timeout" }]);
});

test("a client whose socket we do not read is not timed out, also when it was pinged before", async () => {
  const { service, reasons, gates } = leaving({ maxMailboxMessages: 2 });
  const rig = startRig(service);
  const { transport } = await rig.open();
  await rig.idle();
  await rig.clock.advance(26 * second);
  expect(transport.pings).toBe(1);
  rig.host.info("status", "block");
  await rig.idle();
  for (let index = 0; index < 5; index++) transport.send("x");
  await rig.idle();
  expect(transport.isPaused).toBe(true);
  await rig.clock.advance(100 * second);
  expect(transport.isDestroyed).toBe(false);
  gates.shift()?.();
  await rig.idle();
  expect(transport.isPaused).toBe(false);
  await rig.clock.advance(5 * second);
  expect(transport.isDestroyed).toBe(false);
  expect(reasons).toEqual([]);
});

test("who does not answer a close frame is cut after 5 s", async () => {
  const rig = startRig(defineService({ handleIncoming: (client) => client.close(4000, "out") }));
  const { transport } = await rig.open();
  await rig.idle();
  transport.isAnswering = false;
  transport.send("x");
  await rig.idle();
  expect(transport.closed).toEqual({ code: 4000, reason: "out" });
  await rig.clock.advance(4 * second);
  expect(transport.isDestroyed).toBe(false);
  await rig.clock.advance(2 * second);
  expect(transport.isDestroyed).toBe(true);
  await rig.idle();
  expect(rig.edge.counts()).toEqual({ members: 0, feeds: 0, appLogs: 0, questions: 0 });
});

test("a server with thousands of silent clients pings them in slices", async () => {
  const rig = startRig(defineService({}));
  const opened = await openMany(rig, 1200);
  const pinged = (): number => opened.filter(({ transport }) => transport.pings > 0).length;
  const moving = rig.clock.advance(26 * second);
  const steps: number[] = [];
  while (pinged() < opened.length) {
    await new Promise((resolve) => setImmediate(resolve));
    steps.push(pinged());
  }
  await moving;
  const largest = Math.max(...steps.map((count, index) => count - (steps[index - 1] ?? 0)));
  expect(largest).toBeLessThanOrEqual(500);
});

test("closing all sends what is due first, also to a client that is slow", async () => {
  const rig = startRig(defineService({}));
  const [fast, slow, stuck] = [await rig.open(), await rig.open(), await rig.open()];
  await rig.idle();
  slow.transport.isReading = false;
  stuck.transport.isReading = false;
  for (let index = 0; index < 40; index++) rig.host.broadcast("status", "x".repeat(50_000));
  await rig.idle();
  rig.host.broadcast("status", "last");
  await rig.idle();
  const closing = rig.edge.close(1012, "restarting");
  await rig.idle();
  expect(fast.transport.closed?.code).toBe(1012);
  slow.transport.read();
  await rig.idle();
  expect(slow.transport.received.at(-1)).toBe("last");
  expect(slow.transport.closed?.code).toBe(1012);
  await rig.clock.advance(6 * second);
  expect(stuck.transport.isDestroyed).toBe(true);
  await closing;
});
