import { hash } from "node:crypto";
import { headerText, type RawHeaders } from "./raw-headers.ts";

/** What every server appends to the client's key (RFC 6455, section 1.3). */
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What the handshake has agreed on. */
export interface Agreed {
  /** The sub-protocol: one of those that a service lists. */
  readonly protocol: string | undefined;
  /** The value of Sec-WebSocket-Extensions. */
  readonly extensions: string | undefined;
  readonly setCookie: string | undefined;
}

/** The 101 of a handshake that was admitted (RFC 6455, section 4.2.2), to be written as Latin-1. */
export function handshakeAnswer(
  rawHeaders: RawHeaders,
  { protocol, extensions, setCookie }: Agreed,
): string {
  const key = headerText(rawHeaders, "sec-websocket-key");
  const accept = hash("sha1", key + guid, "base64");
  let answer = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
  if (protocol !== undefined) answer += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  if (extensions !== undefined) answer += `Sec-WebSocket-Extensions: ${extensions}\r\n`;
  if (setCookie !== undefined) answer += `Set-Cookie: ${setCookie}\r\n`;
  return `${answer}\r\n`;
}
