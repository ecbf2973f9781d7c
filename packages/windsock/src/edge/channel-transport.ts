import type { Transport } from "./transport.ts";

/**
 * A channel's share of a socket: it writes as if it were alone. What concerns the socket
 * as a whole (closing, pausing, pings) is its session's.
 */
export class ChannelTransport implements Transport {
  readonly #socket: Transport;

  constructor(socket: Transport) {
    this.#socket = socket;
  }

  get isWritable(): boolean {
    return this.#socket.isWritable;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  get takenBytes(): number {
    return this.#socket.takenBytes;
  }

  get readBytes(): number {
    return this.#socket.readBytes;
  }

  write(frames: Buffer): void {
    this.#socket.write(frames);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  close(): void {}

  destroy(): void {}

  ping(): void {}

  /** What one service cannot take yet must not hold up the others: credit bounds it. */
  pause(): void {}

  resume(): void {}
}
