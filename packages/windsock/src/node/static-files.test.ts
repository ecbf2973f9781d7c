import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type StaticFileOptions, staticFiles } from "./static-files.ts";

let folder = "";
let server: Server | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "windsock-static-"));
  mkdirSync(join(folder, "public", "sub"), { recursive: true });
  mkdirSync(join(folder, "public", ".well-known"));
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "public", "index.html"), "<p>index");
  writeFileSync(join(folder, "public", "a.txt"), "0123456789");
  writeFileSync(join(folder, "public", "sub", "index.html"), "<p>sub");
  writeFileSync(join(folder, "public", ".env"), "secret");
  writeFileSync(join(folder, "public", ".well-known", "x.txt"), "known");
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(options: StaticFileOptions = {}, path = join(folder, "public")) {
  const handler = staticFiles(path, options);
  server = createServer((request, response) => {
    handler(request, response, () => response.writeHead(404).end(`next ${request.url}`));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  // Not `fetch`, which would resolve the dots of a path itself.
  const get = async (
    path: string,
    init: { method?: string; headers?: Record<string, string> } = {},
  ) => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest({ port, path, ...init, agent: false }, resolve)
        .on("error", reject)
        .end();
    });
    let body = "";
    for await (const chunk of response) body += String(chunk);
    return { status: response.statusCode, headers: response.headers, body };
  };
  return { get, port };
}

describe.each([{ dev: true }, { dev: false }])("with %j", (options) => {
  test("a file is served, and the index of a folder", async () => {
    const { get } = await serve(options);
    expect(await get("/a.txt?x")).toMatchObject({
      status: 200,
      body: "0123456789",
      headers: { "content-type": "text/plain", "x-content-type-options": "nosniff" },
    });
    expect((await get("/")).body).toBe("<p>index");
    expect((await get("/sub/")).body).toBe("<p>sub");
    expect(await get("/a.txt", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });

  test("a reader that has it already gets 304", async () => {
    const { get } = await serve(options);
    const { headers } = await get("/a.txt");
    expect(headers["cache-control"]).toMatch(/no-cache|max-age=0,must-revalidate/);
    const again = await get("/a.txt", { headers: { "If-None-Match": String(headers.etag) } });
    expect(again).toMatchObject({ status: 304, body: "" });
  });

  test.each([
    "/nobody",
    "/.env",
    "/%2eenv",
    "/sub/%2e%2e/.env",
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/%",
    "/a.txt%00",
  ])("%s is somebody else's", async (path) => {
    const { get } = await serve(options);
    expect(await get(path)).toMatchObject({ status: 404, body: `next ${path}` });
  });

  test("what is well-known is not hidden", async () => {
    const { get } = await serve(options);
    expect((await get("/.well-known/x.txt")).body).toBe("known");
  });

  test("only GET and HEAD read", async () => {
    const { get } = await serve(options);
    for (const method of ["POST", "PUT", "DELETE"]) {
      expect((await get("/a.txt", { method })).status).toBe(404);
    }
  });

  test("below a base only that is served", async () => {
    const { get } = await serve({ ...options, base: "/app" });
    expect((await get("/app/a.txt")).body).toBe("0123456789");
    expect((await get("/app/")).body).toBe("<p>index");
    expect(await get("/app?x")).toMatchObject({ status: 308, headers: { location: "/app/?x" } });
    expect(await get("/a.txt")).toMatchObject({ status: 404, body: "next /a.txt" });
    expect(await get("/app/nobody")).toMatchObject({ body: "next /app/nobody" });
    expect((await get("/application")).status).toBe(404);
  });

  test.each([
    ["bytes=2-4", 206, "234"],
    ["bytes=8-", 206, "89"],
    ["bytes=10-", 416, ""],
    ["bytes=4-2", 200, "0123456789"],
    ["bytes=-2", 200, "0123456789"],
    ["bytes=0-1,3-4", 200, "0123456789"],
    ["lines=1-2", 200, "0123456789"],
    ["bytes=x", 200, "0123456789"],
  ])("the range %s gives %i", async (Range, status, body) => {
    const { get } = await serve(options);
    expect(await get("/a.txt", { headers: { Range } })).toMatchObject({ status, body });
  });

  test("without the folder nothing is there", async () => {
    const { get } = await serve(options, join(folder, "nowhere"));
    expect((await get("/a.txt")).status).toBe(404);
  });
});

// sirv pipes without a listener: the error of a file that went would end the process.
test("a file that went since it was listed breaks off its own answer only", async () => {
  const file = join(folder, "public", "gone.txt");
  writeFileSync(file, "gone");
  const { get } = await serve();
  rmSync(file);
  await expect(get("/gone.txt")).rejects.toThrow(/aborted|hang up/);
  expect((await get("/a.txt")).status).toBe(200);
});

// `pipe` leaves its source open when its target goes.
test.skipIf(!existsSync("/proc/self/fd"))(
  "a file is closed when its reader goes in the middle (seen in /proc, so on Linux only)",
  async () => {
    const file = join(folder, "public", "large.bin");
    writeFileSync(file, Buffer.alloc(32 * 1024 * 1024));
    const { port } = await serve();
    const isOpen = () =>
      readdirSync("/proc/self/fd").some((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === file;
        } catch {
          return false;
        }
      });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpRequest({ port, path: "/large.bin", agent: false }, resolve).on("error", reject).end();
    });
    await once(response, "readable");
    expect(isOpen()).toBe(true);
    response.destroy();
    await expect.poll(isOpen, { interval: 10 }).toBe(false);
  },
);

test("an edit shows in development", async () => {
  const { get } = await serve({ dev: true });
  const file = join(folder, "public", "new.txt");
  writeFileSync(file, "one");
  expect((await get("/new.txt")).body).toBe("one");
  writeFileSync(file, "two!");
  expect((await get("/new.txt")).body).toBe("two!");
});

// What came beyond the length that was said stood where the next answer begins.
test("a file that grows while it is read ends where it ended", async () => {
  const size = 32 * 1024 * 1024;
  const path = join(folder, "public", "grows.txt");
  writeFileSync(path, Buffer.alloc(size, "a"));
  const { port } = await serve({ dev: true });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (name: string) => {
    const [response] = (await once(httpRequest({ port, path: name, agent }).end(), "response")) as [
      IncomingMessage,
    ];
    return response;
  };
  const response = await ask("/grows.txt");
  appendFileSync(path, Buffer.alloc(1024 * 1024, "b"));
  let length = 0;
  for await (const chunk of response) length += (chunk as Buffer).length;
  expect(length).toBe(size);
  expect((await ask("/a.txt")).statusCode).toBe(200);
  agent.destroy();
});

test("a file that shrinks while it is read breaks the answer off", async () => {
  const path = join(folder, "public", "shrinks.txt");
  writeFileSync(path, Buffer.alloc(32 * 1024 * 1024, "a"));
  const { port } = await serve({ dev: true });
  const [response] = (await once(
    httpRequest({ port, path: "/shrinks.txt", agent: false }).end(),
    "response",
  )) as [IncomingMessage];
  truncateSync(path, 1024);
  await expect(response.toArray()).rejects.toThrow("aborted");
});
