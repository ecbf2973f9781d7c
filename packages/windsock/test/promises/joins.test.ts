import { serialize } from "node:v8";
import { expect, test } from "vitest";
import { defineService, type UpgradeRequest } from "../../src/index.ts";
import type { ClientEnvelope } from "../../src/protocol/v1/index.ts";
import { settle } from "../../src/testing/index.ts";
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

test("authorize of each join gets the headers of the upgrade and the URL that the join names, query included", async () => {
  const seen: string[] = [];
  const see = ({ url, headers, cookies }: UpgradeRequest, name: string): void =>
    void seen.push(
      `${name} ${new URL(url).pathname}${new URL(url).search} ${headers.get("x-of-upgrade")} ${cookies.get("a")}`,
    );
  const served = await serve({
    one: defineService({ authorize: (request) => see(request, "one") }),
    "room/[id]": defineService({ params: ["id"], authorize: (request) => see(request, "room") }),
  });
  const headers = { "x-of-upgrade": "yes", cookie: "a=b" };
  const client = await EnvelopeClient.open(served.server.url, { headers });
  await client.join(1, "one?since=5");
  await client.join(2, "room/a%20b?x=%2F");
  expect(seen).toEqual([
    "one /websocket/one?since=5 yes b",
    "room /websocket/room/a%20b?x=%2F yes b",
  ]);
});

test("a key starts no actor for somebody whom `authorize` refuses, on a socket of either kind", async () => {
  const room = defineService({
    params: ["id"],
    authorize: ({ auth }) => (auth === "sesame" ? undefined : new Response("No.", { status: 403 })),
  });
  const served = await serve({ "room/[id]": room });
  const rooms = () => served.server.services().map(({ address }) => address);
  await expect(served.open("room/1")).rejects.toMatchObject({ status: 403 });
  const client = await EnvelopeClient.open(served.server.url);
  client.send({ type: "join", channel: 1, path: "room/1", options: { auth: "please" } });
  expect(await client.next("error")).toMatchObject({ code: "refused", detail: { status: 403 } });
  expect(rooms()).toEqual([]);
  await client.join(2, "room/1", { auth: "sesame" });
  expect(rooms()).toEqual(["room/1"]);
});

test("what a join's `authorize` says of the user may take maxUserBytes, and not one byte more", async () => {
  const service = defineService({
    authorize: ({ auth }) => "x".repeat(auth as number),
  });
  const served = await serve(service, { limits: { maxUserBytes: 100 } });
  const client = await EnvelopeClient.open(served.server.url);
  const most = 100 - serialize("x".repeat(50)).byteLength + 50;
  await client.join(1, "status", { auth: most });
  client.send({ type: "join", channel: 2, path: "status", options: { auth: most + 1 } });
  expect(await client.next("error")).toMatchObject({ code: "refused", detail: { status: 500 } });
  expect(served.reports).toMatchObject([{ type: "failure", where: "authorize of status" }]);
});

test("authorize runs again on a resume: who is refused then keeps what is left of the grace", async () => {
  const events: string[] = [];
  const service = defineService({
    limits: { graceMs: 5000 },
    authorize: ({ auth }) => (auth === "good" ? undefined : new Response("No.", { status: 401 })),
    handleDrop: () => void events.push("drop"),
    handleClose: (_client, { type }) => void events.push(`close ${type}`),
  });
  const served = await serve(service);
  const first = await EnvelopeClient.open(served.server.url);
  const { token, epoch, id } = await first.join(1, "status", { auth: "good" });
  first.socket.cut();
  while (events.length === 0) await settle();
  const resume = { token, epoch, seq: 0, count: 0 };
  const second = await EnvelopeClient.open(served.server.url);
  await served.clock.advance(4000);
  second.send({ type: "join", channel: 1, path: "status", options: { auth: "expired", resume } });
  expect(await second.next("error")).toMatchObject({ n: 0, code: "refused" });
  const again = await second.join(2, "status", { auth: "good", resume });
  expect(again).toMatchObject({ answer: "resumed", id });
  second.send({ type: "join", channel: 3, path: "status", options: { auth: "expired", resume } });
  expect(await second.next("error")).toMatchObject({ n: 0, code: "refused" });
  second.socket.cut();
  while (events.length < 2) await settle();
  await served.clock.advance(5000);
  expect(events).toEqual(["drop", "drop", "close lost"]);
});

test.each([
  ["nobody", 'got "nobody". Check the name; the command `windsock routes` lists the services'],
  ["/websocket/status", "Give `connect` what follows `/websocket/` in the URL"],
  ["websocket/status", "Leave `/websocket` out of the `url` of the server"],
])("a join of %s is told what to do", async (path, sentence) => {
  const served = await serve(defineService({}));
  const client = await EnvelopeClient.open(served.server.url);
  client.send({ type: "join", channel: 1, path, options: {} });
  expect(await client.next("error")).toMatchObject({
    code: "not_found",
    message: expect.stringContaining(sentence) as unknown,
  });
});
