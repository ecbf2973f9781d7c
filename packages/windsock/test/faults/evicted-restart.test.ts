import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";

// The log remembered for each topic which messages went, but not that a restart did. A client that
// was away over a crash and the end of its entry was answered `resumed`: it went on applying
// changes to a state that had begun anew, and was never told.
test.each([
  ["kept: the client is told of it", 3, "resumed"],
  ["gone: the client joins anew", 4, "rejoin"],
])("a restart in the gap, and its entry is %s", async (_what, published, answer) => {
  const dropped = Promise.withResolvers<void>();
  const service = defineService({
    history: { messages: 4 },
    handleDrop: () => dropped.resolve(),
    handleBroadcast(message: unknown, _state, context) {
      if (message === "crash") throw new Error("as asked");
      context.publish(message as string);
    },
  });
  const { server } = await serve(service);
  const first = await EnvelopeClient.open(server.url);
  const { token, epoch } = await first.join(1, "status");
  first.socket.cut();
  await dropped.promise;
  server.broadcast("status", "crash");
  while (server.services()[0]?.seq !== 1) await settle();
  for (let index = 0; index < published; index++) server.broadcast("status", `${index}`);
  await settle();
  const second = await EnvelopeClient.open(server.url);
  const resume = { token, epoch, seq: 0, count: 0 };
  expect(await second.join(1, "status", { resume })).toMatchObject({ answer });
  const missed = answer === "resumed" ? ["restarted 1", 'pub 2 "0"'] : [];
  expect(await second.take(missed.length)).toEqual(missed);
});
