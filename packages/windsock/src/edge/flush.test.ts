import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { openMany, PortRig, type RigClient } from "../../test/port-rig.ts";
import { defineService, type Client } from "../index.ts";

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** As the original does it: a send for each client and message. */
function seedStyle() {
  return defineService({
    init: (): Client[] => [],
    handleJoin: (client, clients) => [...clients, client],
    handleBroadcast(messages: string[], clients) {
      for (const message of messages) for (const client of clients) client.send(message);
    },
  });
}

function publishing() {
  return defineService({
    handleBroadcast(messages: string[], _state, service) {
      for (const message of messages) service.publish(message);
    },
  });
}

const burst = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(128, "."));

function writesPerMessage(clients: readonly RigClient[], messages: number): number {
  const writes = clients.reduce((sum, { transport }) => sum + transport.writes, 0);
  return writes / (clients.length * messages);
}

// These gates have no noise: they count calls, not time.
for (const [style, makeService] of [
  ["published", publishing],
  ["sent to each client in a loop", seedStyle],
] as const) {
  test(`100 messages ${style} in one turn cost at most 0.011 writes each`, async () => {
    const rig = startRig(makeService());
    const clients = await openMany(rig, 100);
    rig.host.broadcast("status", burst);
    await rig.idle();
    for (const { transport } of clients) expect(transport.received).toEqual(burst);
    expect(writesPerMessage(clients, burst.length)).toBeLessThanOrEqual(0.011);
  });

  test(`one message ${style} costs at most 1.01 writes`, async () => {
    const rig = startRig(makeService());
    const clients = await openMany(rig, 100);
    rig.host.broadcast("status", ["alone"]);
    await rig.idle();
    expect(writesPerMessage(clients, 1)).toBeLessThanOrEqual(1.01);
  });
}

test("100 broadcasts of one turn cost at most 0.011 writes each", async () => {
  const rig = startRig(defineService({}));
  const clients = await openMany(rig, 100);
  for (const message of burst) rig.host.broadcast("status", message);
  await rig.idle();
  for (const { transport } of clients) expect(transport.received).toEqual(burst);
  expect(writesPerMessage(clients, burst.length)).toBeLessThanOrEqual(0.011);
});

test("the replies to messages of one read leave as one write", async () => {
  const rig = startRig(
    defineService({ handleIncoming: (client, message) => client.send(String(message)) }),
  );
  const [client] = await openMany(rig, 1);
  for (const message of burst) client!.transport.send(message);
  await rig.idle();
  expect(client!.transport.received).toEqual(burst);
  expect(client!.transport.writes).toBe(1);
});

test("what is published and what is sent to one client in a turn leaves as one write", async () => {
  const rig = startRig(
    defineService({
      handleIncoming(client, _message, _state, service) {
        for (let index = 0; index < 10; index++) {
          service.publish(`p${index}`);
          client.send(`s${index}`);
        }
      },
    }),
  );
  const [client] = await openMany(rig, 1);
  client!.transport.send("go");
  await rig.idle();
  expect(client!.transport.received).toHaveLength(20);
  expect(client!.transport.writes).toBe(1);
});

test("members that are due the same frames share one buffer", async () => {
  for (const service of [publishing(), seedStyle()]) {
    const rig = startRig(service);
    const clients = await openMany(rig, 10);
    const buffers = new Set<ArrayBufferLike | Buffer>();
    for (const { transport } of clients) {
      const write = transport.write.bind(transport);
      transport.write = (frames) => {
        buffers.add(frames);
        write(frames);
      };
    }
    rig.host.broadcast("status", burst);
    await rig.idle();
    expect(buffers.size).toBe(1);
  }
});

test("a flush to 2,000 clients goes in slices, and the event loop turns between them", async () => {
  const rig = startRig(publishing());
  const clients = await openMany(rig, 2000);
  const served = (): number =>
    clients.filter(({ transport }) => transport.received.length > 0).length;
  rig.host.broadcast("status", ["news"]);
  const progress: number[] = [];
  while (served() < clients.length) {
    await turn();
    progress.push(served());
  }
  const largest = Math.max(...progress.map((count, index) => count - (progress[index - 1] ?? 0)));
  expect(largest).toBeLessThanOrEqual(512);
  expect(progress.length).toBeGreaterThanOrEqual(4);
});

// A service with many clients was flushed to its end before the next one had its turn.
test("a large service does not hold up the replies of a small one", async () => {
  const rig = new PortRig({
    large: publishing(),
    small: defineService({ handleIncoming: (client) => client.send("reply") }),
  });
  const clients = await openMany(rig, 2000, "large");
  const [asking] = await openMany(rig, 1, "small");
  rig.host.broadcast("large", ["news"]);
  asking!.transport.send("question");
  await turn();
  await turn();
  expect(asking!.transport.received).toEqual(["reply"]);
  expect(clients.at(-1)!.transport.received).toEqual([]);
  await rig.idle();
  await rig.end();
});
