import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maxReadHeadBytes, UpgradeReader } from "./upgrade-reader.ts";

const fields = [
  "Host: 127.0.0.1:8001",
  "Connection: keep-alive, Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Cookie: a=1; b=2",
  "X-Latin: caf\u00e9\tand  more  ",
  "X-Empty:",
];

const headOf = (lines: readonly string[], request = "GET /websocket/status?a=b HTTP/1.1"): Buffer =>
  Buffer.from(`${[request, ...lines].join("\r\n")}\r\n\r\n`, "latin1");

const read = (bytes: Buffer) => new UpgradeReader().read(bytes);

test("the head of an upgrade is read as Node reads it, and what may be kept has no key", () => {
  const head = headOf(fields);
  const raw = [
    ...["Host", "127.0.0.1:8001", "Connection", "keep-alive, Upgrade", "Upgrade", "websocket"],
    ...["Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ...["Cookie", "a=1; b=2", "X-Latin", "caf\u00e9\tand  more", "X-Empty", ""],
  ];
  expect(read(Buffer.concat([head, Buffer.from("frames")]))).toEqual({
    method: "GET",
    url: "/websocket/status?a=b",
    httpVersion: "1.1",
    secure: false,
    rawHeaders: raw,
    kept: raw.filter((_, index) => index !== 8 && index !== 9),
    byteLength: head.length,
  });
});

const without = (name: string): string[] => fields.filter((line) => !line.startsWith(`${name}:`));

describe("left to Node", () => {
  test.each([
    ["a plain request", headOf(without("Upgrade"))],
    ["an upgrade to something else", headOf([...without("Upgrade"), "Upgrade: h2c"])],
    ["two fields of the name Upgrade", headOf([...fields, "Upgrade: websocket"])],
    ["an upgrade that the connection does not name", headOf(without("Connection"))],
    [
      "a connection option of another name",
      headOf([...without("Connection"), "Connection: x-upgrade"]),
    ],
    ["a POST", headOf(fields, "POST /websocket/status HTTP/1.1")],
    ["HTTP/1.0", headOf(fields, "GET /websocket/status HTTP/1.0")],
    ["a target in absolute form", headOf(fields, "GET http://localhost/ HTTP/1.1")],
    ["a target with a space", headOf(fields, "GET /a b HTTP/1.1")],
    ["a target with other than ASCII", headOf(fields, "GET /\u00e9 HTTP/1.1")],
    ["a body by its length", headOf([...fields, "Content-Length: 1"])],
    ["a body in chunks", headOf([...fields, "Transfer-Encoding: chunked"])],
    ["an expectation", headOf([...fields, "Expect: 100-continue"])],
    ["a folded line", headOf([...fields, "X-Folded: a", " b"])],
    ["a space before a colon", headOf([...fields, "X-Space : a"])],
    ["a name with other than a token", headOf([...fields, "X(y): a"])],
    ["a line without a colon", headOf([...fields, "nothing"])],
    ["a control character in a value", headOf([...fields, "X-Nul: a\u0000b"])],
    ["a carriage return in a value", headOf([...fields, "X-Return: a\rb"])],
    ["lines that end in LF alone", Buffer.from(headOf(fields).toString().replaceAll("\r\n", "\n"))],
    ["an empty line in front", Buffer.concat([Buffer.from("\r\n"), headOf(fields)])],
    ["a head that goes on", headOf(fields).subarray(0, -1)],
    ["nothing", Buffer.alloc(0)],
    ["no HTTP", Buffer.from("\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n")],
    ["a large head", headOf([...fields, `X-Large: ${"x".repeat(maxReadHeadBytes)}`])],
  ])("%s", (_what, bytes) => {
    expect(read(bytes)).toBeUndefined();
  });
});

test("what is known of one client is given to no other", () => {
  const reader = new UpgradeReader();
  const first = reader.read(headOf(fields));
  const second = reader.read(headOf([...without("Cookie"), "Cookie: other"]));
  expect(first?.rawHeaders).toContain("a=1; b=2");
  expect(second?.rawHeaders).not.toContain("a=1; b=2");
  expect(second?.rawHeaders).toContain("other");
});

test("more different lines than are kept are read like any others", () => {
  const reader = new UpgradeReader();
  for (let index = 0; index < 5000; index++)
    expect(reader.read(headOf([...fields, `X-${index}: ${index}`]))?.rawHeaders.slice(-2)).toEqual([
      `X-${index}`,
      `${index}`,
    ]);
});

describe("beside Node's own parser", () => {
  let server: Server;
  let seen: { url: string; rawHeaders: string[]; rest: string } | undefined;

  beforeAll(async () => {
    server = createServer({ requireHostHeader: false }, (_request, response) => response.end());
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, rest: Buffer) => {
      seen = { url: request.url ?? "", rawHeaders: request.rawHeaders, rest: rest.toString() };
      socket.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  /** What Node makes of it. */
  async function byNode(bytes: Buffer): Promise<typeof seen> {
    seen = undefined;
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => {});
    socket.end(bytes);
    socket.resume();
    await once(socket, "close");
    return seen;
  }

  const odd = fc.constantFrom(
    ...["\r", "\n", "\r\n", ":", " ", "\t", "\u0000", "\u007f", "\u0080", "\u00ff", "(", ",", ";"],
    ...["Upgrade", "Connection", "upgrade", "websocket", "GET ", " HTTP/1.1", "\r\n\r\n", "#", "%"],
  );
  const mutation = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    put: fc.oneof(odd, fc.string({ unit: "binary-ascii", maxLength: 3 })),
    take: fc.nat({ max: 3 }),
  });

  test("what is read here is an upgrade there, with the same target, fields and rest", async () => {
    let taken = 0;
    const some = fc.tuple(
      fc.shuffledSubarray(fields, { minLength: 6 }),
      fc.array(mutation, { maxLength: 3 }),
      fc.constantFrom("", "frames"),
    );
    await fc.assert(
      fc.asyncProperty(some, async ([lines, mutations, rest]) => {
        let text = headOf(lines).toString("latin1");
        for (const { at, put, take } of mutations) {
          const place = Math.floor(at * text.length);
          text = text.slice(0, place) + put + text.slice(place + take);
        }
        const bytes = Buffer.from(text + rest, "latin1");
        const here = read(bytes);
        if (here === undefined) return;
        taken += 1;
        const there = await byNode(bytes);
        expect({
          url: here.url,
          rawHeaders: here.rawHeaders,
          rest: bytes.subarray(here.byteLength).toString(),
        }).toEqual(there);
      }),
      { numRuns: 1500 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});
