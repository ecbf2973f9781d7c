import { burstMs } from "../run/time-index.ts";
import type { LogBytes } from "./log-bytes.ts";

/** From this byte on, what follows was printed at that time. */
export interface LogTime {
  readonly byte: number;
  readonly epochMs: number;
}

const recordBytes = 16;
const maxIndexBytes = 16 * 1024 * 1024;
/** A multiple of a record. */
const chunkBytes = 64 * 1024;

/** Reads an index of times, as `TimeIndex` writes them. Empty where there is none. */
export async function readTimes(index: LogBytes): Promise<LogTime[]> {
  const size = (await index.size()) ?? 0;
  const bytes = await index.read(0, Math.min(size, maxIndexBytes));
  return timesIn(bytes);
}

/** When the byte was printed: with the last burst that began at it or before. Null where nobody noted it. */
export function timeAt(times: readonly LogTime[], byte: number): number | null {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle]?.byte ?? 0) <= byte) low = middle + 1;
    else high = middle;
  }
  return times[low - 1]?.epochMs ?? null;
}

/**
 * Where what was printed at that time or later begins; undefined where nothing was, null where nobody noted it. With the
 * burst that goes on at that time comes what it has from before.
 *
 * A clock that was set back while a build ran makes times fall: then it is the first byte that late, and what was
 * printed earlier by that clock comes with it.
 */
export async function byteSince(
  index: LogBytes,
  sinceMs: number,
): Promise<number | undefined | null> {
  let at = 0;
  for (;;) {
    const bytes = await index.read(at, chunkBytes);
    const times = timesIn(bytes);
    for (const { byte, epochMs } of times) {
      // One that was begun late, by another AutoBuild than the log.
      if (at === 0 && byte > 0) return null;
      if (epochMs > sinceMs - burstMs) return byte;
      at += recordBytes;
    }
    // One that is damaged ends early, and says nothing of what comes then.
    if (times.length < Math.floor(bytes.length / recordBytes)) return null;
    if (bytes.length < chunkBytes) return at === 0 ? null : undefined;
  }
}

function timesIn(bytes: Buffer): LogTime[] {
  const times: LogTime[] = [];
  for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
    const byte = Number(bytes.readBigUInt64LE(at));
    // Offsets only grow. What is no such thing is what is left of a damaged index.
    if (!Number.isSafeInteger(byte) || byte < (times.at(-1)?.byte ?? 0)) break;
    times.push({ byte, epochMs: Number(bytes.readBigUInt64LE(at + 8)) });
  }
  return times;
}
