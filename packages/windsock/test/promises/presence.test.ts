import { expect, test } from "vitest";
import { defineService, reply } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { serve, type Served } from "../serve.ts";

/** Says in the log who comes and goes, beside what presence says. */
function lounge(lingerMs: number, dropped: string[] = []) {
  return defineService({
    presence: { lingerMs },
    limits: { graceMs: 5000 },
    authorize: ({ auth }) => ({ id: String(auth) }),
    calls: { who: {} },
    handleJoin: (client, _state, service) => service.publish(`${client.user.id} is here`),
    handleClose: (client, _reason, _state, service) => service.publish(`${client.user.id} is gone`),
    handleDrop: (client) => void dropped.push(client.user.id),
    handleCall: { who: (_client, _request, _state, service) => reply(service.presence() as never) },
  });
}

async function join(served: Served, auth: string): Promise<EnvelopeClient> {
  const client = await EnvelopeClient.open(served.server.url);
  await client.join(1, "status", { auth });
  return client;
}

/** What comes, in its order: `+ann -bob` of presence, `=` before everybody, else the text that was published. */
async function hear(client: EnvelopeClient, count: number): Promise<string[]> {
  const heard: string[] = [];
  while (heard.length < count) {
    const one = await client.any();
    if (one.type === "pub") heard.push(one.payload as string);
    else if (one.type === "presence") {
      const { join: came, leave: went, all } = one.changes;
      const words = [...came.map(({ id }) => `+${id}`), ...went.map((id) => `-${id}`)];
      heard.push(`${all === true ? "=" : ""}${words.join(" ")}`);
    } else throw new Error(`Expected presence or an entry, got ${one.type}.`);
  }
  return heard;
}

test("presence is in one order with what is published: behind what a join says, and what comes later behind it", async () => {
  const served = await serve(lounge(0));
  const ann = await join(served, "ann");
  expect(await hear(ann, 2)).toEqual(["ann is here", "=+ann"]);
  const bob = await join(served, "bob");
  expect(await hear(bob, 2)).toEqual(["bob is here", "=+ann +bob"]);
  bob.send({ type: "leave", channel: 1 });
  await bob.settled();
  await settle();
  served.server.broadcast("status", "later");
  // Nobody who has left is there when something later is said.
  const heard = await hear(ann, 5);
  expect(heard.slice(0, 2)).toEqual(["bob is here", "+bob"]);
  expect(heard.slice(2).toSorted()).toEqual(["-bob", "bob is gone", "later"]);
  expect(heard.at(-1)).toBe("later");
});

test.each([
  ["is back within the linger is never told to have left, however long it stays", 1999, false],
  ["comes back when it is over has left and come", 2000, true],
])("somebody who %s", async (_what, awayMs, isTold) => {
  const served = await serve(lounge(2000));
  const ann = await join(served, "ann");
  await hear(ann, 2);
  const bob = await join(served, "bob");
  await hear(ann, 2);
  bob.send({ type: "leave", channel: 1 });
  await bob.settled();
  expect(await hear(ann, 1)).toEqual(["bob is gone"]);
  await served.clock.advance(awayMs);
  await join(served, "bob");
  expect(await hear(ann, isTold ? 3 : 1)).toEqual(
    isTold ? ["-bob", "bob is here", "+bob"] : ["bob is here"],
  );
  await served.clock.advance(10_000);
  ann.send({ type: "call", channel: 1, n: 1, name: "who", timeoutMs: 1000, payload: null });
  expect(await ann.take(2)).toEqual(['reply 1 [{"id":"ann"},{"id":"bob"}]', "done 1"]);
});

test("one whose connection broke is there until its grace is over, and the linger after it", async () => {
  const dropped: string[] = [];
  const served = await serve(lounge(1000, dropped));
  const ann = await join(served, "ann");
  await hear(ann, 2);
  const bob = await join(served, "bob");
  await hear(ann, 2);
  bob.socket.cut();
  while (dropped.length === 0) await settle();
  await served.clock.advance(4999);
  expect(await ann.settled()).toEqual([]);
  await served.clock.advance(1);
  expect(await hear(ann, 1)).toEqual(["bob is gone"]);
  await served.clock.advance(999);
  expect(await ann.settled()).toEqual([]);
  await served.clock.advance(1);
  expect(await hear(ann, 1)).toEqual(["-bob"]);
});
