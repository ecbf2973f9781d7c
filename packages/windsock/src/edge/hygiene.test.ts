import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { openMany } from "../../test/port-rig.ts";
import { defineService } from "../index.ts";

test("1,000 clients that came and went leave nothing behind, whatever they were doing", async () => {
  const lines = Array.from({ length: 100 }, (_, index) => String(index).padEnd(1000, "."));
  const rig = startRig(
    defineService({
      history: { messages: 20 },
      init: (service) =>
        service.log("log", {
          head: () => lines.length,
          read: (from) => ({
            messages: lines.slice(from, from + 10),
            next: Math.min(100, from + 10),
          }),
        }),
      handleJoin(client, _state, service) {
        client.subscribe("news", { from: 0 });
        client.subscribe("log", { from: 0 });
        service.publish("news", "x".repeat(100));
      },
      handleIncoming: (client) => client.send("x".repeat(100_000)),
    }),
    { limits: { maxMessagesPerSecond: 2 } },
  );
  for (let round = 0; round < 4; round++) {
    const opened = await openMany(rig, 250);
    for (const [index, { transport }] of opened.entries()) {
      if (index % 2 === 0) transport.isReading = false;
      // Held back by its rate, with more queued than its socket takes.
      if (index % 3 === 0) for (let count = 0; count < 4; count++) transport.send("x");
    }
    await rig.idle();
    for (const [index, { mid, transport }] of opened.entries()) {
      if (index % 4 === 0) transport.leave();
      else if (index % 4 === 1) transport.leave(1000, "bye");
      else rig.edge.abandon(mid);
    }
    await rig.idle();
  }
  await rig.clock.advance(30_000);
  expect(rig.edge.counts()).toEqual({ members: 0, feeds: 0, appLogs: 0, questions: 0 });
  // The sweeps of edge and host, and nothing else.
  expect(rig.clock.pending).toBe(2);
});
