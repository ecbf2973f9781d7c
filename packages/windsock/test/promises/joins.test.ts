import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import type { ClientEnvelope } from "../../src/protocol/v1/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";

// What came while `authorize` was asked was dropped without a word, so the numbers had a hole later;
// what came while the join waited was handled behind it. The protocol allows neither.
const early: readonly [string, ClientEnvelope][] = [
  ["message", { type: "send", channel: 1, n: 1, payload: "early" }],
  ["call", { type: "call", channel: 1, n: 1, name: "ask", timeoutMs: 1000, payload: null }],
  ["cancel", { type: "cancel", channel: 1, n: 1 }],
  ["acknowledgement", { type: "ack", channel: 1, count: 0 }],
  ["new token", { type: "auth", channel: 1, payload: "token" }],
];

test.each(early)(
  "a %s before the `joined` of its channel is a protocol error, while `authorize` is asked and while the join waits",
  async (_name, envelope) => {
    const said: unknown[] = [];
    const asked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const services = {
      asking: defineService({ authorize: () => asked.promise }),
      busy: defineService({ handleJoin: () => free.promise, handleInfo: () => free.promise }),
      counting: defineService({ handleIncoming: (_client, message) => void said.push(message) }),
    };
    const served = await serve(services);
    served.server.info("busy", "wait");
    for (const path of ["asking", "busy"]) {
      const client = await EnvelopeClient.open(served.server.url);
      client.send({ type: "join", channel: 1, path, options: {} }, envelope);
      expect(await client.socket.closed).toEqual({
        code: 1002,
        reason: expect.stringContaining("before its `joined`"),
      });
    }
    asked.resolve();
    free.resolve();
    expect(said).toEqual([]);
  },
);

test("a client may leave before its `joined`: nobody hears of it", async () => {
  const events: string[] = [];
  const free = Promise.withResolvers<void>();
  const busy = defineService({
    handleInfo: () => free.promise,
    handleJoin: () => void events.push("join"),
    handleClose: () => void events.push("close"),
  });
  const served = await serve({ busy });
  served.server.info("busy", "wait");
  const client = await EnvelopeClient.open(served.server.url);
  client.send(
    { type: "join", channel: 1, path: "busy", options: {} },
    { type: "leave", channel: 1 },
  );
  expect(await client.settled()).toEqual([]);
  free.resolve();
  await client.join(2, "busy");
  expect(events).toEqual(["join"]);
});
