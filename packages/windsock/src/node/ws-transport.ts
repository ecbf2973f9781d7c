import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Transport, TransportEvents } from "../edge/transport.ts";

const transportOf: unique symbol = Symbol("transport");

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
  this[transportOf]?.events?.closed(code, reason.toString("utf8"));
}

/** `ws` has already answered with the right close code; `close` follows. */
function onError(this: Bound): void {}

function onDrain(this: BoundSocket): void {
  this[transportOf]?.events?.writable();
}
