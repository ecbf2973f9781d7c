import { expect, test } from "vitest";
import { handshakeAnswer, type Agreed } from "./handshake-answer.ts";

const headers = ["Host", "x", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="];

const nothing: Agreed = { protocol: undefined, extensions: undefined, setCookie: undefined };

test("RFC 6455, section 1.3: the key of the example has the answer of the example", () => {
  expect(handshakeAnswer(headers, nothing)).toBe(
    "HTTP/1.1 101 Switching Protocols\r\n" +
      "Upgrade: websocket\r\n" +
      "Connection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  );
});

test("what was agreed on stands behind it", () => {
  const agreed = { protocol: "chat", extensions: "x; y=1", setCookie: "id=1; HttpOnly" };
  expect(handshakeAnswer(headers, agreed)).toMatch(
    /xOo=\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x; y=1\r\nSet-Cookie: id=1; HttpOnly\r\n\r\n$/,
  );
});
