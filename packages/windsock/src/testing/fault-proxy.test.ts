import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { FaultProxy } from "./fault-proxy.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanUp.splice(0).reverse()) await run();
});

async function echo(): Promise<FaultProxy> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUp.push(() => server.close());
  const proxy = await FaultProxy.open((server.address() as AddressInfo).port);
  cleanUp.push(() => proxy.close());
  return proxy;
}

/** Sends, ends, and gives what came back until the connection was over. */
function exchange(port: number, text: string, isEnding = true): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let got = "";
    socket.on("data", (chunk) => (got += chunk.toString()));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(got));
    socket.write(text);
    if (isEnding) socket.end();
  });
}

test("without faults everything passes both ways", async () => {
  const proxy = await echo();
  const text = "x".repeat(300_000);
  expect(await exchange(proxy.port, text)).toBe(text);
});

test("pieces, delay and a low rate change nothing but the time", async () => {
  const proxy = await echo();
  proxy.set("up", { chunkBytes: 7, delayMs: 5 });
  proxy.set("down", { bytesPerSecond: 20_000 });
  expect(await exchange(proxy.port, "y".repeat(500))).toBe("y".repeat(500));
});

// A chunk passed whole, and the line was then busy for as long as it had taken at that rate,
// whatever was set later.
test("a rate holds for a large chunk too, and for no longer than it is set", async () => {
  const proxy = await echo();
  proxy.set("down", { bytesPerSecond: 1 });
  const socket = connect(proxy.port, "127.0.0.1");
  let got = 0;
  socket.on("data", (chunk) => (got += chunk.length));
  const ended = once(socket, "end");
  socket.end("z".repeat(5000));
  await once(socket, "data");
  expect(got).toBeLessThan(5);
  proxy.set("down", {});
  await ended;
  expect(got).toBe(5000);
});

test("a cut comes after exactly so many bytes", async () => {
  const proxy = await echo();
  proxy.set("up", { cutAfterBytes: 10 });
  const got = await exchange(proxy.port, "0123456789abcdef", false);
  expect("0123456789".startsWith(got)).toBe(true);
  expect(proxy.size).toBe(0);
});

test("a frozen line is silent until it thaws", async () => {
  const proxy = await echo();
  proxy.set("down", { isFrozen: true });
  const result = exchange(proxy.port, "late");
  await new Promise((resolve) => setImmediate(resolve));
  proxy.set("down", {});
  expect(await result).toBe("late");
});

test("a refusing proxy resets who comes, and lets in who comes later", async () => {
  const proxy = await echo();
  proxy.refuse(true);
  expect(await exchange(proxy.port, "a", false)).toBe("");
  proxy.refuse(false);
  expect(await exchange(proxy.port, "b")).toBe("b");
});
