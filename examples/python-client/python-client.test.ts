import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { createServer, defineService, reply, type, type Server } from "windsock";
import { FaultProxy } from "windsock/testing";
import { z } from "zod";

const folder = fileURLToPath(new URL(".", import.meta.url));
const python = ["python3", "python"].find(
  (command) =>
    spawnSync(command, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0,
);
if (python === undefined) console.warn("python-client: skipped, no Python 3.9 or later was found");

/** `watch.py` as a child, line by line. */
class Watch {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  constructor(url: string, ...args: string[]) {
    this.#child = spawn(python ?? "", ["-B", `${folder}watch.py`, url, ...args], { stdio: "pipe" });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("Expected pipes.");
    stderr.on("data", (data: Buffer) => (this.#errors += data.toString()));
    const lines: Interface = createInterface({ input: stdout });
    this.#lines = lines[Symbol.asyncIterator]();
    onTestFinished(() => void this.#child.kill());
  }

  async next(): Promise<string> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`Expected a line, got the end: ${this.#errors}`);
    return line.value;
  }

  async take(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.next());
    return lines;
  }

  /** Everything up to where all of these lines have come, in any order. */
  async until(...awaited: string[]): Promise<string[]> {
    const lines: string[] = [];
    while (!awaited.every((line) => lines.includes(line))) lines.push(await this.next());
    return lines;
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async end(): Promise<number | null> {
    const exit = once(this.#child, "exit");
    this.say("leave");
    await exit;
    return this.#child.exitCode;
  }
}

/** A service that answers bytes in private and publishes the rest, and what it was sent. */
function echo(options: { durable?: boolean } = {}) {
  const handled: unknown[] = [];
  let tell = (): void => undefined;
  const service = defineService({
    history: { messages: 5, durable: options.durable === true },
    state: { durable: options.durable === true },
    calls: { sum: { request: z.array(z.number()), response: type<{ sum: number }>() } },
    init: () => 0,
    handleJoin: (client) => client.send("Hello WebSocket!"),
    snapshot: () => "everything",
    handleIncoming(client, message, _state, self) {
      handled.push(message instanceof Uint8Array ? Buffer.from(message).toString("hex") : message);
      if (message instanceof Uint8Array) client.send(message);
      else self.publish(message);
      tell();
    },
    handleCall: {
      sum: (_client, numbers) => reply({ sum: numbers.reduce((sum, number) => sum + number, 0) }),
    },
  });
  /** Resolves when so many have been handled. */
  const reached = (count: number): Promise<void> =>
    new Promise((resolve) => {
      tell = () => {
        if (handled.length >= count) resolve();
      };
      tell();
    });
  return { service, handled, reached };
}

async function serve(services: Parameters<typeof createServer>[0]): Promise<Server> {
  const server = await createServer({ port: 0, ...services });
  onTestFinished(async () => void (await server.stop()));
  return server;
}

async function proxyOf(server: Server): Promise<FaultProxy> {
  const proxy = await FaultProxy.open(server.port);
  onTestFinished(() => proxy.close());
  return proxy;
}

describe.skipIf(python === undefined)("the client in Python", () => {
  test("reads and writes every test vector", () => {
    const vectors = `${folder}../../packages/windsock/test/protocol/vectors.json`;
    const run = spawnSync(python ?? "", ["-B", `${folder}check_vectors.py`, vectors], {
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    expect(run.stdout).toMatch(/^envelopes \d+\nignored \d+\ntolerated \d+\nfaults \d+\n$/);
  });

  test("joins, receives, sends, calls and leaves", async () => {
    const { service, handled } = echo();
    const server = await serve({ services: { status: service } });
    const watch = new Watch(server.url, "status");
    expect(await watch.take(2)).toEqual(["open new", 'msg "Hello WebSocket!"']);
    server.broadcast("status", "grün ✓");
    expect(await watch.next()).toBe('pub 1 "grün ✓"');
    watch.say("one");
    expect((await watch.take(2)).toSorted()).toEqual(["done one", 'pub 2 "one"']);
    watch.say("bytes 00ff10");
    expect((await watch.take(2)).toSorted()).toEqual(["done bytes 00ff10", "msg hex 00ff10"]);
    watch.say("call sum [1,2,3]");
    expect(await watch.next()).toBe('reply {"sum": 6}');
    watch.say('call sum "x"');
    expect(await watch.next()).toMatch(/^failed call sum "x" invalid: /);
    watch.say("call nothing");
    expect(await watch.next()).toMatch(/^failed call nothing unknown_call: /);
    expect(handled).toEqual(["one", "00ff10"]);
    expect(await watch.end()).toBe(0);
  });

  test("is cut, and has no gap and no repeat", async () => {
    const { service } = echo();
    const server = await serve({ services: { status: service } });
    const proxy = await proxyOf(server);
    const watch = new Watch(proxy.url, "status");
    expect(await watch.take(2)).toEqual(["open new", 'msg "Hello WebSocket!"']);
    server.broadcast("status", "1");
    expect(await watch.next()).toBe('pub 1 "1"');
    proxy.refuse(true);
    proxy.cut();
    expect(await watch.next()).toMatch(/^lost /);
    server.broadcast("status", "2");
    server.broadcast("status", "3");
    proxy.refuse(false);
    expect(await watch.take(3)).toEqual(["open resumed", 'pub 2 "2"', 'pub 3 "3"']);
    server.broadcast("status", "4");
    expect(await watch.next()).toBe('pub 4 "4"');
  });

  test("sends again what no `done` has come for, and it is handled once", async () => {
    const { service, handled, reached } = echo();
    const server = await serve({ services: { status: service } });
    const proxy = await proxyOf(server);
    const watch = new Watch(proxy.url, "status");
    await watch.take(2);
    proxy.set("down", { isFrozen: true });
    watch.say("handled, and the client does not hear of it");
    await reached(1);
    proxy.set("up", { isFrozen: true });
    watch.say("lost on its way");
    watch.say("bytes 01");
    proxy.cut();
    proxy.set("up", { isFrozen: false });
    proxy.set("down", { isFrozen: false });
    const lines = await watch.until("open resumed", "done bytes 01");
    watch.say("the last");
    lines.push(...(await watch.until("done the last", 'pub 3 "the last"')));
    expect(handled).toEqual([
      "handled, and the client does not hear of it",
      "lost on its way",
      "01",
      "the last",
    ]);
    const received = lines.filter((line) => /^(?:pub|msg)/.test(line));
    expect(received).toEqual([
      'pub 1 "handled, and the client does not hear of it"',
      'pub 2 "lost on its way"',
      "msg hex 01",
      'pub 3 "the last"',
    ]);
    expect(lines.filter((line) => line.startsWith("done"))).toHaveLength(4);
  });

  test("gets a snapshot where the log no longer reaches back", async () => {
    const { service } = echo();
    const server = await serve({ services: { status: service } });
    const proxy = await proxyOf(server);
    const watch = new Watch(proxy.url, "status");
    await watch.take(2);
    proxy.refuse(true);
    proxy.cut();
    expect(await watch.next()).toMatch(/^lost /);
    for (let number = 1; number <= 10; number++) server.broadcast("status", number);
    proxy.refuse(false);
    expect(await watch.take(2)).toEqual(["open snapshot", 'snapshot 10 "everything"']);
    server.broadcast("status", 11);
    expect(await watch.next()).toBe("pub 11 11");
  });

  test("joins anew after a restart that forgot it, and says what became unknown", async () => {
    const before = echo();
    const first = await serve({ services: { status: before.service } });
    const proxy = await proxyOf(first);
    const watch = new Watch(proxy.url, "status");
    await watch.take(2);
    proxy.set("down", { isFrozen: true });
    watch.say("handled by the first");
    await before.reached(1);
    const { service, handled } = echo();
    const second = await serve({ services: { status: service } });
    proxy.retarget(second.port);
    proxy.cut();
    proxy.set("down", { isFrozen: false });
    expect((await watch.take(4)).slice(1)).toEqual([
      "failed handled by the first unknown: sent, and the membership is gone",
      "open rejoin",
      'msg "Hello WebSocket!"',
    ]);
    watch.say("again");
    expect((await watch.take(2)).toSorted()).toEqual(["done again", 'pub 1 "again"']);
    expect(handled).toEqual(["again"]);
  });

  test("goes on where it was after a restart of the server, if the history is durable", async () => {
    const historyFile = join(await mkdtemp(join(tmpdir(), "windsock-python-")), "history.sqlite");
    onTestFinished(() => rm(dirname(historyFile), { recursive: true }));
    const first = await createServer({
      port: 0,
      historyFile,
      services: { status: echo({ durable: true }).service },
    });
    const proxy = await proxyOf(first);
    const watch = new Watch(proxy.url, "status");
    await watch.take(2);
    first.broadcast("status", "before");
    expect(await watch.next()).toBe('pub 1 "before"');
    await first.stop();
    expect(await watch.take(2)).toEqual([
      expect.stringMatching(/^draining /),
      expect.stringMatching(/^lost 1012 /),
    ]);
    const { service } = echo({ durable: true });
    const second = await serve({ historyFile, services: { status: service } });
    proxy.retarget(second.port);
    second.broadcast("status", "while it was away");
    expect(await watch.take(2)).toEqual(["open resumed", 'pub 2 "while it was away"']);
  });
});
