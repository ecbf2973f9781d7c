import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve } from "../serve.ts";

const maxPayloadBytes = 1000;
const creditBytes = 1000;

/** A message that takes so many bytes on the wire. */
function message(n: number, bytes: number) {
  const empty = `["send",1,${n},""]`.length;
  return { type: "send", channel: 1, n, payload: "x".repeat(bytes - empty) } as const;
}

/** Each message waits for the first gate, each info for the second. */
async function startBusy(maxMailboxMessages: number) {
  const gate = Promise.withResolvers<void>();
  const infoGate = Promise.withResolvers<void>();
  const closed: string[] = [];
  const service = defineService({
    limits: { maxMailboxMessages, creditBytes },
    handleIncoming: () => gate.promise,
    handleInfo: () => infoGate.promise,
    handleClose: (_client, { type }) => void closed.push(type),
  });
  const served = await serve(service, { limits: { maxPayloadBytes } });
  const client = await EnvelopeClient.open(served.server.url);
  return { served, client, gate, infoGate, closed, info: await client.join(1, "status") };
}

test("a client may have sent its credit and one message of the largest size, to the byte", async () => {
  const { client, info } = await startBusy(100);
  expect(info.credit).toBe(creditBytes + maxPayloadBytes);
  client.send(message(1, 1000), message(2, 1000));
  expect(await client.settled()).toEqual([]);
  client.send(message(3, 20));
  expect(await client.take(1)).toEqual(["closed 1008 end"]);
});

test("what is no message needs no credit: pings, acknowledgements, cancels, new tokens and leaves", async () => {
  const { client, gate, closed } = await startBusy(100);
  client.send(message(1, 1000), message(2, 1000));
  client.send(
    { type: "ack", channel: 1, count: 0 },
    { type: "cancel", channel: 1, n: 2 },
    { type: "auth", channel: 1, payload: "x".repeat(500) },
  );
  await client.next("authed");
  client.send({ type: "leave", channel: 1 });
  expect(await client.settled()).toEqual([]);
  gate.resolve();
  while (closed.length === 0) await settle();
  expect(closed).toEqual(["closed"]);
});

// Credit was given with what is done, if the mailbox had room then, or when one that was full had room again.
// A client whose last message was done while the mailbox was more than half full, but never full, got
// none: it could not send any more, for good.
test.each([
  ["that was never full", 8],
  ["that was full", 9],
])(
  "a mailbox %s gives credit when it is half empty, not before, to those whose messages were done meanwhile",
  async (_what, infos) => {
    const { served, client, gate, infoGate } = await startBusy(10);
    client.send(message(1, 1000), message(2, 500));
    await client.settled();
    for (let count = 0; count < infos; count++) served.server.info("status", count);
    gate.resolve();
    expect(await client.take(1)).toEqual(["done 2"]);
    expect(await client.settled()).toEqual([]);
    infoGate.resolve();
    expect(await client.next("credit")).toMatchObject({ bytes: 1500 + 2000 });
    client.send(message(3, 1000), message(4, 1000));
    expect((await client.take(2)).at(-1)).toBe("credit");
    expect(client.socket.isOpen).toBe(true);
  },
);

test("when all is done, there is credit for a message of the largest size, to the byte", async () => {
  const { client, gate } = await startBusy(100);
  gate.resolve();
  client.send(message(1, 1000));
  expect(await client.take(1)).toEqual(["done 1"]);
  expect(await client.settled()).toEqual([]);
  client.send(message(2, 20));
  expect(await client.take(1)).toEqual(["done 2"]);
  expect(await client.next("credit")).toMatchObject({ bytes: 1020 + 2000 });
});

test("on a new socket credit begins anew", async () => {
  const { served, client, info } = await startBusy(100);
  client.send(message(1, 1000), message(2, 500));
  await client.settled();
  client.socket.cut();
  await settle();
  const { token, epoch } = info;
  const back = await EnvelopeClient.open(served.server.url);
  const again = await back.join(1, "status", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(again).toMatchObject({ answer: "resumed", credit: 2000 });
  back.send(message(3, 1000), message(4, 1000));
  expect(await back.settled()).toEqual([]);
  back.send(message(5, 20));
  expect(await back.take(1)).toEqual(["closed 1008 end"]);
});
