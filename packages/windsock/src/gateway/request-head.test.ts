import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { admissionOptions, admit } from "./admission.ts";
import { answerPlain } from "./plain-answer.ts";
import { refusalBytes } from "./refusal.ts";
import { requestHead } from "./request-head.ts";
import { RouteTable } from "./route-table.ts";
import { routesFromFiles } from "./routes.ts";

const routes = new RouteTable(routesFromFiles(["status.ts"]));
const options = admissionOptions();
const load = { connections: 0, connectionsOfAddress: 0, isDraining: false };

let server: Server;

beforeEach(async () => {
  server = createServer((request, response) => {
    const refusal = answerPlain(requestHead(request), routes, options);
    response.writeHead(refusal?.status ?? 404, refusal?.headers).end(refusal?.body);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
    const decision = admit(requestHead(request), { routes, load, options });
    socket.end(
      decision.type === "refuse" ? refusalBytes(decision) : `admitted ${decision.url.href}`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Sends lines as they are, and gives back all that is answered. */
async function send(...lines: string[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return await text(socket);
}

const upgrade = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

describe("behind Node's own server", () => {
  test("a good upgrade is admitted", async () => {
    expect(
      await send("GET /websocket/status?a=1 HTTP/1.1", "Host: localhost:8001", ...upgrade),
    ).toBe("admitted http://localhost:8001/websocket/status?a=1");
  });

  test.each([
    ["no Host", ["GET /websocket/status HTTP/1.1", ...upgrade]],
    [
      "two of them",
      ["GET /websocket/status HTTP/1.1", "Host: localhost", "host: localhost", ...upgrade],
    ],
    ["HTTP/1.0", ["GET /websocket/status HTTP/1.0", "Host: localhost", ...upgrade]],
    [
      "steps in the path",
      ["GET /websocket/../websocket/status HTTP/1.1", "Host: localhost", ...upgrade],
    ],
  ])("an upgrade with %s is refused", async (_name, lines) => {
    expect(await send(...lines)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n/);
  });

  test("a plain request is told what to open", async () => {
    const answer = await send(
      "GET /websocket/status HTTP/1.1",
      "Host: localhost:8001",
      "Connection: close",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(answer).toMatch(/^Upgrade: websocket\r$/m);
    expect(answer).toContain('new WebSocket("ws://localhost:8001/websocket/status")');
  });
});
