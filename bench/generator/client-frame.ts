import { randomBytes } from "node:crypto";

/** One mask for all: how it was made is not what is measured. */
const key = randomBytes(4);

/** A text frame, or one with another opcode, as clients send it: with a mask (RFC 6455, section 5.3). */
export function maskedFrame(payload: string | Uint8Array, opcode: number = 1): Buffer {
  const bytes = Buffer.from(payload);
  const isShort = bytes.length < 126;
  const keyAt = isShort ? 2 : 4;
  const start = keyAt + 4;
  const frame = Buffer.allocUnsafe(start + bytes.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (isShort ? bytes.length : 126);
  if (!isShort) frame.writeUInt16BE(bytes.length, 2);
  frame.set(key, keyAt);
  for (let index = 0; index < bytes.length; index++) {
    frame[start + index] = (bytes[index] ?? 0) ^ (key[index & 3] ?? 0);
  }
  return frame;
}

/** The length of what is in a masked frame: what `windsock.v1` counts as credit. */
export function payloadLengthOf(frame: Uint8Array): number {
  return frame.length - ((frame[1] ?? 0) === (0x80 | 126) ? 8 : 6);
}
