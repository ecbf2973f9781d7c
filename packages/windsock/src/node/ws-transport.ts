import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Transport, TransportEvents } from "../edge/transport.ts";
import { closeCode } from "../protocol/close-code.ts";

const transportOf: unique symbol = Symbol("transport");

/** What a client has sent that no client may send: with which code `ws` has closed it, and why. */
interface Fault {
  readonly code: number;
  readonly reason: string;
}

/** A `ws` connection that remembers its transport: so that all of them share the same few listeners. */
type Bound = WebSocket & { [transportOf]?: WsTransport };
type BoundSocket = Duplex & { [transportOf]?: WsTransport; readonly bytesWritten?: number };

/**
 * A connection on `ws` and its socket. `ws` does the handshake, reads frames, answers
 * pings and closes; messages go straight to the socket, as frames that are built once
 * for all who receive them.
 */
export class WsTransport implements Transport {
  readonly #ws: Bound;
  readonly #socket: BoundSocket;
  #events: TransportEvents | undefined;
  #fault: Fault | undefined;

  constructor(ws: WebSocket, socket: Duplex) {
    this.#ws = ws;
    this.#socket = socket;
    this.#ws[transportOf] = this;
    this.#socket[transportOf] = this;
  }

  /** From here on, what happens goes to these handlers. */
  bind(events: TransportEvents): void {
    this.#events = events;
    this.#ws.on("message", onMessage);
    this.#ws.on("ping", onAlive);
    this.#ws.on("pong", onAlive);
    this.#ws.on("close", onClose);
    this.#ws.on("error", onError);
    this.#socket.on("drain", onDrain);
  }

  get events(): TransportEvents | undefined {
    return this.#events;
  }

  failed(error: Error): void {
    const code = faultCode(error);
    if (code !== undefined) this.#fault ??= { code, reason: error.message };
  }

  ended(code: number, reason: string): void {
    // After a fault `ws` reads no more, so no answer to its close frame is seen.
    const { code: last, reason: why } =
      code === closeCode.abnormal ? (this.#fault ?? { code, reason }) : { code, reason };
    this.#events?.closed(last, why);
  }

  get isWritable(): boolean {
    return !this.#socket.writableNeedDrain && this.#ws.readyState === this.#ws.OPEN;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get takenBytes(): number {
    return (this.#socket.bytesWritten ?? 0) - this.#socket.writableLength;
  }

  write(frames: Buffer): void {
    // Once the closing handshake has begun, no data frame may follow (RFC 6455, section 5.5.1).
    if (this.#ws.readyState === this.#ws.OPEN) this.#socket.write(frames);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  close(code: number, reason: string): void {
    // Paused, it would never read the answer.
    this.#ws.resume();
    this.#ws.close(code, reason);
  }

  destroy(): void {
    this.#ws.terminate();
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }
}

function onMessage(this: Bound, data: unknown, isBinary: boolean): void {
  const events = this[transportOf]?.events;
  events?.alive();
  events?.message(data as Buffer, isBinary);
}

function onAlive(this: Bound): void {
  this[transportOf]?.events?.alive();
}

function onClose(this: Bound, code: number, reason: Buffer): void {
  this[transportOf]?.ended(code, reason.toString("utf8"));
}

/** `ws` has already answered with the right close code; `close` follows. */
function onError(this: Bound, error: Error): void {
  this[transportOf]?.failed(error);
}

function onDrain(this: BoundSocket): void {
  this[transportOf]?.events?.writable();
}

/** Which close code `ws` has given this error; undefined for what is no fault of the client's. */
function faultCode(error: Error): number | undefined {
  const name: unknown = "code" in error ? error.code : undefined;
  switch (name) {
    case "WS_ERR_INVALID_UTF8":
      return closeCode.invalidPayload;
    case "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH":
    case "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH":
      return closeCode.tooBig;
    case "WS_ERR_TOO_MANY_BUFFERED_PARTS":
      return closeCode.policyViolation;
    default:
      return typeof name === "string" && name.startsWith("WS_ERR_")
        ? closeCode.protocolError
        : undefined;
  }
}
