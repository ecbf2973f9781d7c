import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { Transport, TransportEvents } from "../edge/transport.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { AddressCount, Connections } from "./connections.ts";

const transportOf: unique symbol = Symbol("transport");

/** A socket that remembers its transport once it has been slow: so that all of them share one listener. */
type Wire = Duplex & {
  [transportOf]?: WsTransport;
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
};

/** What a client has sent that no client may send: with which code `ws` has closed it, and why. */
interface Fault {
  readonly code: number;
  readonly reason: string;
}

/** Rounds of the event loop: one in which the actor may pause, one for the flush, and then the close frame. */
const roundsBeforeClose = 3;

/**
 * A connection on `ws` and its socket. `ws` does the handshake, reads frames, answers
 * pings and closes; messages go straight to the socket, as frames that are built once
 * for all who receive them.
 *
 * It is a `WebSocket` itself and takes its events where they are emitted: beside one, with
 * listeners on it, a connection would take some 400 bytes more.
 */
export class WsTransport extends WebSocket implements Transport {
  #wire: Wire | undefined;
  #events: TransportEvents | undefined;
  #connections: Connections | undefined;
  #of: AddressCount | undefined;
  #fault: Fault | undefined;

  /** From here on, what happens goes to these handlers. */
  bind(wire: Duplex, events: TransportEvents, connections: Connections, of: AddressCount): void {
    this.#wire = wire;
    this.#events = events;
    this.#connections = connections;
    this.#of = of;
  }

  get isWritable(): boolean {
    return this.#wire?.writableNeedDrain === false && this.readyState === WebSocket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#wire?.writableLength ?? 0;
  }

  get takenBytes(): number {
    return (this.#wire?.bytesWritten ?? 0) - this.bufferedBytes;
  }

  get readBytes(): number {
    return this.#wire?.bytesRead ?? 0;
  }

  write(frames: Buffer): void {
    const wire = this.#wire;
    // Once the closing handshake has begun, no data frame may follow (RFC 6455, section 5.5.1).
    if (wire === undefined || this.readyState !== WebSocket.OPEN) return;
    if (wire.write(frames) || wire[transportOf] !== undefined) return;
    wire[transportOf] = this;
    wire.on("drain", onDrain);
  }

  cork(): void {
    this.#wire?.cork();
  }

  uncork(): void {
    this.#wire?.uncork();
  }

  /**
   * `ws` closes as soon as it reads a close frame or a fault; what the service says to the
   * messages of the same read is written later. It leaves first, unless the service takes its
   * time: RFC 6455, section 5.5.1, lets a server finish what it is sending.
   */
  override close(code?: number, reason?: string | Buffer): void {
    const wire = this.#wire;
    if (wire === undefined || this.readyState !== WebSocket.OPEN) {
      super.close(code, reason);
      return;
    }
    const answer = (): void => {
      wire.off("end", answer);
      super.close(code, reason);
    };
    const wait = (rounds: number): void => {
      if (rounds === 0) answer();
      else setImmediate(wait, rounds - 1);
    };
    // At the end of the other side `ws` ends ours, close frame or not.
    wire.prependListener("end", answer);
    wait(roundsBeforeClose);
  }

  destroy(): void {
    this.terminate();
  }

  drained(): void {
    this.#events?.writable();
  }

  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    switch (event) {
      case "message":
        this.#events?.message(first as Buffer, second as boolean);
        return true;
      case "error":
        this.#failed(first as Error);
        return true;
      case "close":
        this.#ended(first as number, second as Buffer);
        return true;
      default:
        return super.emit(event, first, second);
    }
  }

  /** `ws` has already answered with the right close code; `close` follows. */
  #failed(error: Error): void {
    const code = faultCode(error);
    if (code !== undefined) this.#fault ??= { code, reason: error.message };
  }

  #ended(code: number, reason: Buffer): void {
    if (this.#of !== undefined) this.#connections?.close(this.#of);
    this.#of = undefined;
    const events = this.#events;
    this.#events = undefined;
    // After a fault `ws` reads no more, so no answer to its close frame is seen.
    if (code === closeCode.abnormal && this.#fault !== undefined)
      events?.closed(this.#fault.code, this.#fault.reason);
    else events?.closed(code, reason.toString("utf8"));
  }
}

function onDrain(this: Wire): void {
  this[transportOf]?.drained();
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
