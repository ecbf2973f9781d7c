import { request as httpRequest } from "node:http";
import { describe, expect, test } from "vitest";
import { RawSocket } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { defineService, type AppHealth, type Report } from "../index.ts";

const token = "a-token-of-enough-length";
const authorization = `Bearer ${token}`;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

function post(
  port: number,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  path = "/websocket/status",
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port, host: "127.0.0.1", path, method: "POST", headers: { authorization, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

test("a POST is answered with 202 and its number after its commit, and every client has it", async () => {
  const { server, open } = await serve(defineService({}), { publishToken: token });
  const client = await open();
  const answer = await post(server.port, '{"a":1}', { "content-type": "application/json" });
  expect(answer.status).toBe(202);
  expect(JSON.parse(answer.body)).toEqual({ seq: 1, delivered: true });
  expect(await client.next()).toBe('{"a":1}');
});

// Of two servers in a row, each could take another part of such bytes for the next request.
test.each([
  ["two lengths", "Content-Length: 2\r\nContent-Length: 30", "hi"],
  ["the same length twice", "Content-Length: 2\r\nContent-Length: 2", "hi"],
  [
    "a length and chunks",
    "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "2\r\nhi\r\n0\r\n\r\n",
  ],
  [
    "chunks, and an encoding behind them",
    "Transfer-Encoding: chunked, identity",
    "2\r\nhi\r\n0\r\n\r\n",
  ],
  ["an encoding that there is not", "Transfer-Encoding: xchunked", "hi"],
  ["a length with a sign", "Content-Length: +2", "hi"],
  ["a space before the colon", "Content-Length : 2", "hi"],
])("a POST with %s is refused, and publishes nothing", async (_what, header, body) => {
  const { server, open } = await serve(defineService({}), { publishToken: token });
  const client = await open();
  const raw = await RawSocket.open(server.port);
  raw.write(
    `POST /websocket/status HTTP/1.1\r\nHost: localhost:${server.port}\r\nAuthorization: ${authorization}\r\n${header}\r\n\r\n${body}`,
  );
  expect((await raw.answer()).status).toBe(400);
  expect((await post(server.port, "good")).status).toBe(202);
  expect(await client.next()).toBe("good");
});

test("a POST to a key that nobody has joined starts no actor, and says so", async () => {
  const room = defineService({ params: ["id"] });
  const { server } = await serve({ "room/[id]": room }, { publishToken: token });
  const answer = await post(server.port, "x", {}, "/websocket/room/7");
  expect(answer.status).toBe(202);
  expect(JSON.parse(answer.body)).toMatchObject({ delivered: false });
  expect(server.services()).toEqual([]);
});

describe("a POST that is not taken", () => {
  for (const [what, status, body, headers] of [
    ["without a token", 401, "x", { authorization: "" }],
    ["with a wrong token", 401, "x", { authorization: "Bearer another-token-of-16" }],
    ["from another site's page", 403, "x", { origin: "http://evil.example" }],
    ["of a type that no message has", 415, "<x/>", { "content-type": "text/xml" }],
    ["of JSON that is none", 400, "{", { "content-type": "application/json" }],
    ["of text that is not UTF-8", 400, Buffer.from("c328", "hex"), {}],
    ["with a key of 129 characters", 400, "x", { "idempotency-key": "k".repeat(129) }],
  ] as const) {
    test(`${what} gets ${status}, and publishes nothing`, async () => {
      const { server } = await serve(defineService({}), { publishToken: token });
      const answer = await post(server.port, body, headers);
      expect(answer.status).toBe(status);
      expect(answer.body).toMatch(/^Expected /);
      expect(server.services()[0]?.seq).toBe(0);
    });
  }

  test("while publishing is off gets 403", async () => {
    const { server } = await serve(defineService({}));
    expect((await post(server.port, "x")).status).toBe(403);
  });
});

describe("a body", () => {
  test("may take all of `maxPayloadBytes`, and not one more", async () => {
    const limits = { maxPayloadBytes: 1000 };
    const { server } = await serve(defineService({}), { publishToken: token, limits });
    expect((await post(server.port, "x".repeat(1000))).status).toBe(202);
    expect((await post(server.port, "x".repeat(1001))).status).toBe(413);
    expect(server.services()[0]?.seq).toBe(1);
  });

  test("that grows beyond it without an announced length is told so too", async () => {
    const limits = { maxPayloadBytes: 1000 };
    const { server } = await serve(defineService({}), { publishToken: token, limits });
    const raw = await RawSocket.open(server.port);
    raw.write(
      `POST /websocket/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    raw.write(`3e8\r\n${"x".repeat(1000)}\r\n`);
    raw.write(`3e8\r\n${"x".repeat(1000)}\r\n`);
    expect((await raw.answer()).status).toBe(413);
  });

  test("that is announced as too large is refused before it is sent", async () => {
    const { server } = await serve(defineService({}), { publishToken: token });
    const raw = await RawSocket.open(server.port);
    raw.write(
      `POST /websocket/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nContent-Length: 100000000\r\n\r\n`,
    );
    expect((await raw.answer()).status).toBe(413);
  });

  test("that never comes whole publishes nothing", async () => {
    const { server } = await serve(defineService({}), { publishToken: token });
    const raw = await RawSocket.open(server.port);
    raw.write(
      `POST /websocket/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nContent-Length: 10\r\n\r\nhalf`,
    );
    raw.reset();
    expect((await post(server.port, "whole")).status).toBe(202);
    expect(server.services()[0]?.seq).toBe(1);
  });
});

test("a repeat of the same Idempotency-Key is answered as the first, and publishes nothing", async () => {
  const { server } = await serve(defineService({}), { publishToken: token });
  const key = { "idempotency-key": "build-42" };
  const [first, second] = [await post(server.port, "x", key), await post(server.port, "x", key)];
  expect([first.status, second.status]).toEqual([202, 202]);
  expect(second.body).toBe(first.body);
  expect(server.services()[0]?.seq).toBe(1);
});

test("a full mailbox is answered with 503 and Retry-After", async () => {
  let open: () => void = () => {};
  const service = defineService({
    limits: { maxMailboxMessages: 1 },
    handleInfo: () => new Promise<void>((resolve) => (open = resolve)),
  });
  const { server, clock } = await serve(service, { publishToken: token });
  server.info(service, "block" as never);
  await until(clock, () => server.services()[0]?.mailboxMessages === 0);
  const waiting = post(server.port, "taken");
  await until(clock, () => server.services()[0]?.mailboxMessages === 1);
  const answer = await post(server.port, "refused");
  expect(answer.status).toBe(503);
  expect(answer.headers["retry-after"]).toBe("1");
  open();
  expect((await waiting).status).toBe(202);
});

test("a service that is down is answered with 503 and Retry-After", async () => {
  const service = defineService({
    limits: { maxRestarts: 1 },
    init() {
      throw new Error("no");
    },
  });
  const { server, clock } = await serve(service, { publishToken: token });
  await until(clock, () => server.services()[0]?.state === "down");
  const answer = await post(server.port, "x");
  expect(answer.status).toBe(503);
  expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
});

test("/healthz says what the app says of itself, and is 503 while that is not ready or throws", async () => {
  let health = (): AppHealth => ({ isReady: true, details: { queued: 3 } });
  const reports: Report[] = [];
  const { server } = await serve(defineService({}), {
    health: () => health(),
    onReport: (report) => reports.push(report),
  });
  const ask = async (): Promise<[number, unknown]> => {
    const answer = await fetch(`${server.url}/healthz`);
    return [answer.status, await answer.json()];
  };
  expect(await ask()).toMatchObject([200, { status: "ok", app: { queued: 3 } }]);
  health = () => ({ isReady: false });
  expect(await ask()).toMatchObject([503, { status: "unready", services: [{ name: "status" }] }]);
  health = () => {
    throw new TypeError("boom");
  };
  expect(await ask()).toMatchObject([503, { status: "unready" }]);
  expect(reports).toMatchObject([{ type: "failure", where: "the health of the app" }]);
});

test("/healthz tells the services, and a plain request to a service how to open it", async () => {
  const { server, open } = await serve(defineService({}));
  await open();
  const health = await fetch(`${server.url}/healthz`);
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({
    status: "ok",
    services: [{ name: "status", actors: 1, clients: 1, down: 0 }],
  });
  const foreign = await RawSocket.open(server.port);
  foreign.write("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  expect((await foreign.answer()).status).toBe(403);
  const plain = await fetch(`${server.url}/websocket/status`);
  expect(plain.status).toBe(426);
  expect(await plain.text()).toContain(
    `new WebSocket("ws://127.0.0.1:${server.port}/websocket/status")`,
  );
});
