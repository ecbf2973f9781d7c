import { isUtf8 } from "node:buffer";
import { closeCode, isSendableCloseCode } from "../protocol/close-code.ts";
import { rotate, unmask } from "./masking.ts";

/** What a decoder finds, each told as soon as its last byte is there. */
export interface FrameHandler {
  /** A whole message. `data` is the handler's own. */
  handleMessage(data: Buffer, isBinary: boolean): void;
  handlePing(payload: Buffer): void;
  /** A close frame: 1005 for one without a code. Nothing follows. */
  handleClose(code: number, reason: Buffer): void;
  /** The bytes are none that a client may send: to be closed with this code. Nothing follows. */
  handleFault(code: number, reason: string): void;
}

/** Bounds of a message, the same for many decoders. */
export interface DecoderLimits {
  /** All fragments together. Beyond: 1009, as soon as a header says so. */
  readonly maxPayloadBytes: number;
  /** Beyond: 1008 (ADR 0021). */
  readonly maxFragments: number;
  /** Where RFC 7692 was agreed on. */
  readonly inflation?: Inflation;
}

/** Takes messages out of their compression. */
export interface Inflation {
  /** What a message may become. Beyond: 1009. */
  readonly maxBytes: number;
  /** Stops at `maxBytes`. */
  inflate(message: Buffer, maxBytes: number): Inflated;
}

/** `corrupt`: it is not what such a compression gives. */
export type Inflated = Buffer | "too big" | "corrupt";

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const finBit = 0x80;
const reservedBits = 0x70;
/** RSV1: the message is compressed (RFC 7692, section 6). */
const deflatedBit = 0x40;
const maskBit = 0x80;
const maxControlBytes = 125;
/** Two bytes, a length of eight, a mask of four. */
const maxHeaderBytes = 14;
/** A message that is kept for long keeps at most so much of what came in the same read. */
const maxKeptBytes = 16 * 1024;
const nothing = Buffer.alloc(0);

/**
 * Frames of a client (RFC 6455, section 5), in reads that may end anywhere, to whole messages.
 *
 * ```
 *   header ──► payload ──► header ...     over: after a close frame, or a fault
 * ```
 *
 * Between messages it keeps nothing of what was read. An open message is kept in one buffer,
 * which is never more than twice what has arrived of it, whatever its headers announce.
 */
export class FrameDecoder {
  readonly #handler: FrameHandler;
  readonly #limits: DecoderLimits;
  /** Nothing more is taken, nor told. */
  #isOver = false;
  /** The beginning of a header, until the rest of it has come. */
  #header: Buffer | undefined;
  #headerBytes = 0;
  /** Of the frame whose payload is arriving: the first byte, the bytes still to come, the mask of the next four. */
  #head = 0;
  #left = 0;
  #mask = 0;
  /** A control frame that came in parts. */
  #control: Buffer | undefined;
  #controlBytes = 0;
  /** Of the message that is open: the opcode (0: none is), what its headers announce, its frames, and what has come. */
  #opcode = 0;
  #isDeflated = false;
  #announced = 0;
  #fragments = 0;
  #body: Buffer | undefined;
  #bodyBytes = 0;

  constructor(handler: FrameHandler, limits: DecoderLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /** Takes what was read, which is the decoder's from then on: it is unmasked in place. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#isOver)
      at = this.#left > 0 ? this.#continue(chunk, at) : this.#begin(chunk, at);
  }

  /** At the border of two frames. Gives how far it got. */
  #begin(chunk: Buffer, from: number): number {
    let at: number;
    if (this.#header === undefined) {
      const length = this.#readHeader(chunk, from, chunk.length);
      if (length === 0) {
        // A header that is split is rare, and a byte of it may be all that comes for long.
        this.#header = Buffer.allocUnsafeSlow(maxHeaderBytes);
        this.#headerBytes = chunk.copy(this.#header, 0, from);
        return chunk.length;
      }
      at = from + length;
    } else {
      const before = this.#headerBytes;
      this.#headerBytes += chunk.copy(this.#header, before, from);
      const length = this.#readHeader(this.#header, 0, this.#headerBytes);
      if (length === 0) return chunk.length;
      this.#header = undefined;
      this.#headerBytes = 0;
      at = from + length - before;
    }
    if (this.#isOver) return at;
    const end = at + this.#left;
    if (end > chunk.length) return at;
    this.#left = 0;
    unmask(chunk, at, end, this.#mask);
    this.#whole(chunk, at, end);
    return end;
  }

  /** Reads the header between `at` and `end`, and judges it. Gives its length; 0: it goes on beyond. */
  #readHeader(bytes: Buffer, at: number, end: number): number {
    if (end - at < 2) return 0;
    const head = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    const fault = this.#faultOf(head, second);
    if (fault !== undefined) return this.#fail(closeCode.protocolError, fault);
    const short = second & 0x7f;
    const lengthEnd = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (end < lengthEnd) return 0;
    const length =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : bytes.readUInt32BE(at + 2) * 0x1_0000_0000 + bytes.readUInt32BE(at + 6);
    const { maxPayloadBytes } = this.#limits;
    const isControl = (head & 0x08) !== 0;
    if (!isControl && this.#announced + length > maxPayloadBytes) {
      const got = this.#announced + length;
      return this.#fail(
        closeCode.tooBig,
        `Expected a message of at most ${maxPayloadBytes} bytes, got ${got}.`,
      );
    }
    if (end < lengthEnd + 4) return 0;
    this.#mask = bytes.readInt32LE(lengthEnd);
    this.#head = head;
    this.#left = length;
    if (!isControl) this.#announced += length;
    return lengthEnd + 4 - at;
  }

  /** What is wrong with the first two bytes of a header (RFC 6455, sections 5.2, 5.4 and 5.5). */
  #faultOf(head: number, second: number): string | undefined {
    const opcode = head & 0x0f;
    const reserved = head & reservedBits;
    // A message says at its first frame that it is compressed.
    const mayBeDeflated = this.#limits.inflation !== undefined && isData(opcode);
    if (reserved !== 0 && !(mayBeDeflated && reserved === deflatedBit))
      return "Expected reserved bits that are clear, got one set.";
    switch (opcode) {
      case opcodes.continuation:
        if (this.#opcode === 0) return "Expected a message, got a continuation of none.";
        break;
      case opcodes.text:
      case opcodes.binary:
        if (this.#opcode !== 0) return "Expected the next fragment, got a new message.";
        break;
      case opcodes.close:
      case opcodes.ping:
      case opcodes.pong: {
        if ((head & finBit) === 0) return "Expected a control frame in one piece, got a fragment.";
        const length = second & 0x7f;
        if (length > maxControlBytes)
          return `Expected at most ${maxControlBytes} bytes in a control frame, got more.`;
        if (opcode === opcodes.close && length === 1)
          return "Expected a close code of two bytes, got one.";
        break;
      }
      default:
        return `Expected a known opcode, got ${opcode}.`;
    }
    return (second & maskBit) === 0 ? "Expected a frame with a mask, got one without." : undefined;
  }

  /** A frame that came in one read lies there, without its mask. */
  #whole(chunk: Buffer, at: number, end: number): void {
    const opcode = this.#head & 0x0f;
    if (opcode >= opcodes.close) {
      this.#controlFrame(opcode, chunk.subarray(at, end));
      return;
    }
    if (opcode !== opcodes.continuation && (this.#head & finBit) !== 0) {
      this.#announced = 0;
      const data = chunk.subarray(at, end);
      const isAlone = chunk.buffer.byteLength - data.length <= maxKeptBytes;
      const isDeflated = (this.#head & deflatedBit) !== 0;
      if (isDeflated) this.#inflated(opcode, data);
      else this.#message(opcode, isAlone ? data : Buffer.from(data));
      return;
    }
    this.#append(chunk, at, end);
    this.#fragment();
  }

  /** More of a payload, of which a part is still to come. */
  #continue(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    unmask(chunk, at, end, this.#mask);
    this.#mask = rotate(this.#mask, end - at);
    this.#left -= end - at;
    const opcode = this.#head & 0x0f;
    if (opcode < opcodes.close) {
      this.#append(chunk, at, end);
      if (this.#left === 0) this.#fragment();
      return end;
    }
    this.#control ??= Buffer.allocUnsafeSlow(maxControlBytes);
    this.#controlBytes += chunk.copy(this.#control, this.#controlBytes, at, end);
    if (this.#left === 0) {
      const payload = this.#control.subarray(0, this.#controlBytes);
      this.#control = undefined;
      this.#controlBytes = 0;
      this.#controlFrame(opcode, payload);
    }
    return end;
  }

  #append(chunk: Buffer, at: number, end: number): void {
    const length = this.#bodyBytes + end - at;
    if (this.#body === undefined || this.#body.length < length) {
      const isLast = (this.#head & finBit) !== 0;
      const most = isLast ? this.#announced : this.#limits.maxPayloadBytes;
      const room = Math.max(length, Math.min(2 * length, most));
      // Of its own: it may be kept for long, and must not keep a slab of the pool.
      const body = Buffer.allocUnsafeSlow(room);
      this.#body?.copy(body, 0, 0, this.#bodyBytes);
      this.#body = body;
    }
    chunk.copy(this.#body, this.#bodyBytes, at, end);
    this.#bodyBytes = length;
  }

  /** A frame of a message has come in full, and its payload is in the body. */
  #fragment(): void {
    const opcode = this.#head & 0x0f;
    if (opcode !== opcodes.continuation) {
      this.#opcode = opcode;
      this.#isDeflated = (this.#head & deflatedBit) !== 0;
    }
    this.#fragments += 1;
    const { maxFragments } = this.#limits;
    if (this.#fragments > maxFragments) {
      this.#fail(
        closeCode.policyViolation,
        `Expected a message in at most ${maxFragments} fragments, got more.`,
      );
      return;
    }
    if ((this.#head & finBit) === 0) return;
    const kind = this.#opcode;
    const isDeflated = this.#isDeflated;
    const data = this.#body?.subarray(0, this.#bodyBytes) ?? nothing;
    this.#forget();
    if (isDeflated) this.#inflated(kind, data);
    else this.#message(kind, data);
  }

  #inflated(opcode: number, deflated: Buffer): void {
    const { inflation } = this.#limits;
    const maxBytes = inflation?.maxBytes ?? 0;
    const data = inflation?.inflate(deflated, maxBytes) ?? "corrupt";
    if (data === "too big")
      this.#fail(
        closeCode.tooBig,
        `Expected a message of at most ${maxBytes} bytes, got a compressed one of more.`,
      );
    else if (data === "corrupt")
      this.#fail(
        closeCode.invalidPayload,
        "Expected a message in the compression that was agreed on, got other bytes.",
      );
    else this.#message(opcode, data);
  }

  #message(opcode: number, data: Buffer): void {
    if (opcode === opcodes.text && !isUtf8(data))
      this.#fail(closeCode.invalidPayload, "Expected text in UTF-8, got other bytes.");
    else this.#handler.handleMessage(data, opcode === opcodes.binary);
  }

  #controlFrame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#handler.handlePing(payload);
    if (opcode !== opcodes.close) return;
    const code = payload.length === 0 ? closeCode.noStatus : payload.readUInt16BE(0);
    const reason = payload.subarray(2);
    if (payload.length > 0 && !isSendableCloseCode(code))
      this.#fail(closeCode.protocolError, `Expected a close code that may be sent, got ${code}.`);
    else if (!isUtf8(reason))
      this.#fail(closeCode.invalidPayload, "Expected a close reason in UTF-8, got other bytes.");
    else {
      this.#end();
      this.#handler.handleClose(code, reason);
    }
  }

  #fail(code: number, reason: string): number {
    this.#end();
    this.#handler.handleFault(code, reason);
    return 1;
  }

  #end(): void {
    this.#isOver = true;
    this.#header = undefined;
    this.#control = undefined;
    this.#forget();
  }

  /** The message is over. */
  #forget(): void {
    this.#opcode = 0;
    this.#isDeflated = false;
    this.#announced = 0;
    this.#fragments = 0;
    this.#body = undefined;
    this.#bodyBytes = 0;
  }
}

function isData(opcode: number): boolean {
  return opcode === opcodes.text || opcode === opcodes.binary;
}
