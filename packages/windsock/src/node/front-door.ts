import type { Server as HttpServer } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../actor/clock.ts";
import { UpgradeReader, type ReadUpgrade } from "../gateway/upgrade-reader.ts";
import { abandon, own, release, type SocketOwner } from "./socket-owner.ts";
import { TimeoutQueue } from "./timeout-queue.ts";

export interface FrontDoorOptions {
  readonly clock: Clock;
  /** How long a connection may send nothing. Then: 408. */
  readonly timeoutMs: number;
  /** As many as may be open, WebSockets included. One more is closed without an answer. */
  readonly maxConnections: number;
  /** Takes over the socket. `rest`: what came behind the head. */
  readonly upgrade: (head: ReadUpgrade, socket: Socket, rest: Buffer) => void;
}

type Arrived = (this: HttpServer, socket: Socket) => void;

const timedOut = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

/**
 * Stands before an HTTP server of our own: looks at the first bytes of each connection. A whole
 * head of an upgrade is taken here; with all else, and with what has come of it, the
 * connection goes to the HTTP server as if it had just arrived there.
 */
export class FrontDoor implements SocketOwner {
  readonly #http: HttpServer;
  readonly #options: FrontDoorOptions;
  readonly #reader = new UpgradeReader();
  /** Those that have sent nothing yet. */
  readonly #waiting: TimeoutQueue<Socket>;
  readonly #behind: readonly Arrived[];
  #open = 0;

  constructor(http: HttpServer, options: FrontDoorOptions) {
    this.#http = http;
    this.#options = options;
    this.#waiting = new TimeoutQueue(options.clock, options.timeoutMs, (socket) => {
      abandon(socket);
      socket.end(timedOut, () => socket.destroy());
    });
    this.#behind = http.listeners("connection") as Arrived[];
    http.removeAllListeners("connection");
    http.on("connection", this.#arrived);
  }

  readonly #arrived = (socket: Socket): void => {
    if (this.#open >= this.#options.maxConnections) {
      socket.destroy();
      return;
    }
    this.#open += 1;
    socket.on("close", this.#left);
    own(socket, this);
    this.#waiting.add(socket);
  };

  readonly #left = (): void => {
    this.#open -= 1;
  };

  /** Ends the connections that have sent nothing: as `closeIdleConnections` does with those behind. */
  closeIdleConnections(): void {
    for (const socket of this.#waiting.items) socket.destroy();
  }

  /** The HTTP server has ended all that there was. */
  stop(): void {
    this.#waiting.stop();
  }

  read(chunk: Buffer, socket: Socket): void {
    this.#waiting.delete(socket);
    const head = this.#reader.read(chunk);
    if (head !== undefined) {
      this.#options.upgrade(head, socket, chunk.subarray(head.byteLength));
      return;
    }
    release(socket);
    socket.pause();
    socket.unshift(chunk);
    for (const arrived of this.#behind) arrived.call(this.#http, socket);
    socket.resume();
  }

  drained(): void {}

  ended(socket: Socket): void {
    socket.end();
  }

  closed(socket: Socket): void {
    this.#waiting.delete(socket);
  }
}
