import { expect, test } from "vitest";
import { defineService, reply } from "../../src/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { BrittleHistory, HostRig } from "../host-rig.ts";
import { serve } from "../serve.ts";

// An effect outside happens again when its message is handled again: only the other side can tell.
test("a message that is handled again, since the process died before its commit was stored, has the same id", async () => {
  const charged: (string | undefined)[] = [];
  const service = defineService({
    history: { durable: true },
    handleIncoming: (_client, _message, _state, { messageId }) => void charged.push(messageId),
  });
  const history = new BrittleHistory();
  const first = new HostRig({ status: service }, history);
  first.join("m", "status", { dialect: "v1" });
  await first.settle();
  const joined = first.outFor("m").find(({ type }) => type === "joined");
  const token = joined?.type === "joined" ? (joined.membership?.token ?? "") : "";
  const epoch = history.load("status")?.epoch ?? "";
  const payload = { kind: "json", bytes: Buffer.from('"charge"') } as const;
  const say = { type: "in", address: "status", n: 1, wireBytes: 50, payload } as const;
  history.failsToWrite = true;
  first.post({ ...say, mid: "m" });
  await first.settle();
  first.host.close();

  history.failsToWrite = false;
  const second = new HostRig({ status: service }, history);
  const resume = { token, epoch, seq: 0, count: 0, tails: {} };
  second.join("again", "status", { dialect: "v1", resume });
  await second.settle();
  second.post({ ...say, mid: "again" });
  second.post({ ...say, mid: "again", n: 2 });
  await second.settle();
  const [before, after, next, ...more] = charged;
  expect(more).toEqual([]);
  expect(before).toEqual(expect.any(String));
  expect(after).toBe(before);
  expect(next).not.toBe(before);
});

test("messages and calls of all clients have different ids; other callbacks and plain clients have none", async () => {
  const ids: (string | undefined)[] = [];
  const others: (string | undefined)[] = [];
  const service = defineService({
    calls: { ask: {} },
    init: ({ messageId }) => void others.push(messageId),
    handleJoin: (_client, _state, { messageId }) => void others.push(messageId),
    handleInfo: (_info, _state, { messageId }) => void others.push(messageId),
    async handleIncoming(client, _message, _state, self) {
      await Promise.resolve();
      (client.protocol === "" ? others : ids).push(self.messageId);
      client.send("heard");
    },
    handleCall: {
      ask(client, _request, _state, { messageId }) {
        (client === undefined ? others : ids).push(messageId);
        return reply();
      },
    },
  });
  const served = await serve(service);
  for (let count = 0; count < 2; count++) {
    const client = await EnvelopeClient.open(served.server.url);
    await client.join(1, "status");
    client.send(
      { type: "send", channel: 1, n: 1, payload: null },
      { type: "call", channel: 1, n: 2, name: "ask", timeoutMs: 1000, payload: null },
    );
    await client.take(3);
  }
  const plain = await served.open();
  plain.send("hello");
  await plain.next();
  served.server.info("status", "tick");
  await served.server.call("status", "ask");
  expect(new Set(ids).size).toBe(4);
  expect(ids).not.toContain(undefined);
  expect(others).toEqual(Array.from({ length: 7 }, () => undefined));
});
