import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admission, attempt, refusal } from "../../test/admission-rig.ts";
import { OptionError } from "../errors.ts";
import { admissionOptions, type AdmissionOptions } from "./admission.ts";

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
