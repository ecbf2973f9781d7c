import { describe, expect, test } from "vitest";
import { admissionOptions } from "./admission.ts";
import { answerPlain } from "./plain-answer.ts";
import { refusalBytes, refuse } from "./refusal.ts";
import { RouteTable } from "./route-table.ts";
import { routesFromFiles } from "./routes.ts";

const routes = new RouteTable(routesFromFiles(["status.ts", "room/[id].ts"]));
const ask = (url: string, { method = "GET", host = "localhost:8001", secure = false } = {}) =>
  answerPlain(
    { method, url, httpVersion: "1.1", rawHeaders: ["host", host], secure },
    routes,
    admissionOptions(),
  );

describe("a plain request", () => {
  test.each(["GET", "HEAD", "PUT", "DELETE"])(
    "%s for a service is told to upgrade, and where",
    (method) => {
      expect(ask("/websocket/status?x=1", { method })).toMatchObject({
        status: 426,
        headers: { Upgrade: "websocket", Connection: "Upgrade, close" },
        body: `Expected a WebSocket, got a plain ${method}: open it with new WebSocket("ws://localhost:8001/websocket/status").\n`,
      });
    },
  );

  test("over TLS is told the URL with TLS", () => {
    expect(ask("/websocket/room/a%20b", { secure: true })?.body).toContain(
      '"wss://localhost:8001/websocket/room/a%20b"',
    );
  });

  test("for the root is told the sub-protocol too", () => {
    expect(ask("/websocket")?.body).toContain(
      'new WebSocket("ws://localhost:8001/websocket", "windsock.v1")',
    );
  });

  test("for nobody below the root is 404, for a bad key 400", () => {
    expect(ask("/websocket/statsu")?.status).toBe(404);
    expect(ask("/websocket/status/")?.body).toContain("without the last slash");
    expect(ask("/websocket/room/%00")?.status).toBe(400);
  });

  test.each(["/", "/index.html", "/websockets", "//x/websocket/status"])(
    "for %s is somebody else's",
    (url) => expect(ask(url)).toBeUndefined(),
  );

  test("for a Host that is not ours is refused, wherever it goes", () => {
    expect(ask("/websocket/status", { host: "evil.example" })?.status).toBe(403);
    expect(ask("/", { host: "evil.example" })?.status).toBe(403);
    expect(ask("/../etc/passwd")?.status).toBe(400);
  });
});

test("a refusal on a raw socket is a whole answer that closes", () => {
  const bytes = refusalBytes(refuse(503, "Später.", { "Retry-After": "5" }));
  expect(bytes.toString()).toBe(
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n" +
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n" +
      "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nRetry-After: 5\r\n\r\nSpäter.\n",
  );
});
