import { describe, expect, test } from "vitest";
import { clientFrame, handshake, RawSocket } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { defineService, type CloseReason } from "../index.ts";

const text = 0x81;

/** Echoes, and remembers why clients left. */
async function serveEcho(limits: { maxPayloadBytes?: number } = {}) {
  const reasons: CloseReason[] = [];
  const service = defineService({
    handleIncoming: (client, message) => client.send(message as string),
    handleClose: (_client, reason) => void reasons.push(reason),
  });
  const served = await serve(service, { limits });
  return { ...served, reasons };
}

// `ws` reads no more after a fault, so the answer to its close frame was never seen: a client
// that we had closed with 1002, 1007 or 1009 was reported as lost.
describe("RFC 6455, section 5: what a client must not send", () => {
  for (const [what, code, bytes] of [
    ["an unmasked frame", 1002, clientFrame(text, "hi", false)],
    ["a reserved bit without an extension", 1002, clientFrame(0xc1, "hi")],
    ["an unknown opcode", 1002, clientFrame(0x83, "hi")],
    ["a continuation of nothing", 1002, clientFrame(0x80, "hi")],
    ["a second beginning", 1002, Buffer.concat([clientFrame(0x01, "a"), clientFrame(0x01, "b")])],
    ["a fragmented ping", 1002, clientFrame(0x09, "")],
    ["a ping of 126 bytes", 1002, clientFrame(0x89, "x".repeat(126))],
    ["a length of 2^63", 1009, Buffer.from("81ff800000000000000001020304", "hex")],
    ["text that is not UTF-8", 1007, clientFrame(text, Buffer.from("c328", "hex"))],
    ["a close reason that is not UTF-8", 1007, clientFrame(0x88, Buffer.from("03e8ff", "hex"))],
    ["a close code that may not be sent", 1002, clientFrame(0x88, Buffer.from("03ed", "hex"))],
    ["a close frame of one byte", 1002, clientFrame(0x88, Buffer.from("03", "hex"))],
    ["bytes that are no frames at all", 1002, Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ] as const) {
    test(`${what} closes its connection with ${code}, and no other`, async () => {
      const { server, open, clock, reasons } = await serveEcho();
      const other = await open();
      const raw = await RawSocket.upgrade(server.port);
      raw.write(bytes);
      expect(await raw.closeCode()).toBe(code);
      raw.end();
      await until(clock, () => server.clients("status").length === 1);
      // Not `lost`: we know what was wrong with it.
      expect(reasons).toMatchObject([{ type: "closed", code }]);
      other.send("still here");
      expect(await other.next()).toBe("still here");
    });
  }
});

test("a message may take all of `maxPayloadBytes`, and not one more", async () => {
  const { open, reasons, server, clock } = await serveEcho({ maxPayloadBytes: 1000 });
  const client = await open();
  client.send("x".repeat(1000));
  expect(await client.next()).toBe("x".repeat(1000));
  client.send("x".repeat(1001));
  expect((await client.closed).code).toBe(1009);
  await until(clock, () => server.clients("status").length === 0);
  expect(reasons).toMatchObject([{ type: "closed", code: 1009 }]);
});

test("a message in many fragments counts as a whole", async () => {
  const { server } = await serveEcho({ maxPayloadBytes: 1000 });
  const raw = await RawSocket.upgrade(server.port);
  raw.write(clientFrame(0x01, "x".repeat(500)));
  raw.write(clientFrame(0x00, "y".repeat(400)));
  raw.write(clientFrame(0x80, "z".repeat(100)));
  const head = await raw.bytes(4);
  expect(head.toString("hex")).toBe("817e03e8");
  await raw.bytes(1000);
  raw.write(clientFrame(0x01, "x".repeat(500)));
  raw.write(clientFrame(0x80, "y".repeat(501)));
  expect(await raw.closeCode()).toBe(1009);
});

// `ws` takes 16,384 fragments of a message, however small it may be: some 100 bytes of memory
// for each byte of a payload.
test("a message may come in 1,024 fragments, and not in one more", async () => {
  const { server } = await serveEcho();
  const inFragments = (count: number): Buffer =>
    Buffer.concat(
      Array.from({ length: count }, (_, index) =>
        clientFrame((index === 0 ? 0x01 : 0x00) | (index === count - 1 ? 0x80 : 0), "x"),
      ),
    );
  const raw = await RawSocket.upgrade(server.port);
  raw.write(inFragments(1024));
  expect((await raw.bytes(4 + 1024)).subarray(0, 4).toString("hex")).toBe("817e0400");
  raw.write(inFragments(1025));
  expect(await raw.closeCode()).toBe(1008);
});

test("a ping between fragments is answered with its payload", async () => {
  const { server } = await serveEcho();
  const raw = await RawSocket.upgrade(server.port);
  raw.write(
    Buffer.concat([clientFrame(0x01, "a"), clientFrame(0x89, "ping"), clientFrame(0x80, "b")]),
  );
  const answer = (await raw.bytes(6 + 4)).toString("latin1");
  expect(answer).toContain("\x8a\x04ping");
  expect(answer).toContain("\x81\x02ab");
});

test("frames that come one byte at a time are read as any others", async () => {
  const { server } = await serveEcho();
  const raw = await RawSocket.upgrade(server.port);
  for (const byte of clientFrame(text, "slowly")) raw.write(Buffer.of(byte));
  expect((await raw.bytes(8)).toString("latin1")).toBe("\x81\x06slowly");
});

test("a frame right behind the handshake is not lost", async () => {
  const { server } = await serveEcho();
  const raw = await RawSocket.open(server.port);
  raw.write(Buffer.concat([Buffer.from(handshake(server.port)), clientFrame(text, "early")]));
  await raw.head();
  expect((await raw.bytes(7)).toString("latin1")).toBe("\x81\x05early");
});

test("a connection that is reset, or ends without a close frame, is lost", async () => {
  const { server, clock, reasons } = await serveEcho();
  const [reset, ended] = [
    await RawSocket.upgrade(server.port),
    await RawSocket.upgrade(server.port),
  ];
  reset.reset();
  await until(clock, () => reasons.length === 1);
  ended.end();
  await until(clock, () => reasons.length === 2);
  expect(reasons).toEqual([{ type: "lost" }, { type: "lost" }]);
});
