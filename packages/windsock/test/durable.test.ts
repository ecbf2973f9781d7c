import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { createServer, defineService, OptionError } from "../src/index.ts";
import { SqliteHistory } from "../src/log/sqlite-history.ts";
import { EnvelopeClient } from "./envelope-client.ts";
import { serve } from "./serve.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanUp.splice(0).reverse()) await run();
});

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "windsock-durable-"));
  cleanUp.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "history.sqlite");
}

interface Running {
  readonly url: string;
  readonly child: ChildProcess;
}

async function start(file: string): Promise<Running> {
  const program = new URL("./fixtures/durable-server.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, file], { stdio: ["ignore", "pipe", "inherit"] });
  cleanUp.push(() => child.kill("SIGKILL"));
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  return { url: chunk.toString().trim(), child };
}

async function kill({ child }: Running, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

function publish(url: string, text: string): Promise<Response> {
  return fetch(`${url}/websocket/news`, {
    method: "POST",
    body: text,
    headers: { authorization: "Bearer 0123456789abcdef" },
  });
}

test("a client resumes over a kill -9 of the server, and misses nothing", async () => {
  const file = newFile();
  const before = await start(file);
  const first = await EnvelopeClient.open(before.url);
  const { token, epoch, id } = await first.join(1, "news");
  first.send({ type: "send", channel: 1, n: 1, payload: "a" });
  expect(await first.take(2)).toEqual(['pub 1 "a"', "done 1"]);
  expect(await (await publish(before.url, "b")).json()).toMatchObject({ seq: 2 });
  await kill(before);

  const after = await start(file);
  expect(await (await publish(after.url, "c")).json()).toMatchObject({ seq: 4 });
  const second = await EnvelopeClient.open(after.url);
  const again = await second.join(1, "news", { resume: { token, epoch, seq: 1, count: 0 } });
  expect(again).toMatchObject({ answer: "resumed", id, epoch, done: 1 });
  // The state in memory began anew, and the client is told where.
  expect(await second.take(4)).toEqual(['pub 2 "b"', "restarted 3", 'pub 4 "c"', "done 1"]);
  second.send(
    { type: "send", channel: 1, n: 1, payload: "a" },
    { type: "send", channel: 1, n: 2, payload: "d" },
  );
  expect((await second.take(3)).toSorted()).toEqual(["done 1", "done 2", 'pub 5 "d"']);
});

test("a stop in order is a restart like any other: the membership waits for its client", async () => {
  const file = newFile();
  const before = await start(file);
  const first = await EnvelopeClient.open(before.url);
  const { token, epoch, id } = await first.join(1, "news");
  await kill(before, "SIGTERM");
  const after = await start(file);
  const second = await EnvelopeClient.open(after.url);
  expect(
    await second.join(1, "news", { resume: { token, epoch, seq: 0, count: 0 } }),
  ).toMatchObject({ answer: "resumed", id });
});

test("a durable state goes on where it was, its clients in it, and each message counts once", async () => {
  const file = newFile();
  let running = await start(file);
  let client = await EnvelopeClient.open(running.url);
  let { token, epoch, seq } = await client.join(1, "counter");
  let count = 0;
  for (let round = 1; round <= 3; round++) {
    client.send({ type: "send", channel: 1, n: round, payload: null });
    expect(await client.take(2)).toEqual([`msg {"total":${round},"clients":1}`, `done ${round}`]);
    count += 1;
    await kill(running);
    running = await start(file);
    client = await EnvelopeClient.open(running.url);
    const info = await client.join(1, "counter", { resume: { token, epoch, seq, count } });
    expect(info).toMatchObject({ answer: "resumed", done: round });
    ({ token, epoch, seq } = info);
    expect(await client.take(1)).toEqual([`done ${round}`]);
    // What was done is not done again.
    client.send({ type: "send", channel: 1, n: round, payload: null });
    expect(await client.take(1)).toEqual([`done ${round}`]);
  }
});

test("a reply that was not acknowledged is there after a kill", async () => {
  const file = newFile();
  const before = await start(file);
  const first = await EnvelopeClient.open(before.url);
  const { token, epoch } = await first.join(1, "counter");
  first.send({ type: "send", channel: 1, n: 1, payload: null });
  await first.take(2);
  await kill(before);
  const after = await start(file);
  const second = await EnvelopeClient.open(after.url);
  await second.join(1, "counter", { resume: { token, epoch, seq: 0, count: 0 } });
  expect(await second.take(2)).toEqual(['msg {"total":1,"clients":1}', "done 1"]);
});

test("plain clients of a durable state are closed when the server comes back: they cannot", async () => {
  const file = newFile();
  const closed: string[] = [];
  const service = defineService({
    history: { durable: true },
    state: { durable: true },
    init: () => [] as string[],
    handleJoin: (client, ids) => [...ids, client.id],
    handleClose: (client, reason, ids) => {
      closed.push(reason.type);
      return ids.filter((id) => id !== client.id);
    },
  });
  const before = await serve(service, { historyFile: file });
  await before.open();
  before.clock.speed();
  await before.server.stop();
  const after = await serve(service, { historyFile: file });
  const client = await after.open();
  expect(client.isOpen).toBe(true);
  await after.clock.advance(0);
  expect(closed).toEqual(["lost"]);
});

test("a history that cannot be stored is not acknowledged: its clients come back to what was", async () => {
  const file = newFile();
  const service = defineService({
    history: { durable: true },
    handleIncoming(_client, message, _state, context) {
      context.publish(message as string);
    },
  });
  const served = await serve(service, { historyFile: file, publishToken: "0123456789abcdef" });
  const client = await EnvelopeClient.open(served.server.url);
  const { token, epoch } = await client.join(1, "status");
  client.send({ type: "send", channel: 1, n: 1, payload: "kept" });
  expect(await client.take(2)).toEqual(['pub 1 "kept"', "done 1"]);
  const full = vi.spyOn(SqliteHistory.prototype, "write").mockImplementation(() => {
    throw new Error("disk full");
  });
  client.send({ type: "send", channel: 1, n: 2, payload: "lost" });
  expect(await client.take(1)).toEqual(["closed 1011 retry"]);
  full.mockRestore();
  expect(served.reports.map(({ type }) => type)).toEqual(["failure"]);
  const info = await client.join(2, "status", { resume: { token, epoch, seq: 1, count: 0 } });
  expect(info).toMatchObject({ answer: "resumed", done: 1 });
  client.send({ type: "send", channel: 2, n: 2, payload: "again" });
  expect((await client.take(4)).toSorted()).toEqual([
    "done 1",
    "done 2",
    'pub 3 "again"',
    "restarted 2",
  ]);
});

test("a durable state without a durable history is refused", () => {
  expect(() => defineService({ state: { durable: true } })).toThrow(OptionError);
});

test("two servers do not share a history", async () => {
  const file = newFile();
  const service = defineService({ history: { durable: true } });
  await serve(service, { historyFile: file });
  await expect(
    createServer({ port: 0, services: { status: service }, historyFile: file }),
  ).rejects.toThrow(/another server/);
});
