import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { defineService } from "../index.ts";

function recording(limits: { maxMailboxMessages?: number } = {}) {
  const handled: string[] = [];
  const gates: (() => void)[] = [];
  const service = defineService({
    limits,
    handleIncoming: (client, message) => void handled.push(`${client.id} ${String(message)}`),
    // Holds the mailbox up until somebody opens the gate.
    handleInfo: () => new Promise<void>((resolve) => gates.push(resolve)),
  });
  return { service, handled, gates };
}

test("a client may send its rate at once; what is beyond it waits, and the socket is not read meanwhile", async () => {
  const { service, handled } = recording();
  const rig = startRig(service, { limits: { maxMessagesPerSecond: 100 } });
  const { transport } = await rig.open();
  await rig.idle();
  for (let index = 0; index < 100; index++) transport.send(String(index));
  await rig.idle();
  expect(handled).toHaveLength(100);
  expect(transport.isPaused).toBe(false);
  transport.send("100");
  await rig.idle();
  expect(handled).toHaveLength(100);
  expect(transport.isPaused).toBe(true);
  await rig.clock.advance(20);
  expect(handled).toHaveLength(101);
  expect(transport.isPaused).toBe(false);
});

test("a client that sends at three times its rate is slowed to it, and loses nothing", async () => {
  const { service, handled } = recording();
  const rig = startRig(service, { limits: { maxMessagesPerSecond: 100 } });
  const { mid, transport } = await rig.open();
  await rig.idle();
  for (let index = 0; index < 600; index++) transport.send(String(index));
  await rig.clock.advance(2000);
  expect(handled.length).toBeGreaterThanOrEqual(298);
  expect(handled.length).toBeLessThanOrEqual(302);
  await rig.clock.advance(4000);
  expect(handled).toEqual(Array.from({ length: 600 }, (_, index) => `${mid} ${index}`));
});

test("a rate of one message a second lets one through a second", async () => {
  const { service, handled } = recording();
  const rig = startRig(service, { limits: { maxMessagesPerSecond: 1 } });
  const { transport } = await rig.open();
  await rig.idle();
  for (let index = 0; index < 3; index++) transport.send(String(index));
  await rig.idle();
  expect(handled).toHaveLength(1);
  await rig.clock.advance(1000);
  expect(handled).toHaveLength(2);
  await rig.clock.advance(1000);
  expect(handled).toHaveLength(3);
});

// When a full mailbox had room again, the first client's messages filled it anew each
// time: those behind it were not heard until it had nothing left.
test("clients that wait for a full mailbox are let on in turns", async () => {
  const { service, handled, gates } = recording({ maxMailboxMessages: 40 });
  const rig = startRig(service);
  const [first, second] = [await rig.open(), await rig.open()];
  await rig.idle();
  rig.host.info("status", "block");
  await rig.idle();
  for (let index = 0; index < 41; index++) first.transport.send(String(index));
  await rig.idle();
  // Both were being read when the mailbox filled: as one read of many small messages.
  const held = (client: typeof first, count: number): void => {
    client.transport.isPaused = false;
    for (let index = 0; index < count; index++) client.transport.send(`h${index}`);
    client.transport.isPaused = true;
  };
  held(first, 500);
  held(second, 500);
  gates.shift()?.();
  await rig.idle();
  const order = handled.map((each) => each.split(" ")[0]);
  expect(order.filter((mid) => mid === second.mid)).toHaveLength(500);
  // Long before the first one is through, the second is being heard.
  expect(order.indexOf(second.mid)).toBeLessThan(100);
});

test("a client that goes away while it is held back leaves nothing behind", async () => {
  const { service, handled, gates } = recording({ maxMailboxMessages: 2 });
  const rig = startRig(service);
  const { transport } = await rig.open();
  await rig.idle();
  rig.host.info("status", "block");
  await rig.idle();
  for (let index = 0; index < 5; index++) transport.send(String(index));
  transport.leave();
  await rig.idle();
  gates.shift()?.();
  await rig.idle();
  expect(handled.length).toBeLessThanOrEqual(3);
  expect(rig.edge.counts()).toEqual({ members: 0, feeds: 0, appLogs: 0, questions: 0 });
});
