import { expect, test } from "vitest";
import { defineService, stop } from "../../src/index.ts";
import { settle } from "../../src/testing/index.ts";
import { EnvelopeClient } from "../envelope-client.ts";
import { PortRig, roughLink } from "../port-rig.ts";
import { serve } from "../serve.ts";

// A join that was refused while the edge was closing was dropped without a look at who is left: the
// close waited for ever where that was the last one.
test("an edge that closes while a join is on its way is empty when that is refused", async () => {
  const rig = new PortRig({ status: defineService({}) }, { link: () => roughLink(() => 0.5) });
  const refused = rig.join("m", "nobody");
  let isClosed = false;
  void rig.edge.close(1012, "stopping").then(() => (isClosed = true));
  await rig.idle();
  expect(await refused).toMatchObject({ type: "refused", status: 404 });
  await rig.idle();
  expect(isClosed).toBe(true);
  await rig.end();
});

test("handleClose runs once, whatever ends a client that is away: its service, twice, and its grace", async () => {
  const events: string[] = [];
  const service = defineService({
    limits: { graceMs: 5000 },
    handleDrop: () => void events.push("drop"),
    handleClose: (_client, reason) => void events.push(`close ${reason.type}`),
    handleBroadcast(_message: string, _state, self) {
      for (const client of self.clients()) {
        client.close(4000, "once");
        client.close(4000, "and again");
      }
    },
  });
  const served = await serve(service);
  const client = await EnvelopeClient.open(served.server.url);
  const { token, epoch } = await client.join(1, "status");
  client.socket.cut();
  while (events.length === 0) await settle();
  served.server.broadcast("status", "go");
  served.server.broadcast("status", "go");
  await served.clock.advance(60_000);
  expect(events).toEqual(["drop", "close closed"]);
  const back = await EnvelopeClient.open(served.server.url);
  const resume = { token, epoch, seq: 0, count: 0 };
  expect((await back.join(1, "status", { resume })).answer).toBe("rejoin");
  expect(events).toEqual(["drop", "close closed"]);
});

test.each(["restart", "keep"] as const)(
  "a client whose messages crash the service three times in a minute is told not to come back, with onCrash %s",
  async (onCrash) => {
    const service = defineService({
      onCrash,
      handleIncoming: () => {
        throw new Error("as asked");
      },
    });
    const served = await serve(service);
    const client = await EnvelopeClient.open(served.server.url);
    await client.join(1, "status");
    for (let n = 1; n <= 3; n++) client.send({ type: "send", channel: 1, n, payload: n });
    const seen: string[] = [];
    while (!seen.some((one) => one.startsWith("closed"))) seen.push(...(await client.take(1)));
    expect(seen.filter((one) => one.startsWith("error"))).toEqual([
      "error 1 crashed",
      "error 2 crashed",
      "error 3 crashed",
    ]);
    expect(seen.at(-1)).toBe("closed 1008 end");
  },
);

test("somebody who is away keeps the actor of a key: its grace counts, and then its idle time", async () => {
  let drops = 0;
  const room = defineService({
    params: ["id"],
    handleDrop: () => void drops++,
    limits: { graceMs: 5000, idleTimeoutMs: 1000 },
  });
  const served = await serve({ "room/[id]": room });
  const client = await EnvelopeClient.open(served.server.url);
  const { token, epoch } = await client.join(1, "room/1");
  const rooms = () => served.server.services().map(({ address }) => address);
  const back = await EnvelopeClient.open(served.server.url);
  client.socket.cut();
  while (drops < 1) await settle();
  await served.clock.advance(4000);
  expect(rooms()).toEqual(["room/1"]);
  const resume = { token, epoch, seq: 0, count: 0 };
  expect((await back.join(1, "room/1", { resume })).answer).toBe("resumed");
  back.socket.cut();
  while (drops < 2) await settle();
  await served.clock.advance(5999);
  expect(rooms()).toEqual(["room/1"]);
  await served.clock.advance(1);
  expect(rooms()).toEqual([]);
});

// The acknowledgement was dropped with the channel, so the client was told that it is unknown whether
// the message was handled, and with `retry: true` sent it again, under a number of another membership.
test.each(["client.close", "stop"])(
  "a message whose turn ends with %s was handled: it is acknowledged before the close",
  async (how) => {
    const served = await serve(
      defineService({
        handleIncoming(client) {
          client.send("bye");
          if (how === "client.close") client.close(4000, "enough");
          return how === "stop" ? stop("enough") : undefined;
        },
      }),
    );
    const client = await EnvelopeClient.open(served.server.url);
    await client.join(1, "status");
    client.send({ type: "send", channel: 1, n: 1, payload: "go" });
    expect(await client.take(3)).toEqual([
      'msg "bye"',
      "done 1",
      expect.stringContaining("closed"),
    ]);
  },
);
