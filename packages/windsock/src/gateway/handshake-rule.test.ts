import { describe, expect, test } from "vitest";
import { attempt, refusal } from "../../test/admission-rig.ts";

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
