/** Server-to-client frames (RFC 6455, section 5.2), built once and shared by all who receive them. */

/** The two data opcodes (RFC 6455, section 5.6). */
export const opcode = { text: 1, binary: 2 } as const;
export type Opcode = (typeof opcode)[keyof typeof opcode];

/** Text and JSON are text frames. */
export function opcodeOf(kind: "text" | "json" | "binary"): Opcode {
  return kind === "binary" ? opcode.binary : opcode.text;
}

/** Bytes of the header in front of a payload: servers do not mask (RFC 6455, section 5.1). */
function headerLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 0x10000 ? 4 : 10;
}

/** `head`: FIN, reserved bits and opcode. */
const maxLoopLength = 48;

function writeHeader(target: Buffer, offset: number, head: number, length: number): number {
  target[offset] = head;
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

const finBit = 0x80;
/** RSV1: the payload is compressed (RFC 7692, section 6). */
const deflatedBit = 0x40;

/** Compresses messages, each by itself (RFC 7692, section 7.2.1). */
export interface Deflate {
  /** Shorter ones leave as they are. */
  readonly thresholdBytes: number;
  compress(message: Uint8Array): Uint8Array;
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
  readonly #head: number;
  #single: Buffer | undefined;
  #deflated: Frame | undefined;

  /** `front` and `back` must be ASCII. */
  constructor(
    code: Opcode,
    payload: Uint8Array,
    front: string = "",
    back: string = "",
    isDeflated: boolean = false,
  ) {
    this.opcode = code;
    this.payload = payload;
    this.#head = finBit | (isDeflated ? deflatedBit : 0) | code;
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

  /** The same message compressed, at the first call, and from then on for everybody; or this frame, where that is no gain. */
  deflated(deflate: Deflate): Frame {
    if (this.messageLength < deflate.thresholdBytes) return this;
    if (this.#deflated === undefined) {
      const message = Buffer.allocUnsafe(this.messageLength);
      this.#writeMessage(message, 0);
      const payload = deflate.compress(message);
      const isLess = payload.length < message.length;
      this.#deflated = isLess ? new Frame(this.opcode, payload, "", "", true) : this;
    }
    return this.#deflated;
  }

  /** The same message with its payload held elsewhere: a copy of it. */
  holding(payload: Uint8Array): Frame {
    const isDeflated = (this.#head & deflatedBit) !== 0;
    return new Frame(this.opcode, payload, this.#front, this.#back, isDeflated);
  }

  /** Writes the frame at `offset` and returns where it ends. */
  write(target: Buffer, offset: number): number {
    return this.#writeMessage(target, writeHeader(target, offset, this.#head, this.messageLength));
  }

  #writeMessage(target: Buffer, offset: number): number {
    const body = writeAscii(target, offset, this.#front);
    target.set(this.payload, body);
    return writeAscii(target, body + this.payload.length, this.#back);
  }
}

/** A loop for the few characters of most envelopes: a quarter of what `Buffer.write` takes for them. */
function writeAscii(target: Buffer, offset: number, text: string): number {
  if (text.length > maxLoopLength) return offset + target.write(text, offset, "latin1");
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
