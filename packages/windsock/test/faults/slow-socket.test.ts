import { expect, onTestFinished, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { MemoryWorld } from "./memory-world.ts";

// What waits for a client that reads nothing is moved to memory of its own after a second or two.
// Of what is no message only the payload was kept: presence came without its envelope and `authed`
// as an empty frame, and the client went away with a fault.
test("what waits for a slow client for seconds comes as it was said", async () => {
  const world = new MemoryWorld(
    {
      status: defineService({
        presence: { entry: ({ id }) => ({ id }) },
        handleIncoming: (client) => client.send("x".repeat(100_000)),
      }),
    },
    Math.random,
  );
  onTestFinished(() => world.end());
  const slow = world.openSession();
  await slow.send({ type: "join", channel: 1, path: "status", options: {} });
  slow.transport.isReading = false;
  await slow.send(
    { type: "send", channel: 1, n: 1, payload: null },
    { type: "send", channel: 1, n: 2, payload: null },
  );
  const other = world.openSession();
  await other.send({ type: "join", channel: 1, path: "status", options: {} });
  await slow.send({ type: "auth", channel: 1, payload: "new" });
  for (let seconds = 0; seconds < 4; seconds++) {
    await world.clock.advance(1000);
    await settle();
  }
  slow.transport.read();
  await settle();
  const kinds = slow.received().map(({ type }) => type);
  expect(kinds).toEqual(["joined", "presence", "msg", "msg", "done", "presence", "authed"]);
});

// Answers of the session itself went past every queue: who asked without reading was given
// as much memory as it liked, as long as it took a byte now and then.
test("a client that asks and does not read is closed when a MiB of answers waits", async () => {
  const world = new MemoryWorld({ status: defineService({}) }, Math.random);
  onTestFinished(() => world.end());
  const client = world.openSession();
  await client.send({ type: "join", channel: 1, path: "status", options: {} });
  client.transport.isReading = false;
  const payload = "x".repeat(60_000);
  for (let sent = 0; sent < 100; sent++) {
    client.transport.send(JSON.stringify(["ping", payload]));
    client.transport.take(1);
  }
  expect(client.transport.closed).toMatchObject({ code: 1013 });
  expect(client.transport.mostBuffered).toBeLessThan(1024 * 1024 + 4 * 60_000);
  const other = world.openSession();
  await other.send({ type: "ping", payload });
  expect(other.received()).toEqual([{ type: "pong", payload }]);
});

test("one that reads may ask for as much as it likes", async () => {
  const world = new MemoryWorld({ status: defineService({}) }, Math.random);
  onTestFinished(() => world.end());
  const client = world.openSession();
  const payload = "x".repeat(60_000);
  for (let sent = 0; sent < 100; sent++) {
    client.transport.isReading = sent % 10 === 0;
    client.transport.send(JSON.stringify(["ping", payload]));
    if (sent % 10 === 0) client.transport.read();
  }
  client.transport.read();
  expect(client.transport.closed).toBeUndefined();
  expect(client.received()).toHaveLength(100);
});
