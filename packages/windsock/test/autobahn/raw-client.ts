import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WindsockError } from "../../src/index.ts";
import { handshake, type HandshakeOptions } from "../raw-socket.ts";

/** How long a test waits for bytes that should be on their way. Real time: a safety net, never a measure. */
export const patienceMs = 45_000;

// ---------- frames to the server ----------

export type Bytes = string | Uint8Array;

export interface FrameOptions {
  /** Four bytes; `undefined` leaves the frame unmasked. @default 37 fa 21 3d (RFC 6455, section 5.7) */
  readonly mask?: Uint8Array | undefined;
  /** Writes the length in 7 bits, 16 or 64, even where fewer would do. @default the fewest */
  readonly lengthBits?: 7 | 16 | 64;
  /** What the header says, whatever the payload is. @default its length */
  readonly length?: bigint;
}

const defaultMask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** A client's frame (RFC 6455, section 5.2). `head` is its first byte: FIN, reserved bits, opcode. */
export function frame(head: number, payload: Bytes = "", options: FrameOptions = {}): Buffer {
  const body = Buffer.from(payload as string);
  const mask = "mask" in options ? options.mask : defaultMask;
  const length = lengthOf(options.length ?? BigInt(body.length), options.lengthBits);
  if (mask === undefined) return Buffer.concat([Uint8Array.of(head), length, body]);
  length[0]! |= 0x80;
  for (let at = 0; at < body.length; at++) body[at]! ^= mask[at & 3]!;
  return Buffer.concat([Uint8Array.of(head), length, mask, body]);
}

function lengthOf(length: bigint, bits: number | undefined): Buffer {
  const needed = length < 126n ? 7 : length < 0x10000n ? 16 : 64;
  const header = Buffer.alloc(9);
  switch (bits ?? needed) {
    case 7:
      header[0] = Number(length);
      return header.subarray(0, 1);
    case 16:
      header[0] = 126;
      header.writeUInt16BE(Number(length), 1);
      return header.subarray(0, 3);
    default:
      header[0] = 127;
      header.writeBigUInt64BE(length, 1);
      return header;
  }
}

export const text = (payload: Bytes = ""): Buffer => frame(0x81, payload);
export const binary = (payload: Bytes = ""): Buffer => frame(0x82, payload);
export const ping = (payload: Bytes = ""): Buffer => frame(0x89, payload);
export const pong = (payload: Bytes = ""): Buffer => frame(0x8a, payload);
/** The fragments of a message: its first, those between, its last. */
export const textStart = (payload: Bytes = ""): Buffer => frame(0x01, payload);
export const binaryStart = (payload: Bytes = ""): Buffer => frame(0x02, payload);
export const middle = (payload: Bytes = ""): Buffer => frame(0x00, payload);
export const last = (payload: Bytes = ""): Buffer => frame(0x80, payload);
export const close = (code: number, reason: Bytes = ""): Buffer =>
  frame(0x88, closePayload(code, reason));

export function closePayload(code: number, reason: Bytes = ""): Buffer {
  return Buffer.concat([
    Uint8Array.of(code >> 8, code & 0xff),
    typeof reason === "string" ? Buffer.from(reason) : reason,
  ]);
}

/** A message in fragments of these sizes; what is left over goes into the last. */
export function fragmented(head: 0x01 | 0x02, payload: Bytes, sizes: readonly number[]): Buffer[] {
  const bytes = Buffer.from(payload as string);
  const frames: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    frames.push(frame(frames.length === 0 ? head : 0x00, bytes.subarray(at, at + size)));
    at += size;
  }
  frames.push(frame(frames.length === 0 ? 0x80 | head : 0x80, bytes.subarray(at)));
  return frames;
}

/** The bytes of these frames, in pieces of so many. */
export function chopped(frames: readonly Buffer[], size: number): Buffer[] {
  const bytes = Buffer.concat(frames);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

// ---------- frames from the server ----------

export interface ServerFrame {
  /** Its first byte: FIN, reserved bits, opcode. */
  readonly head: number;
  readonly payload: Buffer;
  /** Unmasked, and its length in as few bytes as it goes: what RFC 6455, sections 5.1 and 5.2, ask of a server. */
  readonly isProper: boolean;
}

/** Bytes in, frames out. Takes whatever a header can say: judging is up to the tests. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #have = 0;
  #need = 2;

  /** Bytes of a frame that has not arrived in full. */
  get rest(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  push(chunk: Buffer): ServerFrame[] {
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return [];
    let bytes = Buffer.concat(this.#chunks);
    const frames: ServerFrame[] = [];
    for (;;) {
      const total = totalOf(bytes);
      this.#need = total.bytes;
      if (bytes.length < total.bytes) break;
      frames.push(parse(bytes.subarray(0, total.bytes), total.payloadAt));
      bytes = bytes.subarray(total.bytes);
    }
    this.#chunks = [bytes];
    this.#have = bytes.length;
    return frames;
  }
}

/** How many bytes the frame at the head of these takes; with too few of them to know, how many are needed for that. */
function totalOf(bytes: Buffer): { bytes: number; payloadAt: number } {
  const second = bytes[1];
  if (second === undefined) return { bytes: 2, payloadAt: 0 };
  const short = second & 0x7f;
  const lengthEnd = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < lengthEnd) return { bytes: lengthEnd, payloadAt: 0 };
  const length =
    short === 126
      ? bytes.readUInt16BE(2)
      : short === 127
        ? Number(bytes.readBigUInt64BE(2))
        : short;
  const payloadAt = lengthEnd + ((second & 0x80) === 0 ? 0 : 4);
  return { bytes: payloadAt + length, payloadAt };
}

function parse(bytes: Buffer, payloadAt: number): ServerFrame {
  const payload = bytes.subarray(payloadAt);
  const short = payload.length < 126 ? 2 : payload.length < 0x10000 ? 4 : 10;
  return { head: bytes[0]!, payload, isProper: payloadAt === short };
}

// ---------- the connection ----------

/** A WebSocket client that sends whatever it is told to, and notes every frame that comes back. */
export class RawClient {
  /** The answer to the handshake, up to the empty line. */
  readonly head: string;
  readonly frames: ServerFrame[] = [];
  readonly #reader = new FrameReader();
  readonly #socket: Socket;
  #isOver = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, head: string, early: Buffer) {
    this.#socket = socket;
    this.head = head;
    this.#take(early);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => {
      this.#isOver = true;
      this.#wake?.();
    });
  }

  static async open(port: number, options: HandshakeOptions = {}): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.setNoDelay(true);
    socket.write(handshake(port, options));
    let answer = Buffer.alloc(0);
    while (!answer.includes("\r\n\r\n")) {
      const [chunk] = (await once(socket, "data")) as [Buffer];
      answer = Buffer.concat([answer, chunk]);
    }
    const end = answer.indexOf("\r\n\r\n") + 4;
    const head = answer.subarray(0, end).toString("latin1");
    if (!head.startsWith("HTTP/1.1 101 ")) {
      socket.destroy();
      throw new WindsockError(`Expected 101, got ${head}`);
    }
    return new RawClient(socket, head, answer.subarray(end));
  }

  /** Bytes that are no whole frame. */
  get rest(): Buffer {
    return this.#reader.rest;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** Sends no more, and reads on. */
  end(): void {
    this.#socket.end();
  }

  /** Waits until `count` frames have come, or the connection is over. */
  async received(count: number): Promise<void> {
    await this.#until(() => this.frames.length >= count || this.#isOver, `${count} frames`);
  }

  /** Waits until the connection is over. */
  async over(): Promise<void> {
    await this.#until(() => this.#isOver, "an end");
  }

  #take(chunk: Buffer): void {
    this.frames.push(...this.#reader.push(chunk));
    this.#wake?.();
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!isSo()) {
      const left = deadline - performance.now();
      if (left <= 0) {
        this.#socket.destroy();
        const got = this.frames.map(({ head }) => head.toString(16)).join(" ");
        throw new WindsockError(`Expected ${what} in time, got the frames [${got.slice(0, 200)}].`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          this.#wake = undefined;
          resolve();
        };
      });
    }
  }
}
