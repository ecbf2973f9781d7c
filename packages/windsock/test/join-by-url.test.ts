// The URL of a socket of `windsock.v1` may join its first service (docs/reference/protocol.md, section 2).
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { defineService } from "../src/index.ts";
import { RefusedError } from "../src/testing/index.ts";
import { EnvelopeClient } from "./envelope-client.ts";
import { handshake } from "./raw-socket.ts";
import { serve, type Served } from "./serve.ts";

const greeter = defineService({
  handleJoin: (client) => client.send("Hello everybody"),
});

const room = defineService({
  params: ["id"],
  handleJoin: (client) => client.send(`Hello ${client.params.id}`),
  handleIncoming: (_client, message, _state, service) => service.publish(message as string),
});

const v1 = ["Sec-WebSocket-Protocol: windsock.v1"];

async function openBy(served: Served, path: string): Promise<EnvelopeClient> {
  return EnvelopeClient.open(served.server.url, {}, path);
}

test("a service's own URL joins it as channel 1, and the socket takes other joins", async () => {
  const served = await serve({ status: greeter, "room/[id]": room });
  const client = await openBy(served, "room/42?since=5");
  const { info, channel } = await client.next("joined");
  expect(channel).toBe(1);
  expect(info).toMatchObject({ answer: "new", params: { id: "42" } });
  expect(await client.next("msg")).toMatchObject({ channel: 1, payload: "Hello 42" });
  client.send({ type: "send", channel: 1, n: 1, payload: "good day" });
  expect(await client.take(2)).toEqual(['pub 1 "good day"', "done 1"]);
  await client.join(2, "status");
  expect(await client.next("msg")).toMatchObject({ channel: 2, payload: "Hello everybody" });
});

test("`joined` comes with the answer to the handshake, in one write", async () => {
  const served = await serve(greeter);
  const { port } = served.server;
  const socket = connect(port, "127.0.0.1");
  socket.write(handshake(port, { headers: v1 }));
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  const text = first.toString("latin1");
  expect(text).toMatch(/^HTTP\/1\.1 101 /);
  expect(text).toContain('["joined",1,{"answer":"new"');
});

test("where `authorize` takes its time, the answer to the handshake does not wait", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const served = await serve(
    defineService({ authorize: () => promise, handleJoin: (client) => client.send(client.user) }),
  );
  const client = await openBy(served, "status");
  expect(client.socket.received).toEqual([]);
  resolve("ada");
  await client.next("joined");
  expect(await client.next("msg")).toMatchObject({ payload: "ada" });
});

test("`authorize` sees the URL with its query, and no token", async () => {
  const seen: unknown[] = [];
  const served = await serve(
    defineService({
      authorize({ url, auth }) {
        seen.push(new URL(url).pathname + new URL(url).search, auth);
        return undefined;
      },
    }),
  );
  const client = await openBy(served, "status?a=1&b=%C3%BC");
  await client.next("joined");
  expect(seen).toEqual(["/websocket/status?a=1&b=%C3%BC", undefined]);
});

describe("a join by URL that is refused leaves the socket open:", () => {
  test.each([
    ["no service has the path", "nobody", "not_found"],
    ["it names none", "", "not_found"],
    ["an escape is malformed", "room/%E0%A4", "bad_join"],
    ["`authorize` refuses", "closed", "refused"],
  ])("%s", async (_what, path, code) => {
    const served = await serve({
      status: greeter,
      "room/[id]": room,
      closed: defineService({ authorize: () => new Response("no", { status: 403 }) }),
    });
    const client = await openBy(served, path);
    expect(await client.next("error")).toMatchObject({ channel: 1, n: 0, code });
    await client.join(2, "status");
    expect(await client.next("msg")).toMatchObject({ channel: 2 });
  });
});

test("its channel is taken: a join with the same number breaks the protocol", async () => {
  const served = await serve(greeter);
  const client = await openBy(served, "status");
  client.send({ type: "join", channel: 1, path: "status", options: {} });
  expect(await client.socket.closed).toMatchObject({ code: 1002 });
});

test("what a client left before it knew of `joined` is closed once", async () => {
  const events: string[] = [];
  const served = await serve({
    status: defineService({
      handleJoin: () => void events.push("join"),
      handleClose: (_client, { type }) => void events.push(type),
    }),
    other: greeter,
  });
  const client = await openBy(served, "status");
  client.send({ type: "leave", channel: 1 });
  await client.settled();
  await client.join(2, "other");
  await client.next("msg");
  expect(events).toEqual(["join", "closed"]);
});

test("another page's origin is refused before anything is joined", async () => {
  const joins: string[] = [];
  const served = await serve(defineService({ handleJoin: (client) => void joins.push(client.id) }));
  const options = { origin: "http://evil.example" };
  await expect(EnvelopeClient.open(served.server.url, options, "status")).rejects.toThrow(
    RefusedError,
  );
  expect(joins).toEqual([]);
});

test("a client that names a sub-protocol of the service first has that one", async () => {
  const served = await serve(
    defineService({
      protocols: ["chat.v2"],
      handleJoin: (client) => client.send(`plain ${client.protocol}`),
    }),
  );
  const plain = await served.open("status", { protocols: ["chat.v2", "windsock.v1"] });
  expect(await plain.next()).toBe("plain chat.v2");
  const enveloped = await EnvelopeClient.open(
    served.server.url,
    { protocols: ["windsock.v1", "chat.v2"] },
    "status",
  );
  await enveloped.next("joined");
});
