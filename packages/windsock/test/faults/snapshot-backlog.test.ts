import { expect, onTestFinished, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";
import { MemoryWorld } from "./memory-world.ts";

// A cut came into a backlog, and when the client was back the log reached neither back to there
// nor to its position. It was to get a snapshot, which stands for all topics; but first the rest of
// the backlog was read, as far as it was kept. So entries came with a hole among them.
test("a snapshot stands for a backlog that a cut came into: nothing of it comes before", async () => {
  const dropped = Promise.withResolvers<void>();
  const service = defineService({
    history: { messages: 3 },
    handleJoin: (client) => client.subscribe("b", { from: 1 }),
    handleDrop: () => dropped.resolve(),
    handleBroadcast: (message: unknown, _state, context) => context.publish("b", message as string),
    snapshot: () => "all",
  });
  const { server } = await serve(service);
  server.broadcast("status", "1");
  server.broadcast("status", "2");
  await settle();
  const first = await EnvelopeClient.open(server.url);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await dropped.promise;
  for (const text of ["3", "4", "5", "6"]) server.broadcast("status", text);
  await settle();
  const second = await EnvelopeClient.open(server.url);
  // It has had entry 1 of the backlog, which ends at 2.
  const resume = { token, epoch, seq: 2, count: 0, tails: { b: 1 } };
  expect(await second.join(1, "status", { resume })).toMatchObject({ answer: "snapshot" });
  expect(await second.take(2)).toEqual(["log b 1", 'snapshot 6 "all"']);
  server.broadcast("status", "7");
  expect(await second.take(1)).toEqual(['pub 7 "7"']);
});

// `joined` said the position of the snapshot that was to follow. A client that was cut between the
// two came back with that position, was answered `resumed`, and had a hole that nobody told of.
test("a client that is cut before its snapshot has come stands where it stood", async () => {
  const drops: string[] = [];
  const service = defineService({
    history: { messages: 3 },
    handleJoin: (client) => client.subscribe("b", { from: 1 }),
    handleDrop: ({ id }) => void drops.push(id),
    handleBroadcast: (message: unknown, _state, context) => context.publish(message as string),
    snapshot: () => "all",
  });
  const { server } = await serve(service);
  let client = await EnvelopeClient.open(server.url);
  let { token, epoch } = await client.join(1, "status");
  for (const text of ["1", "2", "3", "4", "5"]) server.broadcast("status", text);
  await settle();
  for (let lost = 1; lost <= 2; lost++) {
    client.socket.cut();
    while (drops.length < lost) await settle();
    client = await EnvelopeClient.open(server.url);
    const resume = { token, epoch, seq: 1, count: 0, tails: { b: 0 } };
    const info = await client.join(1, "status", { resume });
    expect(info).toMatchObject({ answer: "snapshot", seq: 1 });
    ({ token, epoch } = info);
  }
  expect(await client.take(2)).toEqual(["log b 0", 'snapshot 5 "all"']);
});

// A client that reads slowly was in the middle of a backlog when the log passed it. What it was
// to be told (a snapshot, or to join anew) waited behind the rest of the backlog, which could
// never come: the client heard nothing more, and the edge asked for the same part for ever.
test.each([
  ["a snapshot", () => "all", "snapshot"],
  ["the end of its channel", undefined, "closed"],
])("a backlog that the log passes ends with %s", async (_what, snapshot, kind) => {
  const world = new MemoryWorld(
    {
      status: defineService({
        history: { messages: 6 },
        handleBroadcast: (message: unknown, _state, context) =>
          context.publish("b", (message as string).padEnd(50_000)),
        handleIncoming: (client) => client.subscribe("b", { from: 1 }),
        ...(snapshot === undefined ? {} : { snapshot }),
      }),
    },
    Math.random,
  );
  onTestFinished(() => world.end());
  for (let index = 1; index <= 6; index++) world.host.broadcast("status", `${index}`);
  const client = world.openSession();
  await client.send({ type: "join", channel: 1, path: "status", options: {} });
  client.transport.isReading = false;
  await client.send({ type: "send", channel: 1, n: 1, payload: null });
  for (let index = 7; index <= 20; index++) world.host.broadcast("status", `${index}`);
  await settle();
  client.transport.read();
  await settle();
  await settle();
  world.host.broadcast("status", "21");
  await settle();
  const kinds: string[] = client.received().map(({ type }) => type);
  expect(kinds).toContain(kind);
  expect(world.edge.counts().questions).toBe(0);
  const after = client.received().slice(kinds.indexOf(kind) + 1);
  expect(after.map((one) => (one.type === "pub" ? one.seq : one.type))).toEqual(
    snapshot === undefined ? [] : ["done", 21],
  );
});
