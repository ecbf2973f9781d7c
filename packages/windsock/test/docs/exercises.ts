// What is done with each service of README and guide, by page and file.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, vi } from "vitest";
import { createClient, type Channel, type ConnectOptions } from "../../src/client/index.ts";
import { FaultProxy } from "../../src/testing/index.ts";
import type { Stage } from "./examples.test.ts";

const folder = mkdtempSync(join(tmpdir(), "windsock-docs-"));
afterAll(() => rmSync(folder, { recursive: true }));
// Read by the example as its file is loaded.
const buildLog = join(folder, "build.log");
writeFileSync(buildLog, "first line\nsecond line\nunfinished");
process.env["BUILD_LOG"] = buildLog;

async function seed(name: string, { server, open }: Stage): Promise<void> {
  const first = await open(name);
  const second = await open(name);
  expect(await first.next()).toBe("Hello WebSocket!");
  expect(await second.next()).toBe("Hello WebSocket!");
  server.broadcast(name, "built");
  expect(await first.next()).toBe("built");
  expect(await second.next()).toBe("built");
  second.close();
  await second.closed;
  server.broadcast(name, "again");
  expect(await first.next()).toBe("again");
}

const boss = "docs/guide/coming-from-chicago-boss.md src/websocket";
const services = "docs/guide/services.md src/websocket";

export const exercises: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  "README.md src/websocket/status.ts": (stage) => seed("status", stage),

  "docs/guide/getting-started.md src/websocket/chat.ts": async ({ server, open }) => {
    const first = await open("chat");
    const second = await open("chat");
    expect(await first.next()).toMatch(/^Hello/);
    expect(await second.next()).toMatch(/^Hello/);
    first.send("hi");
    expect(await second.next()).toBe("1: hi");
    second.send("ho");
    expect(await first.take(2)).toEqual(["1: hi", "2: ho"]);
    server.broadcast("chat", "from the server");
    expect(await first.next()).toBe("from the server");
  },

  // The long form of the name has the short URL.
  [`${boss}/ab_status_websocket.ts`]: (stage) => seed("status", stage),
  [`${boss}/who.ts`]: async ({ open }) => {
    const client = await open("who?a=1", { headers: { "user-agent": "test" } });
    const [about, sessionId] = await client.take(2);
    expect(JSON.parse(String(about))).toEqual({
      path: "/websocket/who",
      agent: "test",
      cookies: 0,
      remoteAddress: "127.0.0.1",
    });
    expect(sessionId).toMatch(/^[\w-]{22}$/);
  },
  [`${boss}/greeting.ts`]: async ({ open }) => {
    const client = await open("greeting");
    expect(await client.take(3)).toEqual([
      "Hello WebSocket!",
      Buffer.from([1, 2, 3]),
      '{"hello":"websocket"}',
    ]);
  },
  [`${boss}/echo.ts`]: async ({ open }) => {
    const client = await open("echo");
    client.send("hello");
    expect(await client.next()).toBe("you said hello");
  },
  [`${boss}/patient.ts`]: async ({ open }) => {
    const client = await open("patient");
    expect(await client.next()).toBe("Still here?");
  },
  [`${boss}/builds.ts`]: async ({ server }) => {
    server.broadcast("builds", "one");
    server.broadcast("builds", "two");
    expect(await server.call("builds", "count")).toBe(2);
  },

  [`${services}/votes.ts`]: async ({ open }) => {
    const client = await open("votes");
    expect(await client.next()).toBe('{"yes":0,"no":0}');
    client.send("perhaps");
    client.send("yes");
    expect(await client.next()).toBe('{"yes":1,"no":0}');
  },
  [`${services}/transfer.ts`]: async ({ open, reports }) => {
    const client = await open("transfer");
    client.send("3");
    expect(await client.next()).toMatch(/ takes 3$/);
    client.send("8");
    client.send("10");
    // Nothing of the failed turn; and the service began anew.
    expect(await client.next()).toMatch(/ takes 10$/);
    expect(reports).toMatchObject([{ type: "crash", callback: "handleIncoming" }]);
  },
  [`${services}/import.ts`]: async ({ open }) => {
    const client = await open("import");
    client.send("https://example.com");
    expect(await client.take(4)).toEqual(["downloading", "a", "b", "c"]);
  },
  [`${services}/report.ts`]: async ({ open }) => {
    const client = await open("report");
    client.send("please");
    expect(await client.next()).toBe("the report");
  },
  [`${services}/clock.ts`]: async ({ open }) => {
    const client = await open("clock");
    expect(await client.next()).toMatch(/^\d+ s$/);
  },
  [`${services}/draw.ts`]: async ({ open }) => {
    const good = await open("draw");
    const bad = await open("draw");
    good.send('{"x":1,"y":2}');
    expect(JSON.parse(String(await bad.next()))).toMatchObject({ x: 1, y: 2 });
    bad.send('{"x":1,"y":"two"}');
    expect(await bad.closed).toEqual({
      code: 1007,
      reason: expect.stringMatching(/^message refused: at `y`: /) as unknown,
    });
  },
  [`${services}/stock.ts`]: async ({ server }) => {
    expect(await server.call("stock", "take", { count: 4 })).toEqual({ ok: true, left: 6 });
    await expect(server.call("stock", "take", { count: 0 })).rejects.toMatchObject({
      code: "WINDSOCK_INVALID",
    });
  },
  [`${services}/orders.ts`]: async ({ open }) => {
    const client = await open("orders");
    client.send('{"order":5}');
    client.send('{"order":5}');
    expect(await client.take(2)).toEqual(["ordered, 1 left", "only 1 left"]);
  },
  [`${services}/room/[id].ts`]: async ({ server, open }) => {
    const here = await open("room/42");
    const there = await open("room/43");
    here.send("hi");
    expect(await here.next()).toMatch(/^42 \w{4}: hi$/);
    server.broadcast("room/43", "you");
    expect(await there.next()).toBe("you");
    await expect(open("room/UPPER")).rejects.toMatchObject({ status: 404 });
  },

  "docs/guide/delivery.md src/websocket/news.ts": async ({ server, open }) => {
    server.broadcast("news", { topic: "sport", text: "one" });
    server.broadcast("news", { topic: "weather", text: "rain" });
    const client = await open("news");
    client.send('{"follow":"sport"}');
    expect(await client.next()).toBe("one");
    server.broadcast("news", { topic: "weather", text: "sun" });
    server.broadcast("news", { topic: "sport", text: "two" });
    expect(await client.next()).toBe("two");
  },
  "docs/guide/delivery.md src/websocket/feed.ts": async ({ server, open }) => {
    server.broadcast("feed", "early");
    const client = await open("feed");
    expect(await client.next()).toBe("early");
    // After the crash its place is kept.
    client.send("x");
    client.send("x");
    server.broadcast("feed", "late");
    expect(await client.next()).toBe("late");
    expect(client.received).toEqual(["early", "late"]);
  },
  "docs/guide/delivery.md src/websocket/rates.ts": async ({ server, open }) => {
    for (let rate = 1; rate <= 50; rate++) server.broadcast("rates", { pair: "a/b", rate });
    server.broadcast("rates", { pair: "c/d", rate: 7 });
    const late = await open("rates");
    expect(await late.take(2)).toEqual(['{"pair":"a/b","rate":50}', '{"pair":"c/d","rate":7}']);
  },
  "docs/guide/delivery.md src/websocket/build-log.ts": async ({ server, open }) => {
    const client = await open("build-log");
    expect(await client.next()).toBe("first line\nsecond line\n");
    appendFileSync(buildLog, " line\nlast line\n");
    server.info("build-log", "grown");
    expect(await client.next()).toBe("unfinished line\nlast line\n");
    const late = await open("build-log");
    expect(await late.next()).toBe("first line\nsecond line\nunfinished line\nlast line\n");
  },

  "docs/guide/resume.md src/websocket/board.ts": async (stage) => {
    interface View {
      notes(notes: readonly { id: number; text: string }[]): void;
      connection(text: string): void;
    }
    const { follow } = (await stage.import("src/board.ts")) as {
      follow: (view: View, options: ConnectOptions) => Channel;
    };
    const line = await FaultProxy.open(stage.server.port);
    const shown: string[] = [];
    const states: string[] = [];
    const view: View = {
      notes: (notes) => shown.push(notes.map(({ text }) => text).join(",")),
      connection: (text) => states.push(text),
    };
    using board = follow(view, { url: line.url });
    await board.send({ add: "a" });
    expect(shown).toEqual(["", "a"]);
    // A cut, and a message meanwhile.
    line.refuse(true);
    line.cut();
    const other = await stage.open("board");
    other.send('{"add":"b"}');
    expect(await other.take(2)).toHaveLength(2);
    line.refuse(false);
    await vi.waitFor(() => expect(shown).toEqual(["", "a", "a,b"]), 5000);
    // Longer than the log reaches back: the whole instead.
    line.refuse(true);
    line.cut();
    for (let note = 0; note < 101; note++) other.send('{"add":"c"}');
    await other.take(101);
    line.refuse(false);
    await vi.waitFor(() => expect(shown).toHaveLength(4), 5000);
    expect(shown.at(-1)?.split(",")).toHaveLength(103);
    expect(new Set(states)).toEqual(new Set(["live", "connection lost, catching up soon"]));
    board.close();
    await line.close();
  },
  "docs/guide/resume.md src/websocket/seats.ts": async ({ server, open }) => {
    const others = await open("seats");
    const name = /^\w{4} (.*)$/;
    const next = async () => name.exec(String(await others.next()))?.[1];
    expect(await next()).toBe("sits down");
    const line = await FaultProxy.open(server.port);
    using seat = createClient().connect("seats", { url: line.url });
    seat.on("message", () => undefined);
    expect(await next()).toBe("sits down");
    await vi.waitFor(() => expect(seat.state.type).toBe("open"));
    line.cut();
    expect(await next()).toBe("is away");
    expect(await next()).toBe("is back");
    seat.close();
    expect(await next()).toBe("leaves the seat");
    await line.close();
  },

  "docs/guide/resume.md src/websocket/lounge.ts": async ({ server }) => {
    const { connect } = createClient();
    using ann = connect("lounge", { url: server.url, auth: "Ann" });
    const heard: unknown[] = [];
    ann.on("presence", ({ join, leave }) => heard.push([join.map(({ id }) => id), leave]));
    await vi.waitFor(() => expect(heard).toEqual([[["ann"], []]]));
    using bob = connect("lounge", { url: server.url, auth: "Bob" });
    bob.on("message", () => undefined);
    await vi.waitFor(() => expect(heard[1]).toEqual([["bob"], []]));
    ann.close();
    bob.close();
  },

  "docs/guide/durable.md src/websocket/orders.ts": async (stage) => {
    using orders = createClient().connect("orders", { url: stage.server.url });
    const resumed: string[] = [];
    for (const type of ["resumed", "rejoined", "restarted"] as const)
      orders.on(type, () => resumed.push(type));
    const got: unknown[] = [];
    orders.on("message", (order) => got.push(order));
    expect(await orders.call("order", { item: "tea" })).toEqual({ number: 1, item: "tea" });
    await stage.restart();
    expect(await orders.call("order", { item: "milk" })).toEqual({ number: 2, item: "milk" });
    expect(await stage.server.call("orders", "count")).toBe(2);
    expect(got).toEqual([
      { number: 1, item: "tea" },
      { number: 2, item: "milk" },
    ]);
    expect(resumed).toEqual(["resumed"]);
    orders.close();
  },
  "docs/guide/durable.md src/websocket/prices.ts": async (stage) => {
    const before = await stage.open("prices");
    before.send("tea 2");
    expect(await before.next()).toBe('{"tea":2}');
    await stage.restart();
    const after = await stage.open("prices");
    after.send("milk 1");
    expect(await after.next()).toBe('{"tea":2,"milk":1}');
  },

  "docs/guide/durable.md src/websocket/jobs.ts": async (stage) => {
    // A worker that answers once the server has been started anew.
    const asked: unknown[] = [];
    let isReady = false;
    const worker = createHttp((request, response) => {
      asked.push(request.headers["idempotency-key"]);
      if (isReady) response.end();
    });
    await new Promise<void>((resolve) => worker.listen(0, "127.0.0.1", resolve));
    process.env["WORKER_URL"] = `http://127.0.0.1:${(worker.address() as AddressInfo).port}`;
    using jobs = createClient().connect("jobs", { url: stage.server.url });
    const got: unknown[] = [];
    jobs.on("message", (message) => got.push(message));
    await jobs.send({ work: "tea" });
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    isReady = true;
    await stage.restart();
    const job = { id: asked[0], work: "tea" };
    await vi.waitFor(
      () =>
        expect(got).toEqual([
          { type: "queued", job },
          { type: "done", job },
        ]),
      5000,
    );
    expect(asked).toEqual([job.id, job.id]);
    jobs.close();
    worker.closeAllConnections();
    worker.close();
  },

  "docs/guide/failure.md src/websocket/careful.ts": async ({ open, reports }) => {
    const client = await open("careful");
    client.send("2");
    client.send("two");
    client.send("3");
    expect(await client.take(2)).toEqual(["2", "5"]);
    expect(reports).toMatchObject([{ type: "crash", restarts: false }]);
  },

  "docs/guide/security.md src/websocket/admin.ts": async ({ open }) => {
    await expect(open("admin")).rejects.toMatchObject({ status: 401, body: "Log in first.\n" });
    const client = await open("admin", { headers: { cookie: "login=token-of-ada" } });
    expect(await client.next()).toBe("Hello ada");
  },

  "docs/guide/security.md src/websocket/vault.ts": async ({ server, open }) => {
    await expect(open("vault")).rejects.toMatchObject({ status: 401 });
    const { connect } = createClient();
    using good = connect("vault", { url: server.url, auth: () => "token-of-ada" });
    const greeting = new Promise((resolve) => good.on("message", resolve));
    expect(await greeting).toBe("Hello ada");
    using bad = connect("vault", { url: server.url, auth: "x" });
    const error = await new Promise((resolve) => bad.on("error", resolve));
    expect(error).toMatchObject({ code: "WINDSOCK_REFUSED", detail: { status: 401 } });
    good.close();
    bad.close();
  },

  "docs/guide/testing.md src/websocket/counter.ts": async ({ open }) => {
    const client = await open("counter");
    client.send("x");
    expect(await client.next()).toBe("1");
  },
};
