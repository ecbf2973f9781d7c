import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { defineService } from "../../src/index.ts";
import { FaultProxy, settle, type Direction } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve, type Served } from "../serve.ts";
import { TestClient, type Seen, type TestChannel } from "./test-client.ts";

/** Publishes what it is sent, unless that is to crash it. */
const echoing = (limits: { messages?: number; hasSnapshot?: boolean } = {}) =>
  defineService({
    history: { messages: limits.messages ?? 1000, bytes: 100_000_000 },
    init: () => 0,
    handleIncoming(_client, message: unknown, count, service) {
      if (message === "crash") throw new Error("as asked");
      service.publish(message as string);
      return count + 1;
    },
    ...(limits.hasSnapshot === true ? { snapshot: (count: number) => ({ count }) } : {}),
  });

async function proxied({ server }: Served): Promise<FaultProxy> {
  const proxy = await FaultProxy.open(Number(new URL(server.url).port));
  onTestFinished(() => proxy.close());
  return proxy;
}

function connect(url: string, speed = 50): TestChannel {
  const client = new TestClient({ random: () => 0.1, speed });
  onTestFinished(() => client.close());
  return client.connect("status", url);
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 45_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`Expected that ${what}, in 45 s.`);
    await sleep(5);
  }
}

const seqs = (seen: readonly Seen[]): number[] =>
  seen.flatMap((one) => (one.type === "published" || one.type === "restarted" ? one.seq : []));
const numbers = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test("a half-open peer is pinged and dropped, and after its grace nothing of it is left", async () => {
  const ends: string[] = [];
  const served = await serve(
    defineService({
      handleDrop: () => void ends.push("drop"),
      handleClose: (_client, { type }) => void ends.push(type),
    }),
  );
  const proxy = await proxied(served);
  const client = await EnvelopeClient.open(proxy.url);
  await client.join(1, "status");
  proxy.set("up", { isFrozen: true });
  await served.clock.advance(44_000);
  expect(ends).toEqual([]);
  await served.clock.advance(3000);
  expect(ends).toEqual(["drop"]);
  await served.clock.advance(60_000);
  expect(ends).toEqual(["drop", "lost"]);
  expect(served.server.services()[0]?.clients).toBe(0);
});

test.each<Direction>(["up", "down"])(
  "a line that is dead one way (%s) is noticed by the client, which comes back whole",
  async (direction) => {
    const served = await serve(echoing());
    const proxy = await proxied(served);
    const { channel, seen } = connect(proxy.url);
    await until(() => channel.state.type === "open", "it has joined");
    proxy.set(direction, { isFrozen: true });
    const sent = channel.send("while it is dead");
    for (let index = 0; index < 20; index++) served.server.broadcast("status", `${index}`);
    await until(() => channel.state.type === "resuming", "it has noticed");
    proxy.set(direction, {});
    await sent;
    await until(() => seqs(seen).length === 21, "it has everything");
    expect(seqs(seen)).toEqual(numbers(21));
    expect(seen.filter(({ type }) => type === "rejoined")).toEqual([]);
  },
);

test.each([
  ["gets a snapshot", true],
  ["is told to join anew", false],
])("a client that takes a byte a second disturbs nobody, and %s", async (_what, hasSnapshot) => {
  const served = await serve(echoing({ messages: 50, hasSnapshot }));
  const proxy = await proxied(served);
  const slow = connect(proxy.url, 1);
  const witness = connect(served.server.url, 1);
  await until(
    () => [slow, witness].every(({ channel }) => channel.state.type === "open"),
    "both have joined",
  );
  proxy.set("down", { bytesPerSecond: 1 });
  const text = "x".repeat(30_000);
  for (let index = 1; index <= 300; index++) {
    served.server.broadcast("status", text);
    // Where the slow one held it back, it would come after hours.
    await until(() => witness.seen.length === index, "the witness has it");
  }
  proxy.set("down", {});
  const kind = hasSnapshot ? "snapshot" : "rejoined";
  await until(() => slow.seen.some(({ type }) => type === kind), "it is told");
  served.server.broadcast("status", "last");
  await until(() => seqs(slow.seen).at(-1) === 301, "it is at the end");
  const told = slow.seen.findIndex(({ type }) => type === kind);
  // No hole before, none after.
  expect(seqs(slow.seen.slice(0, told))).toEqual(numbers(seqs(slow.seen.slice(0, told)).length));
  const after = seqs(slow.seen.slice(told));
  expect(after).toEqual(numbers(301).slice(301 - after.length));
  const snapshot = slow.seen[told];
  expect(snapshot?.type === "snapshot" ? snapshot.seq : after[0]! - 1).toBe(after[0]! - 1);
});

test.each([
  ["a snapshot", true],
  ["a new join", false],
])("where the log is too short for the gap, the client is told: %s", async (_what, hasSnapshot) => {
  const served = await serve(echoing({ messages: 5, hasSnapshot }));
  const proxy = await proxied(served);
  const { channel, seen } = connect(proxy.url);
  await channel.send("1");
  proxy.refuse(true);
  proxy.cut();
  await until(() => channel.state.type !== "open", "it has noticed");
  for (let index = 2; index <= 20; index++) served.server.broadcast("status", `${index}`);
  proxy.refuse(false);
  await until(() => channel.state.type === "open", "it is back");
  await channel.send("21");
  const kind = hasSnapshot ? "snapshot" : "rejoined";
  expect(seen.map((one) => ("seq" in one ? `${one.type} ${one.seq}` : one.type))).toEqual([
    "published 1",
    hasSnapshot ? `${kind} 20` : kind,
    "published 21",
  ]);
});

test("a crash in the stream drops its own message only: each client has the rest, and the restart", async () => {
  const served = await serve(echoing());
  const [one, two] = [connect(served.server.url), connect(served.server.url)];
  const sends = numbers(20).map((index) => one.channel.send(`a${index}`));
  const crash = one.channel.send("crash");
  const later = numbers(20).map((index) => one.channel.send(`b${index}`));
  await expect(crash).rejects.toMatchObject({ code: "WINDSOCK_CRASHED" });
  await Promise.all([...sends, ...later]);
  for (const { seen } of [one, two]) {
    await until(() => seqs(seen).at(-1) === 41, "it has everything");
    const due = [...numbers(20).map((index) => `a${index}`), "restarted"].concat(
      numbers(20).map((index) => `b${index}`),
    );
    const got = seen.map((each) => (each.type === "published" ? each.message : each.type));
    // The second one may have joined later.
    expect(got).toEqual(due.slice(due.length - got.length));
  }
  expect(seqs(one.seen)).toEqual(numbers(41));
});

test.each([
  ["forward", 3_600_000],
  ["back", -3_600_000],
])("a wall clock that jumps an hour %s changes nothing", async (_what, jumpMs) => {
  const served = await serve(echoing());
  const proxy = await proxied(served);
  const { channel, seen } = connect(proxy.url);
  await channel.send("before");
  const realNow = Date.now.bind(Date);
  const spy = vi.spyOn(Date, "now").mockImplementation(() => realNow() + jumpMs);
  onTestFinished(() => spy.mockRestore());
  await channel.send("after");
  await served.clock.advance(10_000);
  expect(channel.state.type).toBe("open");
  proxy.cut();
  served.server.broadcast("status", "while away");
  await until(() => seqs(seen).length === 3, "it has everything");
  expect(seqs(seen)).toEqual([1, 2, 3]);
  expect(seen.filter(({ type }) => type === "rejoined" || type === "error")).toEqual([]);
  await settle();
});
