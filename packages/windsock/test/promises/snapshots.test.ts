import { expect, test } from "vitest";
import { defineService, type Client } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import type { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";
import { comeBack, joined } from "./members.ts";

/** Keeps two messages, and adds up all there were. `gate`: what a message "wait" waits for. */
function adder() {
  const asked: (Client | undefined)[] = [];
  const gate = Promise.withResolvers<void>();
  const shared = defineService({
    history: { messages: 2 },
    init: () => 0,
    snapshot(total) {
      asked.push(undefined);
      return { total };
    },
    handleIncoming: () => {
      throw new Error("as asked");
    },
    async handleBroadcast(more: number, total, service) {
      if (more === 0) await gate.promise;
      service.publish(more);
      return total + more;
    },
  });
  return { shared, asked, gate };
}

test("all that wait for a snapshot at once share one, and each goes on behind it", async () => {
  const { shared, asked, gate } = adder();
  const served = await serve(shared);
  const before = [await joined(served), await joined(served), await joined(served)];
  for (const [client] of before) client.socket.cut();
  await settle();
  for (const more of [1, 2, 3, 0]) served.server.broadcast("status", more);
  await settle();
  const back: EnvelopeClient[] = [];
  // They are back while the service is busy: nobody has had a snapshot yet.
  for (const [, info] of before) {
    const [client, again] = await comeBack(served, info);
    expect(again.answer).toBe("snapshot");
    back.push(client);
  }
  gate.resolve();
  served.server.broadcast("status", 4);
  for (const client of back)
    expect(await client.take(2)).toEqual(['snapshot 4 {"total":6}', "pub 5 4"]);
  expect(asked).toHaveLength(1);
  // Whoever comes later has one of his own.
  back[0]?.socket.cut();
  await settle();
  for (const more of [5, 6, 7]) served.server.broadcast("status", more);
  const [, info] = before[0] ?? [];
  if (info === undefined) throw new Error("nobody");
  const [late, again] = await comeBack(served, info);
  expect(again.answer).toBe("snapshot");
  expect(await late.take(1)).toEqual(['snapshot 8 {"total":28}']);
  expect(asked).toHaveLength(2);
});

test("after a crash all members share one snapshot; one that asks for the client is made for each", async () => {
  const { shared, asked } = adder();
  const each = defineService({
    snapshot: (_state, client) => ({ for: client.id }),
    handleIncoming: () => {
      throw new Error("as asked");
    },
  });
  const served = await serve({ status: shared, each });
  const clients = [await joined(served), await joined(served)].map(([client]) => client);
  const ids: string[] = [];
  for (const client of clients) ids.push((await client.join(2, "each")).id);
  clients[0]?.send({ type: "send", channel: 1, n: 1, payload: null });
  for (const [index, client] of clients.entries())
    // The first is told what became of its message, too.
    expect(await client.take(index === 0 ? 4 : 2)).toEqual(
      expect.arrayContaining(["restarted 1", 'snapshot 1 {"total":0}']),
    );
  expect(asked).toHaveLength(1);
  clients[0]?.send({ type: "send", channel: 2, n: 1, payload: null });
  for (const [index, client] of clients.entries())
    expect(await client.take(index === 0 ? 4 : 2)).toContain(`snapshot 1 {"for":"${ids[index]}"}`);
});

test("a snapshot that does anything but read fails as a crash: what it did is dropped, and reported", async () => {
  let mischief: string | undefined = "publish";
  const service = defineService({
    history: { messages: 1 },
    snapshot(_state: undefined, client) {
      const what = mischief;
      mischief = undefined;
      if (what === "publish") client.send("from a snapshot");
      return "all";
    },
  });
  const served = await serve(service);
  const [first, info] = await joined(served);
  first.socket.cut();
  await settle();
  for (const text of ["a", "b", "c"]) served.server.broadcast("status", text);
  const [back] = await comeBack(served, info);
  // As after any crash, who is there gets the state of the next incarnation.
  expect(await back.take(1)).toEqual(['snapshot 4 "all"']);
  expect(await back.settled()).toEqual([]);
  expect(served.reports).toMatchObject([{ type: "crash", callback: "snapshot" }]);
  expect(String(served.reports[0]?.type === "crash" && served.reports[0].error)).toContain(
    "Expected snapshot only to read the state",
  );
});

test("a snapshot stands for log entries alone: where private messages are gone too, it is a new join", async () => {
  const service = defineService({
    limits: { maxPrivateBytes: 100 },
    history: { messages: 1 },
    snapshot: () => "all",
    handleIncoming: (client) => client.send("x".repeat(101)),
  });
  const served = await serve(service);
  const [first, info] = await joined(served);
  first.send({ type: "send", channel: 1, n: 1, payload: null });
  await first.take(2);
  first.socket.cut();
  await settle();
  for (const text of ["a", "b"]) served.server.broadcast("status", text);
  const [, again] = await comeBack(served, info);
  expect(again).toMatchObject({ answer: "rejoin", seq: 2 });
  expect(again.id).not.toBe(info.id);
});

test("private messages that were missed come ahead of the snapshot, and what is published while it is made behind it", async () => {
  const gate = Promise.withResolvers<void>();
  const service = defineService({
    history: { messages: 1 },
    init: () => "",
    snapshot: async (state) => {
      await gate.promise;
      return state;
    },
    handleIncoming(client, _message, state) {
      client.send("missed");
      return `${state} incoming`;
    },
    handleBroadcast(message: string, state, self) {
      self.publish(message);
      return `${state} ${message}`;
    },
  });
  const served = await serve(service);
  const [first, info] = await joined(served);
  first.send({ type: "send", channel: 1, n: 1, payload: null });
  await first.take(2);
  first.socket.cut();
  await settle();
  for (const text of ["a", "b", "c"]) served.server.broadcast("status", text);
  const [back, again] = await comeBack(served, info);
  expect(again.answer).toBe("snapshot");
  served.server.broadcast("status", "d");
  await settle();
  gate.resolve();
  expect(await back.take(4)).toEqual([
    'msg "missed"',
    "done 1",
    'snapshot 3 " incoming a b c"',
    'pub 4 "d"',
  ]);
});

test("a snapshot that was asked for when the service went down is owed to nobody who comes later", async () => {
  const gate = Promise.withResolvers<void>();
  let isBroken = false;
  const service = defineService({
    limits: { maxRestarts: 1 },
    history: { messages: 1 },
    init() {
      if (isBroken) throw new Error("as asked");
    },
    snapshot: () => "all",
    async handleBroadcast(message: string, _state, self) {
      if (message === "wait") await gate.promise;
      self.publish(message);
    },
  });
  const served = await serve(service);
  const say = (...texts: string[]) =>
    texts.forEach((text) => served.server.broadcast("status", text));
  const [first, info] = await joined(served);
  first.socket.cut();
  await settle();
  say("a", "b", "wait");
  await settle();
  const [waiting, again] = await comeBack(served, info);
  expect(again.answer).toBe("snapshot");
  isBroken = true;
  gate.reject(new Error("as asked"));
  expect(await waiting.take(1)).toEqual(["closed 1011 retry"]);
  isBroken = false;
  await served.clock.advance(1000);
  const [second, later] = await joined(served);
  second.socket.cut();
  await settle();
  say("c", "d");
  expect(await (await comeBack(served, later))[0].take(1)).toEqual(['snapshot 6 "all"']);
});
