import { fitCloseReason } from "./close-code.ts";

/** Control frames of a server (RFC 6455, section 5.5): unmasked, 125 bytes of payload at most. */

const head = { close: 0x88, ping: 0x89, pong: 0x8a } as const;

/** A ping without payload: the same for everybody. */
export const pingFrame: Buffer = Buffer.of(head.ping, 0);

/**
 * A close frame. A reason that is too long is cut.
 *
 * @param code undefined: a frame without a code, and so without a reason
 */
export function closeFrame(code?: number, reason: string | Buffer = ""): Buffer {
  if (code === undefined) return Buffer.of(head.close, 0);
  const bytes = typeof reason === "string" ? Buffer.from(fitCloseReason(reason)) : reason;
  const frame = Buffer.allocUnsafe(4 + bytes.length);
  frame[0] = head.close;
  frame[1] = 2 + bytes.length;
  frame.writeUInt16BE(code, 2);
  frame.set(bytes, 4);
  return frame;
}

/** The answers to pings with these payloads, in one buffer. */
export function pongFrames(payloads: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const payload of payloads) length += 2 + payload.length;
  const frames = Buffer.allocUnsafe(length);
  let at = 0;
  for (const payload of payloads) {
    frames[at] = head.pong;
    frames[at + 1] = payload.length;
    frames.set(payload, at + 2);
    at += 2 + payload.length;
  }
  return frames;
}
