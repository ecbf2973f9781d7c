import { expect, test } from "vitest";
import { startRig } from "../../test/edge-rig.ts";
import { defineService, type Client, type CloseReason } from "../index.ts";

/** Publishes each broadcast under `news`; a client subscribes from the position that it sends. */
function newsService(history: { messages?: number; bytes?: number } = {}) {
  const reasons: CloseReason[] = [];
  const service = defineService({
    history,
    handleBroadcast: (message: string, _state, self) => self.publish("news", message),
    handleIncoming(client, from) {
      client.subscribe("news", { from: Number(from) });
      client.send("subscribed");
    },
    handleClose: (_client, reason) => void reasons.push(reason),
  });
  return { service, reasons };
}

test("a backlog from before what is kept begins at what is kept, and says nothing of it", async () => {
  const rig = startRig(newsService({ messages: 5 }).service);
  const { transport } = await rig.open();
  await rig.idle();
  for (let seq = 1; seq <= 10; seq++) rig.host.broadcast("status", `n${seq}`);
  await rig.idle();
  transport.send("0");
  await rig.idle();
  rig.host.broadcast("status", "n11");
  await rig.idle();
  expect(transport.received).toEqual(["n6", "n7", "n8", "n9", "n10", "subscribed", "n11"]);
});

test("a backlog from a position in the middle begins exactly there", async () => {
  const rig = startRig(newsService().service);
  const { transport } = await rig.open();
  await rig.idle();
  for (let seq = 1; seq <= 4; seq++) rig.host.broadcast("status", `n${seq}`);
  await rig.idle();
  transport.send("3");
  await rig.idle();
  expect(transport.received).toEqual(["n3", "n4", "subscribed"]);
});

test("a position beyond the head brings what comes from now on", async () => {
  const rig = startRig(newsService().service);
  const { transport } = await rig.open();
  await rig.idle();
  rig.host.broadcast("status", "before");
  await rig.idle();
  transport.send("100");
  await rig.idle();
  rig.host.broadcast("status", "after");
  await rig.idle();
  expect(transport.received).toEqual(["subscribed", "after"]);
});

test("the service's own log can be asked for from its beginning too", async () => {
  const rig = startRig(
    defineService({ handleJoin: (client) => client.subscribe("", { from: 0 }) }),
  );
  const first = await rig.open();
  await rig.idle();
  rig.host.broadcast("status", "one");
  await rig.idle();
  const second = await rig.open();
  await rig.idle();
  rig.host.broadcast("status", "two");
  await rig.idle();
  for (const { transport } of [first, second]) expect(transport.received).toEqual(["one", "two"]);
});

test("in one turn, what is published, sent and subscribed to arrives in the order of the calls", async () => {
  const rig = startRig(
    defineService({
      init: (): Client[] => [],
      handleIncoming(client, _message, _state, service) {
        service.publish("news", "old");
        client.send("first");
        client.subscribe("news", { from: 0 });
        service.publish("news", "new");
        client.send("second");
        client.unsubscribe("news");
        service.publish("news", "missed");
        service.publish("to all");
        client.send("third");
      },
    }),
  );
  const { transport } = await rig.open();
  await rig.idle();
  transport.send("go");
  await rig.idle();
  expect(transport.received).toEqual(["first", "old", "new", "second", "to all", "third"]);
});

test("a backlog whose rest is evicted while a slow client reads it ends with 1013, not with a hole", async () => {
  const { service, reasons } = newsService({ messages: 20 });
  const rig = startRig(service);
  const { transport } = await rig.open();
  await rig.idle();
  const publish = async (from: number, to: number): Promise<void> => {
    for (let seq = from; seq <= to; seq++)
      rig.host.broadcast("status", String(seq).padEnd(20_000, "."));
    await rig.idle();
  };
  await publish(1, 20);
  transport.isReading = false;
  transport.send("0");
  await rig.idle();
  await publish(21, 60);
  transport.read();
  await rig.idle();
  const got = transport.received.map((each) => Number.parseInt(String(each), 10));
  expect(got).toEqual(Array.from({ length: got.length }, (_, index) => index + 1));
  expect(transport.closed).toEqual({
    code: 1013,
    reason: "the log has moved past its position",
  });
  await rig.idle();
  expect(reasons).toEqual([{ type: "slow" }]);
});
