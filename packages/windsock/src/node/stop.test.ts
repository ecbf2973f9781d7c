import { execFile } from "node:child_process";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { EnvelopeClient } from "../../test/envelope-client.ts";
import { handshake, RawSocket } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { defineService } from "../index.ts";

const token = "a-token-of-enough-length";

/** A service that is busy until `open` is called, and says what happens to it. */
function busy() {
  const seen: string[] = [];
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const service = defineService({
    limits: { callbackTimeoutMs: 1_000_000 },
    handleIncoming: async (client, message) => {
      if (message === "wait") await gate;
      client.send(`done ${String(message)}`);
      seen.push(String(message));
    },
    terminate(reason, _state, self) {
      seen.push(reason.type);
      for (const client of self.clients()) client.send("goodbye");
    },
  });
  return { service, seen, open: () => open() };
}

describe("a stop", () => {
  test("refuses who is new, empties the mailboxes, terminates, and then closes with 1012", async () => {
    const { service, seen, open: go } = busy();
    const { server, open, clock } = await serve(service, { publishToken: token });
    const client = await open();
    client.send("wait");
    client.send("second");
    await until(clock, () => server.services()[0]!.mailboxMessages === 1);

    const stopping = server.stop();
    const joining = await RawSocket.open(server.port);
    joining.write(handshake(server.port));
    const refused = await joining.answer();
    expect(refused.status).toBe(503);
    expect(refused.head).toMatch(/retry-after: \d/i);
    const health = await fetch(`${server.url}/healthz`);
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({ status: "draining" });
    const publish = await fetch(`${server.url}/websocket/status`, {
      method: "POST",
      body: "x",
      headers: { authorization: `Bearer ${token}` },
    });
    expect(publish.status).toBe(503);
    expect(publish.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(client.isOpen).toBe(true);

    go();
    expect(await stopping).toEqual({ timedOut: false });
    expect(seen).toEqual(["wait", "second", "shutdown"]);
    expect(client.received).toEqual(["done wait", "done second", "goodbye"]);
    expect(await client.closed).toMatchObject({ code: 1012 });
    await expect(RawSocket.open(server.port)).rejects.toThrow("ECONNREFUSED");
  });

  test("is one stop, however often it is asked for", async () => {
    const { server } = await serve(defineService({}));
    const first = server.stop();
    expect(server.stop()).toBe(first);
    expect(await first).toEqual({ timedOut: false });
    expect(server.stop()).toBe(first);
  });

  test("cuts what has not ended after `drainTimeoutMs`, and says so", async () => {
    const { service, seen } = busy();
    const { server, open, clock } = await serve(service, { limits: { drainTimeoutMs: 3000 } });
    const client = await open();
    client.send("wait");
    client.send("second");
    await until(clock, () => server.services()[0]!.mailboxMessages === 1);
    const stopping = server.stop();
    await clock.advance(2999);
    expect(client.isOpen).toBe(true);
    await clock.advance(1);
    expect(await stopping).toEqual({ timedOut: true });
    expect((await client.closed).code).toBe(1006);
    expect(seen).toEqual([]);
  });

  // The window was announced, and every idle socket closed at once: nobody had time to move.
  test("serves the clients of windsock.v1 until its window is over, and then closes them", async () => {
    const { service, seen, open: go } = busy();
    go();
    const { server, clock } = await serve(service, { drainWindowMs: 5000 });
    const client = await EnvelopeClient.open(server.url);
    await client.join(1, "status");
    const stopping = server.stop();
    expect(await client.next("draining")).toEqual({ type: "draining", windowMs: 5000 });
    const late = await RawSocket.open(server.port);
    late.write(handshake(server.port));
    expect((await late.answer()).status).toBe(503);
    await clock.advance(4999);
    client.send({ type: "send", channel: 1, n: 1, payload: "still here" });
    expect(await client.take(2)).toEqual(['msg "done still here"', "done 1"]);
    expect(seen).toEqual(["still here"]);
    await clock.advance(1);
    expect(await client.socket.closed).toMatchObject({ code: 1012 });
    expect(await stopping).toEqual({ timedOut: false });
    expect(seen).toEqual(["still here", "shutdown"]);
  });

  test("does not wait out its window when every client has moved", async () => {
    const { server, clock } = await serve(defineService({}), { drainWindowMs: 5000 });
    const clients = [await EnvelopeClient.open(server.url), await EnvelopeClient.open(server.url)];
    const stopping = server.stop();
    for (const client of clients) {
      await client.next("draining");
      client.socket.close();
    }
    expect(await stopping).toEqual({ timedOut: false });
    expect(clock.now()).toBe(0);
  });

  test("without a window says how long it may take, and closes as soon as all is done", async () => {
    const { server, clock } = await serve(defineService({}), { limits: { drainTimeoutMs: 3000 } });
    const client = await EnvelopeClient.open(server.url);
    await client.join(1, "status");
    const stopping = server.stop();
    expect(await client.next("draining")).toEqual({ type: "draining", windowMs: 3000 });
    expect(await client.socket.closed).toMatchObject({ code: 1012 });
    expect(await stopping).toEqual({ timedOut: false });
    expect(clock.now()).toBe(0);
  });

  test("takes a window of half its time-out, and no more", async () => {
    const limits = { drainTimeoutMs: 3000 };
    await serve(defineService({}), { limits, drainWindowMs: 1500 });
    await expect(serve(defineService({}), { limits, drainWindowMs: 1501 })).rejects.toThrow(
      "Expected `drainWindowMs` to be an integer of 0 to 1500, half of `limits.drainTimeoutMs`, got 1501",
    );
  });

  // An upgrade that waited for authorize had no place yet: nobody told it, and the stop
  // waited for it until everything was cut.
  test("tells those who still wait for authorize", async () => {
    let asked = 0;
    const service = defineService({
      authorize: () => {
        asked += 1;
        return new Promise<undefined>(() => {});
      },
    });
    const { server, clock } = await serve(service);
    const raw = await RawSocket.open(server.port);
    raw.write(handshake(server.port));
    await until(clock, () => asked === 1);
    const stopping = server.stop();
    expect((await raw.answer()).status).toBe(503);
    expect(await stopping).toEqual({ timedOut: false });
  });

  // The port was closed first, and connections cut last: an answer that was being made was lost.
  test("lets a request that is being answered have its answer", async () => {
    const asked: ServerResponse[] = [];
    const { server, clock } = await serve(defineService({}), {
      request: (_request, response) => void asked.push(response),
    });
    const asking = fetch(`${server.url}/page`);
    await until(clock, () => asked.length === 1);
    const stopping = server.stop();
    await clock.advance(100);
    asked[0]!.end("page");
    expect(await (await asking).text()).toBe("page");
    clock.speed();
    expect(await stopping).toEqual({ timedOut: false });
  });

  test("is not held up by a client that never answers its close frame", async () => {
    const { server, clock } = await serve(defineService({}));
    const raw = await RawSocket.upgrade(server.port);
    const stopping = server.stop();
    expect(await raw.closeCode()).toBe(1012);
    await clock.advance(6000);
    expect(await stopping).toEqual({ timedOut: false });
  });

  test("is not held up by connections that ask for nothing", async () => {
    const { server } = await serve(defineService({}));
    const silent = connect(server.port, "127.0.0.1");
    await new Promise((resolve) => silent.once("connect", resolve));
    await fetch(`${server.url}/healthz`);
    expect(await server.stop()).toEqual({ timedOut: false });
    silent.destroy();
  });
});

test("a process whose server has stopped ends by itself", async () => {
  const index = fileURLToPath(new URL("../index.ts", import.meta.url));
  const program = `
    import { createServer, defineService } from ${JSON.stringify(index)};
    const service = defineService({ limits: { maxRestarts: 1 }, handleInfo() {} });
    const server = await createServer({ port: 0, services: { service, "room/[id]": defineService({ params: ["id"] }) }, limits: { maxMessagesPerSecond: 1 } });
    const ws = new WebSocket(server.url.replace("http", "ws") + "/websocket/service");
    await new Promise((resolve) => ws.addEventListener("open", resolve));
    for (let index = 0; index < 5; index++) ws.send("x");
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { timedOut } = await server.stop();
    console.log("stopped", timedOut, process.getActiveResourcesInfo().includes("Timeout"));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@windsock/source", "--input-type=module", "-e", program],
    { timeout: 45_000 },
  );
  expect(stdout).toBe("stopped false false\n");
});
