import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../errors.ts";
import { addressBlock } from "./address-block.ts";
import { admissionOptions, type AdmissionLoad, type AdmissionOptions, admit } from "./admission.ts";
import { RouteTable } from "./route-table.ts";
import { routesFromFiles } from "./routes.ts";

const routes = new RouteTable(routesFromFiles(["status.ts", "chat.ts", "room/[id].ts"]));
const idle: AdmissionLoad = { connections: 0, connectionsOfAddress: 0, isDraining: false };

interface Attempt {
  method?: string;
  url?: string;
  httpVersion?: string;
  secure?: boolean;
  /** Replaces a field of the good request; null leaves it out, a list sends it several times. */
  headers?: Record<string, string | null | string[]>;
  load?: Partial<AdmissionLoad>;
  options?: Partial<AdmissionOptions>;
  /** What the service `chat` lists. */
  listed?: string[];
}

function attempt(given: Attempt = {}) {
  const fields: Record<string, string | null | string[]> = {
    Host: "localhost:8001",
    Upgrade: "websocket",
    Connection: "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...given.headers,
  };
  const rawHeaders = Object.entries(fields).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().flatMap((each) => [name, each]),
  );
  return admit(
    {
      method: given.method ?? "GET",
      url: given.url ?? "/websocket/status",
      httpVersion: given.httpVersion ?? "1.1",
      secure: given.secure ?? false,
      rawHeaders,
    },
    {
      routes,
      load: { ...idle, ...given.load },
      options: admissionOptions(given.options),
      protocolsOf: (route) => (route.name === "chat" ? (given.listed ?? []) : []),
    },
  );
}

function refusal(given: Attempt) {
  const decision = attempt(given);
  if (decision.type !== "refuse") throw new Error("expected a refusal, got an admission");
  return decision;
}

function admission(given: Attempt = {}) {
  const decision = attempt(given);
  if (decision.type !== "admit") throw new Error(`expected an admission, got ${decision.body}`);
  return decision;
}

test("a good request is admitted to the service that its path names", () => {
  expect(admission({ url: "/websocket/room/a%20b?x=1" })).toMatchObject({
    endpoint: "service",
    match: { address: "room/a%20b", params: { id: "a b" } },
    protocol: undefined,
    url: new URL("http://localhost:8001/websocket/room/a%20b?x=1"),
  });
});

test("every refusal is one sentence or two of plain text", () => {
  const decision = refusal({ method: "POST" });
  expect(decision).toMatchObject({
    status: 405,
    headers: {
      "Content-Type": "text/plain; charset=utf-8",
      "X-Content-Type-Options": "nosniff",
      Allow: "GET",
    },
    body: "Expected GET for an upgrade, got POST.\n",
  });
  expect(decision.headers["Content-Length"]).toBe(String(decision.body.length));
});

describe("the request line", () => {
  test.each(["1.0", "0.9", "", "x"])(
    "of HTTP/%s is refused (RFC 6455, section 4.2.1)",
    (httpVersion) => expect(refusal({ httpVersion })).toMatchObject({ status: 400 }),
  );

  test.each(["1.1", "2.0"])("of HTTP/%s is taken", (httpVersion) =>
    expect(attempt({ httpVersion }).type).toBe("admit"),
  );

  test("has at most maxUrlBytes", () => {
    const url = "/websocket/status?".padEnd(4096, "x");
    expect(attempt({ url }).type).toBe("admit");
    expect(refusal({ url: `${url}x` })).toMatchObject({ status: 414 });
  });

  test("may hold the whole URL (RFC 9112, section 3.2.2) if it is the Host's", () => {
    expect(admission({ url: "HTTP://LOCALHOST:8001/websocket/status?x" }).url.href).toBe(
      "http://localhost:8001/websocket/status?x",
    );
    for (const url of [
      "http://evil.example/websocket/status",
      "http://localhost:8001@evil.example/websocket/status",
    ]) {
      expect(refusal({ url }).status).toBe(400);
    }
  });

  test.each([
    "/x/../websocket/status",
    "/websocket/./status",
    "/websocket/%2e%2E/websocket/status",
    "/websocket/room/..",
    "/websocket\\status",
    "websocket/status",
    "*",
    "",
  ])("%j is no path of ours", (url) => expect(refusal({ url }).status).toBe(400));

  test("with two slashes at its start names no other host", () => {
    expect(refusal({ url: "//evil.example/websocket/status" }).status).toBe(404);
  });

  test("may have dots elsewhere", () => {
    expect(attempt({ url: "/websocket/room/..a" }).type).toBe("admit");
    expect(attempt({ url: "/websocket/status?/../" }).type).toBe("admit");
  });
});

describe("a path without a service", () => {
  test("is 404 and does not tell which ones there are", () => {
    const { status, body } = refusal({ url: "/websocket/statsu" });
    expect(status).toBe(404);
    expect(body).toContain('got "/websocket/statsu"');
    expect(body).not.toMatch(/chat|room|status\b/);
  });

  test("with a last slash tells the path without it", () => {
    expect(refusal({ url: "/websocket/status/" }).body).toContain("It is at /websocket/status,");
  });

  test("with a key that none can have is 400", () => {
    expect(attempt({ url: `/websocket/room/${"x".repeat(128)}` }).type).toBe("admit");
    expect(refusal({ url: `/websocket/room/${"x".repeat(129)}` }).status).toBe(400);
    expect(refusal({ url: "/websocket/room/%ff" }).status).toBe(400);
  });

  test("is quoted short and escaped", () => {
    const { body } = refusal({ url: `/${"<script>\u0085".repeat(100)}` });
    expect(body.length).toBeLessThan(400);
    expect(body).not.toMatch(/[<\u0085]/);
  });
});

describe("header fields", () => {
  test("are at most maxHeaders", () => {
    const headers = { X: Array.from({ length: 95 }, () => "1") };
    expect(attempt({ headers }).type).toBe("admit");
    expect(refusal({ headers: { X: [...headers.X, "1"] } })).toMatchObject({ status: 431 });
  });

  test("are at most maxHeaderBytes", () => {
    // 7 of "Cookie", 2 for each of the 12 names and values, and the five of the good request.
    const rest = "HostUpgradeConnectionSec-WebSocket-VersionSec-WebSocket-Key".length;
    const values = "localhost:8001websocketkeep-alive, Upgrade13dGhlIHNhbXBsZSBub25jZQ==".length;
    const cookie = "x".repeat(1000 - rest - values - "Cookie".length - 12 * 2);
    const options = { maxHeaderBytes: 1000 };
    expect(attempt({ headers: { Cookie: cookie }, options }).type).toBe("admit");
    expect(refusal({ headers: { Cookie: `${cookie}x` }, options })).toMatchObject({ status: 431 });
  });
});

describe("Host (RFC 9112, section 3.2)", () => {
  test("is there once", () => {
    expect(refusal({ headers: { Host: null } })).toMatchObject({ status: 400 });
    const twice = refusal({ headers: { Host: ["localhost", "localhost"] } });
    expect(twice).toMatchObject({ status: 400 });
    expect(twice.body).toContain("exactly one Host header field, got 2");
    expect(refusal({ headers: { host: "localhost" } }).status).toBe(400);
  });

  test.each([
    "",
    " ",
    "a b",
    "user@localhost",
    "localhost:x",
    "localhost:123456",
    "localhost:65536",
    "[::1",
    "::1",
    "localhost/",
    "a,b",
    "256.1.1.1",
    "[1:2]",
    "lo%63alhost",
    "ä.localhost",
  ])("is well-formed: %j is not", (Host) =>
    expect(refusal({ headers: { Host } }).status).toBe(400),
  );

  test.each([
    "localhost",
    "LOCALHOST:1",
    "localhost.",
    "a.localhost:8001",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]:8001",
    "[::ffff:127.0.0.1]",
    "127.1",
    "2130706433",
  ])("is any loopback name where the server is bound to loopback: %s", (Host) =>
    expect(attempt({ headers: { Host } }).type).toBe("admit"),
  );

  test.each([
    "evil.example",
    "localhost.evil.example",
    "notlocalhost",
    "10.0.0.1",
    "127.0.0.1.evil.example",
    "[::2]",
    "[::ffff:8.8.8.8]",
  ])("is no other name there (DNS rebinding): %s", (Host) => {
    for (const host of ["localhost", "127.0.0.1", "::1"]) {
      expect(refusal({ headers: { Host }, options: { host } }).status).toBe(403);
    }
    expect(refusal({ headers: { Host } }).body).toContain("`allowedHosts`");
  });

  test("is any name where the server is bound to the world and nothing is listed", () => {
    for (const host of ["0.0.0.0", "::", "10.0.0.1"]) {
      expect(attempt({ headers: { Host: "any.example" }, options: { host } }).type).toBe("admit");
    }
  });

  test("is a listed name or a loopback name once some are listed", () => {
    const options = {
      host: "0.0.0.0",
      allowedHosts: ["Build.example", ".ci.example", "[2001:DB8::1]"],
    };
    for (const Host of [
      "build.example:8001",
      "BUILD.EXAMPLE.",
      "ci.example",
      "a.b.ci.example",
      "localhost",
      "[2001:db8:0::1]",
    ]) {
      expect(attempt({ headers: { Host }, options }).type).toBe("admit");
    }
    for (const Host of ["a.build.example", "xci.example", "ci.example.evil", "evil.example"]) {
      expect(refusal({ headers: { Host }, options }).status).toBe(403);
    }
    expect(attempt({ headers: { Host: "any.example" }, options: { allowedHosts: "*" } }).type).toBe(
      "admit",
    );
  });
});

describe("Origin (RFC 6455, section 10.2)", () => {
  const from = (Origin: string | string[], given: Attempt = {}) =>
    attempt({ ...given, headers: { ...given.headers, Origin } });

  test("may be absent: what sends none is no browser", () => expect(attempt().type).toBe("admit"));

  test.each(["http://localhost:8001", "HTTP://LocalHost:8001"])(
    "is the server's own: %s",
    (origin) => expect(from(origin).type).toBe("admit"),
  );

  test("has the scheme's port where it names none", () => {
    expect(from("http://localhost", { headers: { Host: "localhost:80" } }).type).toBe("admit");
    expect(from("http://localhost:80", { headers: { Host: "localhost" } }).type).toBe("admit");
    expect(from("https://localhost", { headers: { Host: "localhost" }, secure: true }).type).toBe(
      "admit",
    );
    expect(from("https://localhost", { headers: { Host: "localhost" } }).type).toBe("refuse");
  });

  test.each([
    "http://localhost",
    "http://localhost:8002",
    "https://localhost:8001",
    "http://127.0.0.1:8001",
    "http://localhost:8001.evil.example",
    "http://evil.example",
    "http://localhost:8001@evil.example",
    "http://localhost:8001/",
    "http://localhost:8001/path",
    "http://localhost:8001 http://localhost:8001",
    "//localhost:8001",
    "localhost:8001",
    "file://",
    "null",
    "",
  ])("is no other: %j", (origin) => expect(from(origin)).toMatchObject({ status: 403 }));

  test("is there at most once", () => {
    const own = "http://localhost:8001";
    expect(from([own, own])).toMatchObject({ status: 400 });
    expect(from([own, own], { options: { origins: "*" } })).toMatchObject({ status: 400 });
  });

  test("is a listed one, compared whole", () => {
    const options = { origins: ["https://App.example", "chrome-extension://abc"] };
    for (const origin of [
      "https://app.example",
      "https://app.example:443",
      "chrome-extension://abc",
      "http://localhost:8001",
    ]) {
      expect(from(origin, { options }).type).toBe("admit");
    }
    for (const origin of [
      "http://app.example",
      "https://app.example:444",
      "https://x.app.example",
      "https://app.example.evil",
      "chrome-extension://abd",
      "null",
    ]) {
      expect(from(origin, { options })).toMatchObject({ status: 403 });
    }
  });

  test("is any with `*`, a sandboxed page's too", () => {
    for (const origin of ["https://any.example", "null"]) {
      expect(from(origin, { options: { origins: "*" } }).type).toBe("admit");
    }
  });

  test("that is foreign is told what to add", () => {
    expect(from("https://app.example")).toMatchObject({
      body: expect.stringContaining(
        'add "https://app.example" to the server\'s option `origins`',
      ) as string,
    });
  });
});

describe("the handshake (RFC 6455, section 4.2.1)", () => {
  test.each([
    [{ Upgrade: "h2c" }, 426],
    [{ Upgrade: null }, 426],
    [{ Upgrade: ["websocket", "websocket"] }, 426],
    [{ Connection: "keep-alive" }, 400],
    [{ Connection: "upgraded" }, 400],
    [{ Connection: null }, 400],
    [{ "Sec-WebSocket-Key": null }, 400],
    [{ "Sec-WebSocket-Key": "AAAA" }, 400],
    [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=" }, 400],
    [{ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ===" }, 400],
    [{ "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="] }, 400],
    [{ "Sec-WebSocket-Version": "8" }, 426],
    [{ "Sec-WebSocket-Version": "013" }, 426],
    [{ "Sec-WebSocket-Version": null }, 426],
    [{ "Sec-WebSocket-Version": ["13", "13"] }, 426],
    [{ "Content-Length": "1" }, 400],
    [{ "Content-Length": ["0", "0"] }, 400],
    [{ "Transfer-Encoding": "chunked" }, 400],
  ])("with %j is refused with %i", (headers, status) => {
    expect(refusal({ headers })).toMatchObject({ status });
  });

  test.each([
    { Upgrade: "WebSocket" },
    { Connection: "UPGRADE" },
    { Connection: ["keep-alive", "upgrade"] },
    { "Content-Length": "0" },
  ])("with %j is taken", (headers) => expect(attempt({ headers }).type).toBe("admit"));

  test("names the version that would do (section 4.4)", () => {
    expect(refusal({ headers: { "Sec-WebSocket-Version": "8" } }).headers).toMatchObject({
      "Sec-WebSocket-Version": "13",
    });
  });
});

describe("a busy server", () => {
  test("takes maxConnections and no more", () => {
    const options = { maxConnections: 3, retryAfterSeconds: 7 };
    expect(attempt({ options, load: { connections: 2 } }).type).toBe("admit");
    expect(refusal({ options, load: { connections: 3 } })).toMatchObject({
      status: 503,
      headers: { "Retry-After": "7" },
    });
  });

  test("takes maxConnectionsPerAddress of one address and no more", () => {
    const options = { maxConnectionsPerAddress: 3 };
    expect(attempt({ options, load: { connectionsOfAddress: 2 } }).type).toBe("admit");
    expect(refusal({ options, load: { connectionsOfAddress: 3 } })).toMatchObject({
      status: 429,
      headers: { "Retry-After": "5" },
    });
  });

  test("takes nobody while it drains", () => {
    expect(refusal({ load: { isDraining: true } })).toMatchObject({
      status: 503,
      headers: { "Retry-After": "5" },
    });
  });

  test("does not tell a foreign page that it is", () => {
    const headers = { Origin: "https://evil.example" };
    expect(refusal({ headers, load: { isDraining: true } }).status).toBe(403);
  });
});

describe("the sub-protocol (RFC 6455, section 4.2.2)", () => {
  const chat = (offers: string | null | string[], listed: string[] = [], url = "/websocket/chat") =>
    attempt({ url, listed, headers: { "Sec-WebSocket-Protocol": offers } });

  test.each([
    [null, [], undefined],
    [null, ["chat.v2"], undefined],
    ["chat.v1", [], undefined],
    ["chat.v1, chat.v2", [], undefined],
    ["chat.v1, chat.v2", ["chat.v2"], "chat.v2"],
    ["chat.v1,chat.v2", ["chat.v2", "chat.v1"], "chat.v1"],
    [["chat.v1", "chat.v2"], ["chat.v2"], "chat.v2"],
    ["chat.v2, windsock.v1", ["chat.v2"], "chat.v2"],
  ])("offered as %j where %j are listed is %j", (offers, listed, protocol) => {
    expect(chat(offers, listed)).toMatchObject({ type: "admit", protocol });
  });

  test.each([
    ["chat.v3", ["chat.v1", "chat.v2"], "one of the sub-protocols chat.v1, chat.v2, or none"],
    ["Chat.v1", ["chat.v1"], "one of the sub-protocols"],
    ["", [], "tokens"],
    ["a,,b", [], "tokens"],
    ["a b", [], "tokens"],
    ["a;b", ["a"], "tokens"],
    ["a, a", ["a"], "once"],
    [["a", "a"], ["a"], "once"],
  ])("offered as %j where %j are listed is refused", (offers, listed, sentence) => {
    expect(chat(offers, listed)).toMatchObject({
      status: 400,
      body: expect.stringContaining(sentence) as string,
    });
  });

  test("windsock.v1 is the only one at the root", () => {
    expect(chat("windsock.v1", [], "/websocket")).toMatchObject({
      type: "admit",
      endpoint: "multiplex",
      protocol: "windsock.v1",
      path: undefined,
    });
    expect(chat("other, windsock.v1", [], "/websocket")).toMatchObject({ protocol: "windsock.v1" });
    expect(chat(null, [], "/websocket")).toMatchObject({ status: 400 });
    expect(chat("other", [], "/websocket")).toMatchObject({ status: 400 });
  });

  test.each([
    ["/websocket/chat?a=/websocket/b", ["windsock.v1"], "chat?a=/websocket/b"],
    ["/websocket/chat", ["chat.v2"], "chat"],
    // What is wrong with a path is for its join to say.
    ["/websocket/nobody", [], "nobody"],
    ["/websocket/chat/", [], "chat/"],
    ["/websocket/", [], ""],
    ["/websocket/%ff", [], "%ff"],
  ])("windsock.v1 below the root, at %s, asks for a join as well", (target, listed, path) => {
    expect(chat("windsock.v1", listed, target)).toMatchObject({
      type: "admit",
      endpoint: "multiplex",
      protocol: "windsock.v1",
      path,
    });
  });

  test("windsock.v1 elsewhere is at no service's path", () => {
    expect(chat("windsock.v1", [], "/other/chat")).toMatchObject({ status: 404 });
  });
});

describe("options", () => {
  test("have defaults and are frozen", () => {
    expect(admissionOptions()).toMatchObject({
      host: "localhost",
      origins: [],
      maxConnections: 20_000,
    });
    expect(Object.isFrozen(admissionOptions())).toBe(true);
  });

  test.each([
    { origins: ["app.example"] },
    { origins: ["https://app.example/"] },
    { origins: ["https://*.app.example"] },
    { origins: ["null"] },
    { origins: ["*"] },
    { allowedHosts: ["https://app.example"] },
    { allowedHosts: ["app.example:8001"] },
    { allowedHosts: ["*"] },
    { allowedHosts: [""] },
    { maxConnections: 0 },
    { maxConnectionsPerAddress: 1.5 },
    { maxUrlBytes: Number.NaN },
  ])("%j are refused", (options) => expect(() => admissionOptions(options)).toThrow(OptionError));

  test("of a wrong type are told with it", () => {
    const options = { maxHeaders: "0" } as unknown as Partial<AdmissionOptions>;
    expect(() => admissionOptions(options)).toThrow(
      'Expected `maxHeaders` to be an integer of at least 1, got "0" (string).',
    );
  });
});

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::FFFF:10.0.0.1", "10.0.0.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["1::", "1:0:0:0::/64"],
  ["", ""],
])("the address %s counts as %s", (address, block) => expect(addressBlock(address)).toBe(block));

test("whatever comes is decided, never thrown", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("localhost", "http://localhost"),
  );
  fc.assert(
    fc.property(text, text, text, text, (url, host, origin, offers) => {
      const headers = { Host: host, Origin: origin, "Sec-WebSocket-Protocol": offers };
      expect(["admit", "refuse"]).toContain(attempt({ url: `/${url}`, headers }).type);
      expect(["admit", "refuse"]).toContain(attempt({ url: `/websocket/room/${url}` }).type);
      attempt({ url, headers: { Origin: origin } });
    }),
  );
});
