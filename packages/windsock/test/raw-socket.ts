import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WindsockError } from "../src/index.ts";

/** How long a test waits for bytes that should be on their way. Real time: a safety net, never a measure. */
const patienceMs = 45_000;

export interface HandshakeOptions {
  readonly path?: string;
  readonly version?: string;
  /** Header lines beside the handshake's own; `Host` only replaces it. */
  readonly headers?: readonly string[];
  readonly host?: readonly string[];
}

/** A TCP connection, byte for byte: for what no WebSocket client would send. */
export class RawSocket {
  readonly #socket: Socket;
  #data: Buffer = Buffer.alloc(0);
  #isOver = false;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#data = Buffer.concat([this.#data, chunk]);
      this.#notify();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isOver = true;
      this.#notify();
    });
    socket.on("end", () => {
      this.#isOver = true;
      this.#notify();
    });
  }

  static async open(port: number): Promise<RawSocket> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawSocket(socket);
  }

  /** A connection whose handshake is done. */
  static async upgrade(port: number, options: HandshakeOptions = {}): Promise<RawSocket> {
    const raw = await RawSocket.open(port);
    raw.write(handshake(port, options));
    const head = await raw.head();
    if (!head.startsWith("HTTP/1.1 101 ")) throw new WindsockError(`Expected 101, got ${head}`);
    return raw;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends no more, and reads on. */
  end(): void {
    this.#socket.end();
  }

  /** Goes away without a word. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Everything up to the empty line after the header. */
  async head(): Promise<string> {
    await this.#until(() => this.#data.includes("\r\n\r\n"));
    const end = this.#data.indexOf("\r\n\r\n") + 4;
    return this.#take(end).toString("latin1");
  }

  /** `count` bytes. */
  async bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#data.length >= count);
    return this.#take(count);
  }

  /** What is left until the other side ends. */
  async rest(): Promise<Buffer> {
    await this.#until(() => this.#isOver);
    return this.#take(this.#data.length);
  }

  /** The status of an HTTP answer, its header and its body, until the other side ends. */
  async answer(): Promise<{ status: number; head: string; body: string }> {
    const text = (await this.rest()).toString("utf8");
    const [head = "", ...body] = text.split("\r\n\r\n");
    return { status: Number(head.split(" ")[1]), head, body: body.join("\r\n\r\n") };
  }

  /** The code of the close frame that comes next. */
  async closeCode(): Promise<number> {
    const [first = 0, length = 0] = await this.bytes(2);
    const payload = await this.bytes(length & 0x7f);
    if (first !== 0x88)
      throw new WindsockError(`Expected a close frame, got ${first.toString(16)}`);
    return payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  }

  #take(count: number): Buffer {
    const taken = this.#data.subarray(0, count);
    this.#data = this.#data.subarray(count);
    return taken;
  }

  async #until(isSo: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!isSo()) {
      const left = deadline - performance.now();
      if (this.#isOver || left <= 0)
        throw new WindsockError(
          `Expected more bytes ${this.#isOver ? "before the end" : "in time"}, got ${JSON.stringify(this.#data.toString("latin1"))}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** The request of RFC 6455, section 1.2. */
export function handshake(port: number, options: HandshakeOptions = {}): string {
  const { path = "/websocket/status", version = "1.1" } = options;
  const lines = [
    `GET ${path} HTTP/${version}`,
    ...(options.host ?? [`Host: 127.0.0.1:${port}`]),
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    ...(options.headers ?? []),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A client's frame (RFC 6455, section 5.2). `head` is its first byte: FIN, reserved bits, opcode. */
export function clientFrame(head: number, payload: string | Uint8Array, isMasked = true): Buffer {
  const data = Buffer.from(payload as string);
  const mask = Buffer.from([1, 2, 3, 4]);
  const bit = isMasked ? 0x80 : 0;
  const length =
    data.length < 126
      ? Buffer.from([data.length | bit])
      : data.length < 0x10000
        ? Buffer.from([126 | bit, data.length >> 8, data.length & 0xff])
        : Buffer.from([127 | bit, 0, 0, 0, 0, ...uint32(data.length)]);
  const body = isMasked ? data.map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : data;
  return Buffer.concat([Buffer.from([head]), length, isMasked ? mask : Buffer.alloc(0), body]);
}

function uint32(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
