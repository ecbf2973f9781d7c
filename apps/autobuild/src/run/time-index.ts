import type { Clock } from "../clock.ts";
import { AppendFile, type AppendListener } from "./append-file.ts";

/** What comes within this time of the begin of a burst is a part of it. */
export const burstMs = 16;

/**
 * Writes down when a log's bytes came: 16 bytes for each burst, its byte offset and its time in ms since 1970, both
 * as 64 bits, little-endian.
 */
export class TimeIndex {
  readonly #file: AppendFile;
  readonly #clock: Clock;
  #lastBurstMs = -Infinity;

  private constructor(file: AppendFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  static async open(
    file: string,
    highWaterBytes: number,
    clock: Clock,
    listener: AppendListener,
  ): Promise<TimeIndex> {
    return new TimeIndex(await AppendFile.open(file, highWaterBytes, listener), clock);
  }

  /** Says that bytes come now, which the log will have at that offset. */
  note(offset: number): void {
    const nowMs = this.#clock.epochMs();
    // A clock that was set back begins a burst as well: its times are what people saw on it.
    if (Math.abs(nowMs - this.#lastBurstMs) < burstMs) return;
    this.#lastBurstMs = nowMs;
    const record = Buffer.alloc(16);
    record.writeBigUInt64LE(BigInt(offset), 0);
    record.writeBigUInt64LE(BigInt(nowMs), 8);
    void this.#file.append(record);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
