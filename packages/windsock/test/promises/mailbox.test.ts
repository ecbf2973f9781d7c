import { expect, onTestFinished, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { PortRig } from "../port-rig.ts";
import { serve } from "../serve.ts";

// An edge that had been told of a full mailbox forgot it with its last client, and was not told again: who came before
// the mailbox was half empty was read without a bound, since what is on its way to a mailbox always enters.
test("who comes to a mailbox that was full is held back with the others until it is half empty", async () => {
  const handled: string[] = [];
  const gates: (() => void)[] = [];
  const service = defineService({
    limits: { maxMailboxMessages: 4 },
    handleInfo: () => new Promise<void>((resolve) => gates.push(resolve)),
    handleIncoming: (_client, message) => void handled.push(message as string),
  });
  const rig = new PortRig({ status: service });
  onTestFinished(() => rig.end());
  const open = async (): Promise<void> => {
    gates.shift()?.();
    await rig.idle();
  };
  const first = await rig.open();
  await rig.idle();
  for (let count = 0; count < 5; count++) {
    rig.host.info("status", count);
    await rig.idle();
  }
  first.transport.send("held");
  expect(first.transport.isPaused).toBe(true);
  first.transport.leave();
  await open();
  await open();
  // Three stand in it: there is room for a join, but it is more than half full.
  const second = await rig.open();
  const texts = Array.from({ length: 20 }, (_, index) => String(index));
  for (const text of texts) second.transport.send(text);
  await rig.idle();
  expect(second.transport.isPaused).toBe(true);
  expect(rig.host.services()[0]?.mailboxMessages).toBeLessThanOrEqual(5);
  while (gates.length > 0) await open();
  expect(handled).toEqual(texts);
  expect(second.transport.isPaused).toBe(false);
});

test("a message that waits in the mailbox is handled once, though its client is cut and sends it again", async () => {
  const handled: unknown[] = [];
  const gate = Promise.withResolvers<void>();
  const service = defineService({
    async handleIncoming(_client, message) {
      await gate.promise;
      handled.push(message);
    },
  });
  const served = await serve(service);
  const first = await EnvelopeClient.open(served.server.url);
  const { token, epoch } = await first.join(1, "status");
  const said = ["a", "b", "c"].map(
    (payload, index) => ({ type: "send", channel: 1, n: index + 1, payload }) as const,
  );
  first.send(...said.slice(0, 2));
  await first.settled();
  first.socket.cut();
  await settle();
  const second = await EnvelopeClient.open(served.server.url);
  const resume = { token, epoch, seq: 0, count: 0 };
  expect(await second.join(1, "status", { resume })).toMatchObject({ answer: "resumed", done: 0 });
  second.send(...said);
  await second.settled();
  gate.resolve();
  const receipts: string[] = [];
  while (receipts.at(-1) !== "done 3") receipts.push(...(await second.take(1)));
  expect(handled).toEqual(["a", "b", "c"]);
});
