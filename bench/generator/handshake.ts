import { createHash, randomBytes } from "node:crypto";
import type { Dialect } from "../commands.ts";

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Keys with the answers that a server must give (RFC 6455, section 4.2.2). A few serve for all: making them is not what is measured. */
const keys = Array.from({ length: 64 }, () => {
  const key = randomBytes(16).toString("base64");
  return {
    key,
    accept: createHash("sha1")
      .update(key + guid)
      .digest("base64"),
  };
});

export interface Handshake {
  readonly request: string;
  /** What the head of the answer must hold. */
  readonly accept: string;
}

/** The request of a page on the same origin, with the fields that Chromium sends, in its order. */
export function handshakeOf(number: number, port: number, dialect: Dialect): Handshake {
  const { key, accept } = keys[number % keys.length] ?? { key: "", accept: "" };
  const request = [
    `GET ${dialect.path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Connection: Upgrade",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",
    "Upgrade: websocket",
    `Origin: http://127.0.0.1:${port}`,
    "Sec-WebSocket-Version: 13",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9",
    "Cookie: theme=dark; _ga=GA1.1.1234567890.1700000000; sidebar=open; last_seen=2026-01-02T03%3A04%3A05Z",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ...(dialect.kind === "windsock-v1" ? ["Sec-WebSocket-Protocol: windsock.v1"] : []),
    "\r\n",
  ].join("\r\n");
  return { request, accept };
}
