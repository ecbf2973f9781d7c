import { randomBytes } from "node:crypto";
import type { HistoryLimits } from "../protocol/limits.ts";
import { Log } from "./log.ts";

/** All logs of a process together, in bytes. Beyond: the oldest entries of the log that was used least recently go. */
const defaultLogBudgetBytes = 256 * 1024 * 1024;

/** What a log takes beside its entries, in bytes: keeps the number of empty ones within the budget too. */
export const logOverheadBytes = 1024;

interface Kept {
  readonly log: Log;
  readonly ageMs: number;
  /** When the actor let go of it; undefined while one writes to it. */
  releasedAt: number | undefined;
}

/** The logs of all actors of a process: a log outlives its actor until age or budget ends it. */
export class LogStore {
  readonly #kept = new Map<string, Kept>();
  readonly #budgetBytes: number;

  constructor(budgetBytes: number = defaultLogBudgetBytes) {
    this.#budgetBytes = budgetBytes;
  }

  /** The log of this address, as it was left, or a new one. */
  open(address: string, limits: HistoryLimits, create?: () => Log | undefined): Log {
    const kept = this.#kept.get(address) ?? {
      log: create?.() ?? new Log(randomBytes(8).toString("hex"), limits),
      ageMs: limits.ageMs,
      releasedAt: undefined,
    };
    kept.releasedAt = undefined;
    this.#kept.set(address, kept);
    return kept.log;
  }

  find(address: string): Log | undefined {
    return this.#kept.get(address)?.log;
  }

  /** What is here is ahead of what was stored: it will be read anew. */
  forget(address: string): void {
    this.#kept.delete(address);
  }

  /** Its actor has ended. */
  release(address: string, now: number): void {
    const kept = this.#kept.get(address);
    if (kept === undefined) return;
    if (kept.log.seq === 0) this.#kept.delete(address);
    else kept.releasedAt = now;
  }

  /** Ends what is too old and what is beyond the budget. Called every few seconds. */
  sweep(now: number): void {
    let bytes = 0;
    for (const [address, { log, ageMs, releasedAt }] of this.#kept) {
      if (releasedAt !== undefined && releasedAt < now - ageMs) {
        this.#kept.delete(address);
        continue;
      }
      log.expire(now);
      bytes += log.bytes + logOverheadBytes;
    }
    if (bytes > this.#budgetBytes) this.#shrink(bytes - this.#budgetBytes);
  }

  #shrink(surplus: number): void {
    let over = surplus;
    const byUse = [...this.#kept].sort(([, a], [, b]) => a.log.usedAt - b.log.usedAt);
    for (const [address, { log, releasedAt }] of byUse) {
      while (over > 0) {
        const before = log.bytes;
        if (!log.evictOldest()) break;
        over -= before - log.bytes;
      }
      if (over <= 0) return;
      // An actor that runs keeps its log, empty as it is now.
      if (releasedAt === undefined) continue;
      this.#kept.delete(address);
      over -= logOverheadBytes;
    }
  }
}
