import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { serve } from "../serve.ts";

const publishToken = "0123456789abcdef";

test("what is published from outside waits for the running turn: a broadcast and a POST, without a handler too", async () => {
  const gate = Promise.withResolvers<void>();
  const service = defineService({
    async handleIncoming(_client, message, _state, self) {
      self.publish(`${message as string} begins`);
      await gate.promise;
      self.publish(`${message as string} ends`);
    },
  });
  const served = await serve(service, { publishToken });
  const client = await served.open();
  client.send("turn");
  await settle();
  client.send("next");
  await settle();
  served.server.broadcast("status", "broadcast");
  const posted = fetch(`${served.server.url}/websocket/status`, {
    method: "POST",
    body: "posted",
    headers: { authorization: `Bearer ${publishToken}` },
  });
  for (let round = 0; round < 1000 && mailbox(served) < 3; round++) await settle();
  expect(client.received).toEqual([]);
  gate.resolve();
  expect(await client.take(6)).toEqual([
    "turn begins",
    "turn ends",
    "next begins",
    "next ends",
    "broadcast",
    "posted",
  ]);
  expect(await (await posted).json()).toMatchObject({ seq: 6 });
});

function mailbox(served: Awaited<ReturnType<typeof serve>>): number {
  return served.server.services()[0]?.mailboxMessages ?? 0;
}
