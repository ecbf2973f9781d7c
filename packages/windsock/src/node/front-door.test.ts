import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { clientFrame, handshake, RawSocket } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { defineService } from "../index.ts";

const echo = () =>
  defineService({ handleIncoming: (client, message) => client.send(message as string) });

describe("an upgrade", () => {
  for (const [what, pieces] of [
    ["in two reads", (head: string) => [head.slice(0, 30), head.slice(30)]],
    ["byte by byte", (head: string) => head.split("")],
    ["that is larger than what is read ahead of Node", (head: string) => [head]],
  ] as const)
    test(`${what} is answered like any other, and a frame behind it is not lost`, async () => {
      const { server, clock } = await serve(echo());
      const raw = await RawSocket.open(server.port);
      const headers = what.startsWith("that") ? [`X-Large: ${"x".repeat(10_000)}`] : [];
      for (const piece of pieces(handshake(server.port, { headers }))) {
        raw.write(piece);
        await clock.advance(0);
      }
      raw.write(clientFrame(0x81, "early"));
      expect(await raw.head()).toMatch(
        /^HTTP\/1.1 101 Switching Protocols\r\n(?:.+\r\n)*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/,
      );
      expect((await raw.bytes(7)).toString("latin1")).toBe("\x81\x05early");
    });

  test("whose client speaks while `authorize` takes its time is heard when it is in", async () => {
    let letIn = (_user: object): void => {};
    const heard: string[] = [];
    const service = defineService({
      authorize: () => new Promise<object>((resolve) => (letIn = resolve)),
      handleIncoming: (_client, message) => void heard.push(message as string),
    });
    const { server, clock } = await serve(service);
    const raw = await RawSocket.open(server.port);
    raw.write(Buffer.concat([Buffer.from(handshake(server.port)), clientFrame(0x81, "one")]));
    for (const word of ["two", "three"]) {
      await clock.advance(0);
      raw.write(clientFrame(0x81, word));
    }
    await clock.advance(0);
    letIn({});
    await until(clock, () => heard.length === 3);
    expect(heard).toEqual(["one", "two", "three"]);
  });
});

describe("a connection that is none", () => {
  const pages = () =>
    serve(echo(), {
      request: (request, response) => {
        let body = "";
        request.on("data", (chunk: Buffer) => (body += chunk.toString()));
        request.on("end", () => response.end(`${request.method} ${request.url} ${body}`));
      },
    });

  test("is HTTP, kept open for one request after the other", async () => {
    const { server } = await pages();
    const raw = await RawSocket.open(server.port);
    for (const path of ["/one", "/two"]) {
      raw.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect(await raw.head()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      expect((await raw.bytes(9)).toString()).toBe(`GET ${path} `);
    }
  });

  test("may send several requests and a body in its first read", async () => {
    const { server } = await pages();
    const raw = await RawSocket.open(server.port);
    raw.write(
      "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody" +
        "GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    const answers = (await raw.rest()).toString();
    expect(answers).toContain("POST /a body");
    expect(answers).toContain("GET /b ");
  });

  test("may become a WebSocket with a later request", async () => {
    const { server } = await pages();
    const raw = await RawSocket.open(server.port);
    raw.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await raw.head();
    await raw.bytes("GET /a ".length);
    raw.write(handshake(server.port));
    expect(await raw.head()).toMatch(/^HTTP\/1.1 101 /);
    raw.write(clientFrame(0x81, "hi"));
    expect((await raw.bytes(4)).toString("latin1")).toBe("\x81\x02hi");
  });

  test("and sends nothing gets 408 after `handshakeTimeoutMs`", async () => {
    const { server, clock } = await serve(echo(), { limits: { handshakeTimeoutMs: 3000 } });
    const pending = clock.pending;
    const raw = await RawSocket.open(server.port);
    while (clock.pending === pending) await clock.advance(0);
    await clock.advance(2999);
    expect(raw.isOver).toBe(false);
    await clock.advance(1);
    expect((await raw.answer()).status).toBe(408);
    while (clock.pending !== pending) await clock.advance(0);
  });

  test("and sends a head that never ends gets 408 from Node, as before", async () => {
    const { server } = await serve(echo(), { limits: { handshakeTimeoutMs: 200 } });
    const raw = await RawSocket.open(server.port);
    raw.write("GET / HTTP/1.1\r\nHost: localhost\r\n");
    expect((await raw.answer()).status).toBe(408);
  });

  test("and goes without a word leaves nothing behind", async () => {
    const { server, clock } = await serve(echo());
    const pending = clock.pending;
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    while (clock.pending === pending) await clock.advance(0);
    socket.end();
    await once(socket.resume(), "close");
    while (clock.pending !== pending) await clock.advance(0);
    const reset = await RawSocket.open(server.port);
    while (clock.pending === pending) await clock.advance(0);
    reset.reset();
    while (clock.pending !== pending) await clock.advance(0);
    expect(await server.stop()).toEqual({ timedOut: false });
  });
});
