import { execFile } from "node:child_process";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer, type Server } from "windsock";
import { PlainClient } from "windsock/testing";
import { chromiumPath, expectAccessible, launch, openPage, screens } from "./browser.ts";

const publishToken = "chicago-status-example";
const folder = fileURLToPath(new URL("..", import.meta.url));
const windsock = fileURLToPath(import.meta.resolve("windsock/package.json")).replace(
  "package.json",
  "bin/windsock.js",
);

let server: Server;
let url: string;
beforeAll(async () => {
  server = await createServer({
    port: 0,
    services: `${folder}src/websocket`,
    publicFolder: `${folder}public`,
    publishToken,
  });
  url = `http://localhost:${server.port}/`;
});
afterAll(() => server.stop());

/** A broadcast from another process: a build script, say. */
async function broadcastFromShell(text: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [windsock, "broadcast", "status", "--url", server.url, "--", text],
    { env: { ...process.env, WINDSOCK_TOKEN: publishToken } },
  );
  return stdout;
}

async function broadcastByPost(text: string): Promise<number> {
  const response = await fetch(`${server.url}/websocket/status`, {
    method: "POST",
    headers: { Authorization: `Bearer ${publishToken}`, "Content-Type": "text/plain" },
    body: text,
  });
  return response.status;
}

test("a raw client gets the frames of the original, byte for byte", async () => {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const expected = Buffer.concat([
    // FIN and text, then the length (RFC 6455, section 5.2): no mask, nothing else.
    Buffer.from("8110", "hex"),
    Buffer.from("Hello WebSocket!"),
    Buffer.from("810f", "hex"),
    Buffer.from("build 1 started"),
    Buffer.from("8109", "hex"),
    Buffer.from("grün ✓"),
  ]);
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    `GET /websocket/status HTTP/1.1\r\nHost: localhost:${server.port}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  let bytes = Buffer.alloc(0);
  let hasBroadcast = false;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf("\r\n\r\n");
    if (end === -1) continue;
    const frames = bytes.subarray(end + 4);
    if (frames.length >= expected.length) break;
    if (frames.length > 0 && !hasBroadcast) {
      hasBroadcast = true;
      server.broadcast("status", "build 1 started");
      server.broadcast("status", "grün ✓");
    }
  }
  const head = bytes.subarray(0, bytes.indexOf("\r\n\r\n")).toString();
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  expect(head).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const frames = bytes.subarray(bytes.indexOf("\r\n\r\n") + 4);
  expect(frames.toString("hex")).toBe(expected.toString("hex"));
});

test("who comes later gets what is broadcast from then on", async () => {
  const first = await PlainClient.open(`${server.url}/websocket/status`);
  expect(await first.next()).toBe("Hello WebSocket!");
  server.broadcast("status", "one");
  expect(await first.next()).toBe("one");
  const second = await PlainClient.open(`${server.url}/websocket/status`);
  expect(await second.next()).toBe("Hello WebSocket!");
  server.broadcast("status", "two");
  expect(await second.next()).toBe("two");
  first.cut();
  second.close();
  await second.closed;
});

describe.skipIf(chromiumPath === undefined)("the page, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  async function isShown(page: Page, text: string): Promise<void> {
    await page.waitForFunction(
      `document.getElementById("status").textContent === ${JSON.stringify(text)}`,
    );
  }

  test("shows the greeting, and then what comes from code, by POST and from a shell", async () => {
    const { page, errors } = await openPage(browser, url);
    await isShown(page, "Hello WebSocket!");
    server.broadcast("status", "from code");
    await isShown(page, "from code");
    expect(await broadcastByPost("by POST,\n  on two lines")).toBe(202);
    await isShown(page, "by POST,\n  on two lines");
    expect(await broadcastFromShell("build 1 started")).toMatch(/^status has taken the message/);
    await isShown(page, "build 1 started");
    expect(errors).toEqual([]);
  });

  test("shows hostile text as text", async () => {
    const { page, errors } = await openPage(browser, url);
    await isShown(page, "Hello WebSocket!");
    const hostile = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script></pre>`;
    server.broadcast("status", hostile);
    await isShown(page, hostile);
    expect(await page.locator("#status *").count()).toBe(0);
    expect(await page.title()).toBe("Status");
    expect(errors).toEqual([]);
  });

  test.each(screens)("follows the end, fits and is accessible on a $name", async (screen) => {
    const { page } = await openPage(browser, url, screen);
    await isShown(page, "Hello WebSocket!");
    await expectAccessible(page);
    const lines = Array.from({ length: 200 }, (_, index) => `line ${index} ${"wide".repeat(60)}`);
    server.broadcast("status", lines.join("\n"));
    await isShown(page, lines.join("\n"));
    await page.waitForFunction("scrollY + innerHeight >= document.body.scrollHeight - 1");
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await expectAccessible(page);
  });

  test("comes back when its server does, and works below a base", async () => {
    const options = {
      services: `${folder}src/websocket`,
      publicFolder: `${folder}public`,
      base: "/app",
    };
    const first = await createServer({ ...options, port: 0 });
    const { port } = first;
    const { page } = await openPage(browser, `http://localhost:${port}/app/`);
    await isShown(page, "Hello WebSocket!");
    first.broadcast("status", "the last of the first");
    await isShown(page, "the last of the first");
    await first.stop();
    const second = await createServer({ ...options, port });
    await isShown(page, "Hello WebSocket!");
    expect(second.clients("status")).toHaveLength(1);
    await second.stop();
  });
});
