import type { ClientErrorCode, Explain } from "./client-error.ts";

/** The sentences of the errors that the client itself makes; `{name}` is a field of the detail. */
const sentences: Partial<Record<ClientErrorCode, string>> = {
  WINDSOCK_TIMEOUT: 'Expected an answer to the call "{call}" of {path} in time, got none.',
  WINDSOCK_UNKNOWN:
    "Expected an answer of {path} before the membership ended, got none: it may or may not have been handled. Ask the service, or send with `retry: true` what may be handled twice.",
  WINDSOCK_QUEUE_FULL:
    "Expected room for {bytes} bytes among what waits to be sent or done, got {messages} messages ({waitingBytes} bytes) that wait. Wait for `send` to settle, or raise `maxQueueMessages` and `maxQueueBytes`.",
  WINDSOCK_TOO_BIG: "Expected a message of at most {maxBytes} bytes, got {bytes}.",
  WINDSOCK_CLOSED: "Expected {path} to be open, got closed {closeCode} {reason}",
  WINDSOCK_REFUSED: "Expected `auth` to give a token for {path}, got {reason}",
  WINDSOCK_ENCODE:
    "Expected a string, a Uint8Array or a value that JSON can hold, got {value}: {reason}",
  WINDSOCK_SLOW_READER:
    "Expected a loop or a handler to take messages as they come, got {messages} of them ({bytes} bytes) that wait. Do less for each, add the first one right after `connect`, or raise `maxBufferMessages` and `maxBufferBytes`.",
  WINDSOCK_UNREACHABLE:
    "Expected {path} to be joined at {url} within {ms} ms, got no answer. It is tried on, by WebSocket and nothing else: see whether the server runs, and whether what is between lets WebSocket through.",
  WINDSOCK_PROTOCOL: "Expected {url} to speak windsock.v1, got a fault: {reason}",
  WINDSOCK_BAD_URL:
    'Expected `url` to be the server with its scheme, such as "https://example.com" or "http://localhost:8001", got {url}; the page is {page}.',
  WINDSOCK_NO_WEBSOCKET:
    "Expected a global `WebSocket` (browsers and Node 22 or later have it), got none. The client falls back to nothing else: give it one with `createClient({ WebSocket })`.",
};

/** What was expected, what came, and what to do. The server's errors bring their own sentence. */
export const explanation: Explain = (code, detail) =>
  typeof detail["message"] === "string"
    ? detail["message"]
    : (sentences[code] ?? code)
        .replace(/\{(\w+)\}/g, (_, name: string) => String(detail[name] ?? "none"))
        .trimEnd();
