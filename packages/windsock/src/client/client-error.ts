/**
 * Why something was not done. Programs switch on these, never on the message.
 *
 * | code | meaning |
 * |---|---|
 * | `WINDSOCK_INVALID` ... `WINDSOCK_DOWN` | the server's answer: `error` in the protocol, by the same name |
 * | `WINDSOCK_UNKNOWN` | it was sent, and the membership ended before an answer: it may or may not have been handled |
 * | `WINDSOCK_QUEUE_FULL` | too much waits to be sent or answered already |
 * | `WINDSOCK_CLOSED` | the channel is closed; it was never sent |
 * | `WINDSOCK_ENCODE` | it is no string, bytes or JSON value |
 * | `WINDSOCK_SLOW_READER` | a loop over messages was too slow for its buffer |
 * | `WINDSOCK_UNREACHABLE` | no connection for two minutes; the client keeps trying |
 * | `WINDSOCK_PROTOCOL` | the other side does not speak `windsock.v1` as specified |
 * | `WINDSOCK_BAD_URL` | `url` says no server, and there is no page to take it from |
 * | `WINDSOCK_NO_WEBSOCKET` | there is no `WebSocket` here |
 */
export type ClientErrorCode =
  | "WINDSOCK_INVALID"
  | "WINDSOCK_TOO_BIG"
  | "WINDSOCK_RATE"
  | "WINDSOCK_OVERLOADED"
  | "WINDSOCK_UNKNOWN_CALL"
  | "WINDSOCK_CRASHED"
  | "WINDSOCK_TIMEOUT"
  | "WINDSOCK_CANCELLED"
  | "WINDSOCK_DOWN"
  | "WINDSOCK_NOT_FOUND"
  | "WINDSOCK_REFUSED"
  | "WINDSOCK_BAD_JOIN"
  | "WINDSOCK_DRAINING"
  | "WINDSOCK_UNKNOWN"
  | "WINDSOCK_QUEUE_FULL"
  | "WINDSOCK_CLOSED"
  | "WINDSOCK_ENCODE"
  | "WINDSOCK_SLOW_READER"
  | "WINDSOCK_UNREACHABLE"
  | "WINDSOCK_PROTOCOL"
  | "WINDSOCK_BAD_URL"
  | "WINDSOCK_NO_WEBSOCKET";

/** What an error says in figures and names: what the server added (`retryAfterMs`, `status`), and what the client saw. */
export type ErrorDetail = Readonly<Record<string, unknown>>;

/** Makes the message of an error. */
export type Explain = (code: ClientErrorCode, detail: ErrorDetail) => string;

let explain: Explain = (code, detail) => `${code} ${JSON.stringify(detail)}`;

/** Lets errors say in a sentence what was expected, what came and what to do. Without it: code and detail. */
export function explainErrors(how: Explain): void {
  explain = how;
}

/** The one class of errors that the client rejects with, throws, or hands to `error` handlers. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** Stable across releases. */
  readonly code: ClientErrorCode;
  readonly detail: ErrorDetail;
  constructor(code: ClientErrorCode, detail: ErrorDetail = {}, cause?: unknown) {
    super(explain(code, detail), cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
  }

  /** When it is worth trying again, if the server said so. */
  get retryAfterMs(): number | undefined {
    return this.detail["retryAfterMs"] as number | undefined;
  }
}

/** The error that an `error` envelope means. */
export function refusal(code: string, message: string, detail: ErrorDetail): ClientError {
  return new ClientError(`WINDSOCK_${code.toUpperCase()}` as ClientErrorCode, {
    ...detail,
    message,
  });
}
