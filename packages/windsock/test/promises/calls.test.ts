import { expect, test } from "vitest";
import { defineService, reply, type } from "../../src/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";

/** Answers with its number among the calls that were begun, when the gate is open. */
async function startBusy() {
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const service = defineService({
    calls: { count: { response: type<number>() } },
    handleCall: {
      async count() {
        begun += 1;
        const answer = begun;
        await gate.promise;
        return reply(answer);
      },
    },
  });
  const served = await serve(service);
  const client = await EnvelopeClient.open(served.server.url);
  await client.join(1, "status");
  const call = (n: number, timeoutMs = 1000): void =>
    client.send({ type: "call", channel: 1, n, name: "count", timeoutMs, payload: null });
  return { served, client, gate, call };
}

test("a call that is cancelled while it waits is not begun, and keeps its number; one that was begun is answered", async () => {
  const { client, gate, call } = await startBusy();
  call(1);
  await client.settled();
  for (const n of [2, 3]) call(n);
  client.send({ type: "cancel", channel: 1, n: 1 }, { type: "cancel", channel: 1, n: 2 });
  await client.settled();
  gate.resolve();
  expect(await client.take(4)).toEqual(["reply 1 1", "error 2 cancelled", "reply 3 2", "done 3"]);
});

test("a call whose time is over when its turn comes is not begun, and answered so", async () => {
  const { served, client, gate, call } = await startBusy();
  call(1);
  call(2, 50);
  call(3, 51);
  await client.settled();
  await served.clock.advance(50);
  gate.resolve();
  expect(await client.take(4)).toEqual(["reply 1 1", "error 2 timeout", "reply 3 2", "done 3"]);
});
