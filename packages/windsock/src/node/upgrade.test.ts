import { describe, expect, test } from "vitest";
import { handshake, RawSocket, type HandshakeOptions } from "../../test/raw-socket.ts";
import { serve } from "../../test/serve.ts";
import { until } from "../../test/until.ts";
import { defineService, type UpgradeRequest } from "../index.ts";
import { settle } from "../testing/index.ts";

async function ask(port: number, options: HandshakeOptions = {}) {
  const raw = await RawSocket.open(port);
  raw.write(handshake(port, options));
  return raw.answer();
}

async function upgradeStatus(port: number, options: HandshakeOptions = {}): Promise<number> {
  const raw = await RawSocket.open(port);
  raw.write(handshake(port, options));
  return Number((await raw.head()).split(" ")[1]);
}

describe("a handshake that cannot be answered with 101", () => {
  for (const [what, status, sentence, options] of [
    [
      "an unknown URL",
      404,
      'Expected the path of a service, got "/websocket/x".',
      { path: "/websocket/x" },
    ],
    ["a URL elsewhere", 404, 'Expected the path of a service, got "/".', { path: "/" }],
    [
      "another site's page",
      403,
      "got one of http://evil.example",
      { headers: ["Origin: http://evil.example"] },
    ],
    ["a Host that is not ours", 403, "Expected a Host", { host: ["Host: evil.example"] }],
    [
      "two Hosts",
      400,
      "exactly one Host header field, got 2",
      { host: ["Host: localhost", "Host: localhost"] },
    ],
    ["no Host", 400, "exactly one Host header field, got none", { host: [] }],
    ["HTTP/1.0", 400, "Expected HTTP/1.1", { version: "1.0" }],
    [
      "too many headers",
      431,
      "at most 100 header fields",
      { headers: Array.from({ length: 110 }, (_, index) => `X-${index}: y`) },
    ],
    ["a long target", 414, "at most 4096 bytes", { path: `/websocket/status?${"x".repeat(5000)}` }],
  ] as const) {
    test(`${what} gets ${status} and a sentence`, async () => {
      const { server, open } = await serve(defineService({}));
      const answer = await ask(server.port, options);
      expect(answer.status).toBe(status);
      expect(answer.body).toContain(sentence);
      expect(answer.head).toMatch(/\r\nconnection: close/i);
      expect((await open()).isOpen).toBe(true);
    });
  }

  test("headers that are too large for Node get 431", async () => {
    const { server } = await serve(defineService({}));
    const answer = await ask(server.port, { headers: [`Cookie: ${"x".repeat(20_000)}`] });
    expect(answer.status).toBe(431);
  });

  test("bytes that are no HTTP get 400", async () => {
    const { server } = await serve(defineService({}));
    const raw = await RawSocket.open(server.port);
    raw.write("\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n");
    expect((await raw.answer()).status).toBe(400);
  });

  test("a wrong version of the protocol is told the right one", async () => {
    const { server } = await serve(defineService({}));
    const raw = await RawSocket.open(server.port);
    raw.write(handshake(server.port).replace("Version: 13", "Version: 12"));
    const answer = await raw.answer();
    expect(answer.status).toBe(426);
    expect(answer.head).toMatch(/sec-websocket-version: 13/i);
  });
});

describe("the session cookie", () => {
  const service = defineService({ handleJoin: (client) => client.send(client.sessionId) });

  async function join(headers: Record<string, string>) {
    const served = await serve(service);
    const cookieOf = async (cookie?: string) => {
      const client = await served.open(
        "status",
        cookie === undefined ? headers : { headers: { cookie } },
      );
      const set = client.headers["set-cookie"]?.[0]?.split(";")[0];
      return { session: await client.next(), set };
    };
    return cookieOf;
  }

  test("is set once, and kept by who brings it back", async () => {
    const cookieOf = await join({});
    const first = await cookieOf();
    const second = await cookieOf(first.set);
    expect(second).toEqual({ session: first.session, set: undefined });
  });

  test("that was tampered with begins a new session", async () => {
    const cookieOf = await join({});
    const { session, set } = await cookieOf();
    const flipped = set!.slice(0, -1) + (set!.endsWith("A") ? "B" : "A");
    const after = await cookieOf(flipped);
    expect(after.set).toBeDefined();
    expect(after.session).not.toBe(session);
  });
});

describe("authorize", () => {
  function guarded(authorize: (request: UpgradeRequest) => unknown) {
    const seen: unknown[] = [];
    const service = defineService({
      authorize: (request) => authorize(request) as { id: string } | Response,
      handleJoin: (client) => void seen.push(client.user),
      handleClose: () => void seen.push("gone"),
    });
    return { service, seen };
  }

  test("gives client.user, a copy", async () => {
    const user = { id: "ada" };
    const { service, seen } = guarded(() => user);
    const { open, clock } = await serve(service);
    await open();
    await until(clock, () => seen.length === 1);
    expect(seen).toEqual([{ id: "ada" }]);
    expect(seen[0]).not.toBe(user);
  });

  test("may refuse with any Response of its own", async () => {
    const { service, seen } = guarded(
      () => new Response("not you", { status: 401, headers: { "WWW-Authenticate": "Bearer" } }),
    );
    const { server } = await serve(service);
    const answer = await ask(server.port);
    expect(answer).toMatchObject({ status: 401, body: "not you" });
    expect(answer.head).toMatch(/www-authenticate: Bearer/i);
    expect(seen).toEqual([]);
  });

  test("that throws refuses with 500, says nothing of why, and is reported", async () => {
    const { service } = guarded(() => {
      throw new Error("the secret is 42");
    });
    const { server, reports } = await serve(service);
    const answer = await ask(server.port);
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain("42");
    expect(reports).toMatchObject([{ type: "failure", error: { message: "the secret is 42" } }]);
  });

  // It was answered with 500, as a fault of the app's that trying again would not mend.
  test("that does not settle refuses with 504 when the handshake has taken too long", async () => {
    const { service } = guarded(() => new Promise(() => {}));
    const { server, clock, reports } = await serve(service, {
      limits: { handshakeTimeoutMs: 3000 },
    });
    const asking = ask(server.port);
    await settleUntilPending(clock);
    await clock.advance(2999);
    expect(reports).toEqual([]);
    await clock.advance(1);
    const answer = await asking;
    expect(answer.status).toBe(504);
    expect(answer.head).toMatch(/retry-after: \d/i);
    expect(reports).toMatchObject([{ type: "failure" }]);
  });

  test("may return a user of `maxUserBytes`, and not one byte more", async () => {
    const { service, seen } = guarded((request) =>
      "x".repeat(Number(request.url.searchParams.get("n"))),
    );
    const { server, reports } = await serve(service, { limits: { maxUserBytes: 104 } });
    expect(await upgradeStatus(server.port, { path: "/websocket/status?n=100" })).toBe(101);
    expect(await upgradeStatus(server.port, { path: "/websocket/status?n=101" })).toBe(500);
    expect(seen).toHaveLength(1);
    expect(reports).toMatchObject([{ type: "failure", error: { code: "WINDSOCK_OPTION" } }]);
  });

  test("whose client goes away meanwhile leaves nothing behind", async () => {
    const answers: ((user: unknown) => void)[] = [];
    const { service, seen } = guarded(() => new Promise((resolve) => answers.push(resolve)));
    const { server, clock } = await serve(service, {
      limits: { maxConnectionsPerAddress: 2, maxPendingUpgrades: 2 },
    });
    const raws = [await RawSocket.open(server.port), await RawSocket.open(server.port)];
    for (const raw of raws) raw.write(handshake(server.port));
    await until(clock, () => answers.length === 2);
    raws[0]!.reset();
    raws[1]!.end();
    await settle();
    for (const answer of answers) answer({ id: "late" });
    // Both places are free again.
    await until(
      clock,
      () => seen.every((each) => each !== undefined) && server.clients("status").length === 0,
    );
    const again = [await RawSocket.open(server.port), await RawSocket.open(server.port)];
    for (const raw of again) raw.write(handshake(server.port));
    await until(clock, () => answers.length === 4);
    for (const answer of answers.slice(2)) answer({ id: "again" });
    for (const raw of again) expect(await raw.head()).toMatch(/^HTTP\/1.1 101 /);
  });
});

describe("counts", () => {
  test("as many connections of one address as `maxConnectionsPerAddress`, and not one more", async () => {
    const { server, clock } = await serve(defineService({}), {
      limits: { maxConnectionsPerAddress: 2 },
    });
    const [first] = [await RawSocket.upgrade(server.port), await RawSocket.upgrade(server.port)];
    const answer = await ask(server.port);
    expect(answer.status).toBe(429);
    expect(answer.head).toMatch(/retry-after: \d/i);
    first.reset();
    await until(clock, () => server.clients("status").length === 1);
    expect(await upgradeStatus(server.port)).toBe(101);
  });

  test("as many connections as `maxConnections`, and not one more", async () => {
    const { server } = await serve(defineService({}), { limits: { maxConnections: 2 } });
    await RawSocket.upgrade(server.port);
    await RawSocket.upgrade(server.port);
    const answer = await ask(server.port);
    expect(answer.status).toBe(503);
    expect(answer.head).toMatch(/retry-after: \d/i);
  });

  test("as many upgrades that wait as `maxPendingUpgrades`, and not one more", async () => {
    const answers: (() => void)[] = [];
    const service = defineService({
      authorize: () => new Promise<undefined>((resolve) => answers.push(() => resolve(undefined))),
    });
    const { server, clock } = await serve(service, { limits: { maxPendingUpgrades: 2 } });
    const raws = [await RawSocket.open(server.port), await RawSocket.open(server.port)];
    for (const raw of raws) raw.write(handshake(server.port));
    await until(clock, () => answers.length === 2);
    const answer = await ask(server.port);
    expect(answer.status).toBe(503);
    expect(answer.head).toMatch(/retry-after: 1/i);
    for (const go of answers) go();
    for (const raw of raws) expect(await raw.head()).toMatch(/^HTTP\/1.1 101 /);
  });

  test("refused ones do not count", async () => {
    const { server } = await serve(
      defineService({ authorize: () => new Response("no", { status: 403 }) }),
      { limits: { maxConnectionsPerAddress: 1 } },
    );
    for (let index = 0; index < 5; index++) expect((await ask(server.port)).status).toBe(403);
  });
});

async function settleUntilPending(clock: { readonly pending: number }): Promise<void> {
  // The sweeps of edge and host, and the time-out of the handshake.
  while (clock.pending < 3) await settle();
}
