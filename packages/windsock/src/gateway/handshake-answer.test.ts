import { expect, test } from "vitest";
import { handshakeAnswer } from "./handshake-answer.ts";

const headers = ["Host", "x", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="];

test("RFC 6455, section 1.3: the key of the example has the answer of the example", () => {
  expect(handshakeAnswer(headers, undefined, undefined)).toBe(
    "HTTP/1.1 101 Switching Protocols\r\n" +
      "Upgrade: websocket\r\n" +
      "Connection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
});

test("what was agreed on stands behind it", () => {
  expect(handshakeAnswer(headers, "chat", "id=1; HttpOnly")).toMatch(
    /xOo=\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: id=1; HttpOnly\r\n\r\n$/,
  );
});
