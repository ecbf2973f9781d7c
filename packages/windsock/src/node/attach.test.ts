import {
  createServer as createHttpServer,
  type RequestListener,
  type Server as HttpServer,
} from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { handshake, RawSocket } from "../../test/raw-socket.ts";
import { attach, defineService, type Server } from "../index.ts";
import { PlainClient } from "../testing/index.ts";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function listen(
  pages: RequestListener | undefined,
): Promise<{ http: HttpServer; port: number }> {
  const http = pages === undefined ? createHttpServer() : createHttpServer(pages);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  cleanups.push(
    () =>
      new Promise<void>((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  );
  return { http, port: (http.address() as AddressInfo).port };
}

async function attached(http: HttpServer, base = "", greeting = "hello"): Promise<Server> {
  const status = defineService({ handleJoin: (client) => client.send(greeting) });
  const server = await attach(http, { services: { status }, base });
  cleanups.push(() => server.stop());
  return server;
}

async function greeting(port: number, path: string): Promise<unknown> {
  const client = await PlainClient.open(`ws://127.0.0.1:${port}${path}`);
  const first = await client.next();
  client.close();
  return first;
}

const text = async (port: number, path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}${path}`)).text();

test("services join a server that has pages of its own", async () => {
  const { http, port } = await listen((request, response) => response.end(`page ${request.url}`));
  await attached(http);
  expect(await greeting(port, "/websocket/status")).toBe("hello");
  expect(await text(port, "/about")).toBe("page /about");
  expect((await fetch(`http://127.0.0.1:${port}/websocket/status`)).status).toBe(426);
});

test("upgrades of others on the same server are left to them", async () => {
  const { http, port } = await listen(undefined);
  await attached(http);
  const other = new WebSocketServer({ noServer: true, handleProtocols: () => "vite-hmr" });
  http.on("upgrade", (request, socket, head) => {
    if (request.headers["sec-websocket-protocol"] !== "vite-hmr") return;
    other.handleUpgrade(request, socket, head, (ws) => ws.send("hmr"));
  });
  const hmr = await PlainClient.open(`ws://127.0.0.1:${port}/`, { protocols: ["vite-hmr"] });
  expect(await hmr.next()).toBe("hmr");
  hmr.cut();
  expect(await greeting(port, "/websocket/status")).toBe("hello");
});

// Two servers each saw the other's listener and left an unknown path to it: nobody answered.
test("two servers share one HTTP server by their bases; a path of neither is answered", async () => {
  const { http, port } = await listen((_request, response) => response.end("page"));
  await attached(http, "/one", "from one");
  await attached(http, "/two", "from two");
  expect(await greeting(port, "/one/websocket/status")).toBe("from one");
  expect(await greeting(port, "/two/websocket/status")).toBe("from two");
  expect(await text(port, "/")).toBe("page");
  const raw = await RawSocket.open(port);
  raw.write(handshake(port, { path: "/three" }));
  expect((await raw.answer()).status).toBe(404);
});

// The first one to stop put back the listeners that it had found, beside the second one's,
// which still called them: every page was answered twice.
for (const order of ["first", "last"] as const) {
  test(`the one attached ${order} may stop first, and the pages stay as they were`, async () => {
    let answers = 0;
    const { http, port } = await listen((_request, response) => {
      answers += 1;
      response.end("page");
    });
    const servers = [await attached(http, "/one"), await attached(http, "/two")];
    if (order === "last") servers.reverse();
    await servers[0]!.stop();
    const left = order === "first" ? "/two" : "/one";
    expect(await greeting(port, `${left}/websocket/status`)).toBe("hello");
    expect(await text(port, "/")).toBe("page");
    expect(answers).toBe(1);
    await servers[1]!.stop();
    expect(await text(port, "/")).toBe("page");
    expect(answers).toBe(2);
    expect([http.listenerCount("request"), http.listenerCount("upgrade")]).toEqual([1, 0]);
  });
}

test("a server that stops takes its clients along and leaves the other's", async () => {
  const { http, port } = await listen(undefined);
  const one = await attached(http, "/one");
  await attached(http, "/two");
  const [mine, other] = [
    await PlainClient.open(`ws://127.0.0.1:${port}/one/websocket/status`),
    await PlainClient.open(`ws://127.0.0.1:${port}/two/websocket/status`),
  ];
  expect(await one.stop()).toEqual({ timedOut: false });
  expect((await mine.closed).code).toBe(1012);
  expect(other.isOpen).toBe(true);
  other.cut();
});
