import type { HistoryLimits } from "../protocol/limits.ts";
import type { Payload } from "../protocol/port.ts";
import { ownCopyOf, Slabs } from "./slabs.ts";

export type LogEntry =
  | {
      readonly type: "message";
      readonly seq: number;
      readonly topic: string;
      readonly payload: Payload;
      readonly at: number;
      /** Only the newest entry of a key is of interest to who comes late. */
      readonly key?: string | undefined;
    }
  /** The actor began anew here. */
  | { readonly type: "restarted"; readonly seq: number; readonly at: number };

/** Who stores what a log holds. */
export interface LogObserver {
  appended(entry: LogEntry): void;
  evicted(entry: LogEntry): void;
}

/** What was stored of a log. `at` is in the time of the clock it will live by. */
export interface RestoredLog {
  readonly epoch: string;
  readonly seq: number;
  readonly entries: readonly LogEntry[];
  readonly evicted: ReadonlyMap<string, number>;
}

export interface LogRange {
  /** Messages of these topics, and the restarts between them. */
  readonly entries: readonly LogEntry[];
  /** Where the next read continues. */
  readonly next: number;
  /** Entries of these topics in the range are no longer kept: what is left would have a hole. */
  readonly gone: boolean;
}

export type MessageEntry = Extract<LogEntry, { type: "message" }>;

/** Keys of which the newest entry is kept. Beyond, that of the key that was not written for longest goes. */
export const maxLatestKeys = 1000;

/** What an entry costs beside its payload, in bytes: keeps many tiny entries within the bound too. */
export const entryOverheadBytes = 64;

const none: readonly MessageEntry[] = [];

/**
 * What one actor published, numbered by its `seq`, and bounded.
 *
 * It outlives the actor's incarnations. At each bound the oldest entries go; for each
 * topic it remembers the last one that went, so that a gap is told only to readers who
 * really miss something.
 */
export class Log {
  /** Random, new only when a log is created anew: positions of another epoch mean nothing here. */
  readonly epoch: string;
  readonly #limits: HistoryLimits;
  readonly #slabs = new Slabs();
  #entries: LogEntry[] = [];
  #start = 0;
  #bytes = 0;
  #seq = 0;
  #lastRestart = 0;
  #usedAt = 0;
  // Made when they are needed: a server may have a log for each of many quiet keys.
  #evicted: Map<string, number> | undefined;
  /** The newest entry of each key, in the order in which they were written. */
  #latest: Map<string, MessageEntry> | undefined;
  /** Those of them that the bounds would have taken, oldest first. */
  #outlived: Map<string, MessageEntry> | undefined;
  #evictedOther = 0;

  /** Set once, before the first entry. */
  observer: LogObserver | undefined;

  constructor(epoch: string, limits: HistoryLimits) {
    this.epoch = epoch;
    this.#limits = limits;
  }

  /** A log as it was stored. */
  static restore(stored: RestoredLog, limits: HistoryLimits): Log {
    const log = new Log(stored.epoch, limits);
    log.#seq = stored.seq;
    for (const entry of stored.entries) {
      log.#entries.push(entry);
      log.#bytes += costOf(entry);
      if (entry.type === "restarted") log.#lastRestart = entry.seq;
    }
    for (const [topic, seq] of stored.evicted) log.#remember(topic, seq);
    return log;
  }

  /** The number of the newest entry; 0 when there was none yet. */
  get seq(): number {
    return this.#seq;
  }

  /** The entry of the last restart; 0 when there was none. */
  get lastRestart(): number {
    return this.#lastRestart;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** When something was last appended or read. */
  get usedAt(): number {
    return this.#usedAt;
  }

  /**
   * `key`: it replaces the entry before with the same one, for readers that have not had that yet.
   * Gives the entry with the log's own copy of the payload: whoever holds that holds no more memory than it takes.
   */
  append(topic: string, payload: Payload, now: number, key?: string): MessageEntry {
    this.#seq += 1;
    const bytes = this.#slabs.keep(payload.bytes, this.#bytes);
    const kept = bytes === payload.bytes ? payload : { kind: payload.kind, bytes };
    const entry: MessageEntry = {
      type: "message",
      seq: this.#seq,
      topic,
      payload: kept,
      at: now,
      key,
    };
    if (key !== undefined) this.#replace(key, entry);
    this.#push(entry, now);
    return entry;
  }

  appendRestarted(now: number): number {
    this.#seq += 1;
    this.#lastRestart = this.#seq;
    this.#push({ type: "restarted", seq: this.#seq, at: now }, now);
    return this.#seq;
  }

  /** The oldest position from which a reader of this topic misses nothing. */
  firstOf(topic: string): number {
    return (this.#evicted?.get(topic) ?? this.#evictedOther) + 1;
  }

  /** Messages of these topics in [from, until), at least one if there is any, else about `maxBytes`. */
  read(
    topics: readonly string[],
    from: number,
    until: number,
    maxBytes: number,
    now: number,
  ): LogRange {
    this.#usedAt = now;
    this.expire(now);
    const begin = Math.max(from, 1);
    const gone = until > begin && topics.some((topic) => begin < this.firstOf(topic));
    const entries: LogEntry[] = [];
    let bytes = 0;
    let next = begin;
    for (const entry of this.#outlived?.values() ?? none) {
      if (entry.seq < begin || entry.seq >= until || !topics.includes(entry.topic)) continue;
      if (entries.length > 0 && bytes + entry.payload.bytes.length > maxBytes)
        return { entries, next: entry.seq, gone };
      entries.push(entry);
      bytes += entry.payload.bytes.length;
      next = entry.seq + 1;
    }
    for (let index = this.#indexOf(begin); index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry === undefined || entry.seq >= until) break;
      if (entry.type === "restarted") entries.push(entry);
      else if (topics.includes(entry.topic) && this.#isLatest(entry)) {
        if (entries.length > 0 && bytes + entry.payload.bytes.length > maxBytes)
          return { entries, next: entry.seq, gone };
        entries.push(entry);
        bytes += entry.payload.bytes.length;
      }
      next = entry.seq + 1;
    }
    return { entries, next: Math.max(next, Math.min(until, this.#seq + 1)), gone };
  }

  /** Drops the oldest entry: the process is over its budget for logs. */
  evictOldest(): boolean {
    const entry = this.#entries[this.#start];
    if (entry === undefined) return false;
    this.#evict(entry);
    return true;
  }

  /** Drops what is too old. */
  expire(now: number): void {
    const oldest = now - this.#limits.ageMs;
    for (
      let entry = this.#entries[this.#start];
      entry !== undefined && entry.at < oldest;
      entry = this.#entries[this.#start]
    )
      this.#evict(entry);
  }

  #push(entry: LogEntry, now: number): void {
    this.#entries.push(entry);
    this.#bytes += costOf(entry);
    this.observer?.appended(entry);
    this.#usedAt = now;
    this.expire(now);
    while (
      this.size > this.#limits.messages ||
      (this.#bytes > this.#limits.bytes && this.size > 1)
    ) {
      if (!this.evictOldest()) break;
    }
  }

  #evict(entry: LogEntry): void {
    this.#start += 1;
    this.#bytes -= costOf(entry);
    this.observer?.evicted(entry);
    // What was replaced is no gap; what is the newest of its key stays.
    if (entry.type === "message" && entry.key !== undefined) {
      if (this.#isLatest(entry)) this.#outlive(entry.key, entry);
    } else this.#remember(topicOf(entry), entry.seq);
    if (this.#start > 256 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
    if (this.size === 0) this.#slabs.clear();
  }

  /** It stays beyond its neighbours, and must not keep their memory. */
  #outlive(key: string, { payload, ...entry }: MessageEntry): void {
    const own = { ...entry, payload: { kind: payload.kind, bytes: ownCopyOf(payload.bytes) } };
    (this.#latest ??= new Map()).set(key, own);
    (this.#outlived ??= new Map()).set(key, own);
  }

  #isLatest(entry: MessageEntry): boolean {
    return entry.key === undefined || this.#latest?.get(entry.key) === entry;
  }

  #replace(key: string, entry: MessageEntry): void {
    const latest = (this.#latest ??= new Map());
    this.#outlived?.delete(key);
    latest.delete(key);
    latest.set(key, entry);
    if (latest.size <= maxLatestKeys) return;
    for (const [oldest, last] of latest) {
      latest.delete(oldest);
      // Its newest entry is lost to who comes later, and that is a gap.
      this.#outlived?.delete(oldest);
      this.#remember(last.topic, last.seq);
      break;
    }
  }

  /** Beyond 1,000 topics the oldest are remembered together: such a reader may be told of a gap that was none, never the reverse. */
  #remember(topic: string, seq: number): void {
    // The newest entry of a key goes out of its turn: newer ones of its topic may have gone before.
    const evicted = (this.#evicted ??= new Map());
    const last = evicted.get(topic) ?? 0;
    evicted.delete(topic);
    evicted.set(topic, Math.max(last, seq));
    if (evicted.size <= 1000) return;
    for (const [oldest, went] of evicted) {
      evicted.delete(oldest);
      this.#evictedOther = Math.max(this.#evictedOther, went);
      break;
    }
  }

  /** Entries are consecutive numbers, so a position is found by subtraction. */
  #indexOf(seq: number): number {
    const first = this.#entries[this.#start];
    if (first === undefined) return this.#entries.length;
    return this.#start + Math.max(0, seq - first.seq);
  }
}

/** Who reads the service's own log is told of its restarts, and misses one that went. */
export function topicOf(entry: LogEntry): string {
  return entry.type === "message" ? entry.topic : "";
}

function costOf(entry: LogEntry): number {
  return entryOverheadBytes + (entry.type === "message" ? entry.payload.bytes.length : 0);
}
