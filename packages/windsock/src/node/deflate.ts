import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { Deflate } from "../protocol/frame.ts";
import type { Inflated } from "./frame-decoder.ts";

/** What a flush ends with, and what no message carries (RFC 7692, section 7.2.1). */
const flushEnd = Buffer.from("0000ffff", "hex");

/** JSON of 16 KiB: 20 us and 2,011 bytes, where zlib's default takes 73 us for 2,001. */
const settings = { level: 3, memLevel: 7, finishFlush: constants.Z_SYNC_FLUSH } as const;

/** Compresses each message by itself, so that it is the same for everybody (`server_no_context_takeover`). */
export function deflateFrom(thresholdBytes: number): Deflate {
  return Object.freeze({
    thresholdBytes,
    compress: (message: Uint8Array) =>
      ownOf(deflateRawSync(message, settings).subarray(0, -flushEnd.length)),
  });
}

/**
 * Takes a message out of its compression (RFC 7692, section 7.2.2). At once: some 40 us for
 * 64 KiB, and no more for what would become more than `maxBytes`, since it stops there.
 */
export function inflate(message: Buffer, maxBytes: number): Inflated {
  try {
    const data = inflateRawSync(Buffer.concat([message, flushEnd]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: maxBytes,
    });
    return ownOf(data);
  } catch (error) {
    const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ERR_BUFFER_TOO_LARGE" ? "too big" : "corrupt";
  }
}

/** What zlib gives lies in a slab of 64 KiB, four to a slab; logs and mailboxes would keep all of it. */
function ownOf(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= 2 * bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}
