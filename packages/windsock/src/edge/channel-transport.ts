import type { ComeBack } from "../protocol/port.ts";
import type { Transport } from "./transport.ts";

/** The session that a channel is one of. */
export interface ChannelOwner {
  readonly transport: Transport;
  closeChannel(number: number, code: number, reason: string, comeBack: ComeBack | undefined): void;
  forget(number: number): void;
}

/**
 * A channel's share of a socket: it writes as if it were alone. What concerns the socket
 * as a whole (its end, pausing, pings) is its session's.
 */
export class ChannelTransport implements Transport {
  readonly #session: ChannelOwner;
  readonly #number: number;

  constructor(session: ChannelOwner, number: number) {
    this.#session = session;
    this.#number = number;
  }

  get #socket(): Transport {
    return this.#session.transport;
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

  /** The channel alone. */
  close(code: number, reason: string, comeBack?: ComeBack): void {
    this.#session.closeChannel(this.#number, code, reason, comeBack);
  }

  /** Without a word. */
  forget(): void {
    this.#session.forget(this.#number);
  }

  destroy(): void {}

  ping(): void {}

  /** What one service cannot take yet must not hold up the others: credit bounds it. */
  pause(): void {}

  resume(): void {}
}
