import { endianness } from "node:os";

/** Shorter than this, a view of words costs more than it saves: 50 ns against 25 for 64 bytes, 8 us against 37 for 64 KiB. */
const minWordBytes = endianness() === "LE" ? 96 : Infinity;

/**
 * Takes the mask off `bytes` between `from` and `end`, in place (RFC 6455, section 5.3).
 *
 * @param mask its four bytes as an integer, the first one lowest
 */
export function unmask(bytes: Uint8Array, from: number, end: number, mask: number): void {
  if (end - from < minWordBytes) {
    xorBytes(bytes, from, end, mask);
    return;
  }
  const start = from + (-(bytes.byteOffset + from) & 3);
  const count = (end - start) >>> 2;
  const stop = start + count * 4;
  const aligned = rotate(mask, start - from);
  xorBytes(bytes, from, start, mask);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, count);
  for (let index = 0; index < count; index++) words[index] = (words[index] ?? 0) ^ aligned;
  xorBytes(bytes, stop, end, aligned);
}

function xorBytes(bytes: Uint8Array, from: number, end: number, mask: number): void {
  for (let at = from, rest = mask; at < end; at++, rest = rotate(rest, 1))
    bytes[at] = (bytes[at] ?? 0) ^ rest;
}

/** The mask as it stands after so many bytes. */
export function rotate(mask: number, bytes: number): number {
  const bits = (bytes & 3) * 8;
  return (mask >>> bits) | (mask << (32 - bits));
}
