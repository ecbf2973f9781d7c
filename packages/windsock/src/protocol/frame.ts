/** Server-to-client frames (RFC 6455, section 5.2), built once and shared by all who receive them. */

/** The two data opcodes (RFC 6455, section 5.6). */
export const opcode = { text: 1, binary: 2 } as const;
export type Opcode = (typeof opcode)[keyof typeof opcode];

/** Text and JSON are text frames. */
export function opcodeOf(kind: "text" | "json" | "binary"): Opcode {
  return kind === "binary" ? opcode.binary : opcode.text;
}

/** Bytes of the header in front of a payload: servers do not mask (RFC 6455, section 5.1). */
export function headerLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 0x10000 ? 4 : 10;
}

function writeHeader(target: Buffer, offset: number, code: Opcode, length: number): number {
  target[offset] = 0x80 | code;
  if (length < 126) {
    target[offset + 1] = length;
    return offset + 2;
  }
  if (length < 0x10000) {
    target[offset + 1] = 126;
    target.writeUInt16BE(length, offset + 2);
    return offset + 4;
  }
  target[offset + 1] = 127;
  target.writeUInt32BE(Math.floor(length / 0x100000000), offset + 2);
  target.writeUInt32BE(length >>> 0, offset + 6);
  return offset + 10;
}

/**
 * One message, encoded once. Its bytes never change, so any number of sockets,
 * queues and logs may hold it. The frame around it is built when somebody needs it,
 * and its pieces are joined only then: an envelope costs no buffer of its own.
 */
export class Frame {
  readonly opcode: Opcode;
  /** What stands between `front` and `back`: shared with whoever else has it. */
  readonly payload: Uint8Array;
  /** Header and message. */
  readonly byteLength: number;
  readonly #front: string;
  readonly #back: string;
  #single: Buffer | undefined;

  /** `front` and `back` must be ASCII. */
  constructor(code: Opcode, payload: Uint8Array, front: string = "", back: string = "") {
    this.opcode = code;
    this.payload = payload;
    this.#front = front;
    this.#back = back;
    const length = this.messageLength;
    this.byteLength = headerLength(length) + length;
  }

  /** Bytes of the message: all but the header. */
  get messageLength(): number {
    return this.#front.length + this.payload.length + this.#back.length;
  }

  /** The frame in a buffer of its own, built at the first call. */
  single(): Buffer {
    if (this.#single === undefined) {
      const buffer = Buffer.allocUnsafe(this.byteLength);
      this.write(buffer, 0);
      this.#single = buffer;
    }
    return this.#single;
  }

  /** Writes the frame at `offset` and returns where it ends. */
  write(target: Buffer, offset: number): number {
    const start = writeHeader(target, offset, this.opcode, this.messageLength);
    const body = writeAscii(target, start, this.#front);
    target.set(this.payload, body);
    return writeAscii(target, body + this.payload.length, this.#back);
  }
}

/** A loop: for the few characters of an envelope it takes a quarter of what `Buffer.write` does. */
function writeAscii(target: Buffer, offset: number, text: string): number {
  for (let index = 0; index < text.length; index++) target[offset + index] = text.charCodeAt(index);
  return offset + text.length;
}

/** Several frames as one buffer, in order. A lone frame is not copied. */
export function concatFrames(frames: readonly Frame[]): Buffer {
  const first = frames[0];
  if (first !== undefined && frames.length === 1) return first.single();
  let length = 0;
  for (const frame of frames) length += frame.byteLength;
  const buffer = Buffer.allocUnsafe(length);
  let offset = 0;
  for (const frame of frames) offset = frame.write(buffer, offset);
  return buffer;
}
