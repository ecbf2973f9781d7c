/** A text frame as servers send it, without a mask (RFC 6455, section 5.2). Payloads of less than 64 KiB. */
export function frameOf(payload: Uint8Array): Buffer {
  const isShort = payload.length < 126;
  const start = isShort ? 2 : 4;
  const frame = Buffer.allocUnsafe(start + payload.length);
  frame[0] = 0x81;
  if (isShort) {
    frame[1] = payload.length;
  } else {
    frame[1] = 126;
    frame.writeUInt16BE(payload.length, 2);
  }
  frame.set(payload, start);
  return frame;
}

/** A frame found at the start of some bytes. `payload` is a view of them. */
export interface FoundFrame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly length: number;
}

/** The first frame in `bytes`, unmasked if it was masked; undefined: it is not complete. Changes masked bytes in place. */
export function findFrame(bytes: Buffer): FoundFrame | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const isMasked = (second & 0x80) !== 0;
  let length = second & 0x7f;
  let start = 2;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    length = bytes.readUInt16BE(2);
    start = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    length = Number(bytes.readBigUInt64BE(2));
    start = 10;
  }
  const keyAt = start;
  if (isMasked) start += 4;
  if (bytes.length < start + length) return undefined;
  const payload = bytes.subarray(start, start + length);
  if (isMasked) {
    for (let index = 0; index < length; index++) {
      payload[index] = (payload[index] ?? 0) ^ (bytes[keyAt + (index & 3)] ?? 0);
    }
  }
  return { opcode: first & 0x0f, payload, length: start + length };
}
