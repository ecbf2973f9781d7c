import type { Transport, TransportEvents } from "../src/edge/transport.ts";

/** As of a socket: from here on a write asks to wait for `drain`. */
const highWaterBytes = 64 * 1024;

/**
 * A connection without a network. What is written waits until the other side takes it:
 * at once while `isReading`, else as much as `take` says.
 */
export class MemoryTransport implements Transport {
  /** Text as strings, binary as buffers. */
  readonly received: (string | Buffer)[] = [];
  /** How often the system was called: writes between `cork` and `uncork` count once. */
  writes = 0;
  pings = 0;
  isPaused = false;
  readonly isDeflated: boolean = false;
  isReading = true;
  /** Whether the other side answers a close frame. */
  isAnswering = true;
  closed: { readonly code: number | undefined; readonly reason: string } | undefined;
  isDestroyed = false;
  takenBytes = 0;
  readBytes = 0;
  mostBuffered = 0;
  #events: TransportEvents | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #partial: Buffer = Buffer.alloc(0);
  #needsDrain = false;
  #corks = 0;
  #isCorkDirty = false;
  #incoming: (() => void)[] = [];

  /** What happens from here on goes to these handlers. */
  bind(events: TransportEvents): void {
    this.#events = events;
  }

  get wire(): this {
    return this;
  }

  get isWritable(): boolean {
    return !this.#needsDrain && this.closed === undefined && !this.isDestroyed;
  }

  get bufferedBytes(): number {
    return this.#pendingBytes;
  }

  write(frames: Buffer): void {
    if (this.closed !== undefined || this.isDestroyed) return;
    if (this.#corks > 0) this.#isCorkDirty = true;
    else this.writes += 1;
    if (this.isReading) {
      this.#arrive(frames);
      return;
    }
    this.#pending.push(frames);
    this.#pendingBytes += frames.length;
    this.mostBuffered = Math.max(this.mostBuffered, this.#pendingBytes);
    if (this.#pendingBytes >= highWaterBytes) this.#needsDrain = true;
  }

  cork(): void {
    this.#corks += 1;
  }

  uncork(): void {
    this.#corks -= 1;
    if (this.#corks > 0 || !this.#isCorkDirty) return;
    this.#isCorkDirty = false;
    this.writes += 1;
  }

  close(code: number, reason: string): void {
    if (this.closed !== undefined || this.isDestroyed) return;
    this.closed = { code, reason };
    this.#answerClose();
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    queueMicrotask(() => this.#events?.closed(undefined, ""));
  }

  ping(): void {
    this.pings += 1;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    for (const arrive of this.#incoming.splice(0)) {
      if (this.isPaused) this.#incoming.push(arrive);
      else arrive();
    }
  }

  // ---------- the other side ----------

  /** It reads on: what waits arrives, and what follows arrives at once. */
  read(): void {
    this.isReading = true;
    this.take(Infinity);
    this.#answerClose();
  }

  /** It takes up to so many bytes of what waits. */
  take(bytes: number): void {
    const waiting = Buffer.concat(this.#pending);
    const taken = waiting.subarray(0, bytes);
    const left = waiting.subarray(taken.length);
    this.#pending = left.length === 0 ? [] : [left];
    this.#pendingBytes = left.length;
    this.#arrive(taken);
    if (left.length > 0 || !this.#needsDrain) return;
    this.#needsDrain = false;
    this.#events?.writable();
  }

  /** It sends a message. While the socket is paused, it stays on the way. */
  send(data: string | Uint8Array): void {
    const arrive = (): void => {
      this.readBytes += 1;
      this.#events?.message(Buffer.from(data as string), typeof data !== "string");
    };
    if (this.isPaused) this.#incoming.push(arrive);
    else arrive();
  }

  pong(): void {
    this.readBytes += 1;
  }

  /** It ends the connection: with a close frame, or (no code) by going away. */
  leave(code?: number, reason: string = ""): void {
    this.isDestroyed = true;
    this.#events?.closed(code, reason);
  }

  #answerClose(): void {
    const { closed } = this;
    if (closed === undefined || !this.isReading || !this.isAnswering || this.isDestroyed) return;
    this.isDestroyed = true;
    queueMicrotask(() => this.#events?.closed(closed.code, closed.reason));
  }

  /** Server-to-client frames (RFC 6455, section 5.2), unmasked and whole. */
  #arrive(bytes: Buffer): void {
    this.takenBytes += bytes.length;
    let data = Buffer.concat([this.#partial, bytes]);
    for (;;) {
      const short = (data[1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (data.length < header) break;
      const length =
        short < 126 ? short : short === 126 ? data.readUInt16BE(2) : data.readUInt32BE(6);
      if (data.length < header + length) break;
      const payload = Buffer.from(data.subarray(header, header + length));
      this.received.push(data[0] === 0x81 ? payload.toString("utf8") : payload);
      data = data.subarray(header + length);
    }
    this.#partial = data;
  }
}
