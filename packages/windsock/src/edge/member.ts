import { closeCode } from "../protocol/close-code.ts";
import { concatFrames, Frame, opcode } from "../protocol/frame.ts";
import type { Limits } from "../protocol/limits.ts";
import type { CloseReason, LogEntryData, Payload } from "../protocol/port.ts";
import type { AppLog } from "./app-log.ts";
import { maxSliceBytes, type Feed, type TopicSet } from "./feed.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/**
 * What waits for one member alone, in the order of the commits. Each comes after the
 * log's entry `after`, and before the next one. A frame's item is shared by all its receivers.
 */
export type QueueItem =
  | { readonly type: "frame"; readonly after: number; readonly frame: Frame }
  /** Entries of one topic that are older than the subscription. */
  | {
      readonly type: "backlog";
      readonly after: number;
      readonly topic: string;
      from: number;
      readonly until: number;
      begun: boolean;
    }
  | {
      readonly type: "topics";
      readonly after: number;
      readonly topic: string;
      readonly follows: boolean;
    }
  | {
      readonly type: "follow";
      readonly after: number;
      readonly log: AppLog;
      readonly from: number | undefined;
    }
  | { readonly type: "unfollow"; readonly after: number; readonly log: AppLog }
  | {
      readonly type: "close";
      readonly after: number;
      readonly code: number;
      readonly reason: string;
    };

/** A position in a log of the app's. */
interface Tap {
  offset: number | undefined;
  isCaughtUp: boolean;
  isReading: boolean;
}

/** What a member asks of its edge. */
export interface MemberHost {
  readonly limits: Limits;
  /** Time in ms, as of the last sweep: exact enough for silence, and free. */
  readonly coarseNow: number;
  now(): number;
  /** Joins these frames into one buffer; the same list in a row gives the same buffer. */
  concat(items: readonly Extract<QueueItem, { type: "frame" }>[]): Buffer;
  incoming(member: Member, payload: Payload): void;
  /** Entries of the actor's log in [from, until). `Member.pulled` gets the answer. */
  pull(member: Member, topics: readonly string[], from: number, until: number): void;
  /** Calls `Member.retry` after this time. */
  retryAfter(member: Member, ms: number): void;
  left(member: Member, reason: CloseReason): void;
  closed(member: Member): void;
}

/** While entries are about to leave the window, or a queue is full, a socket may hold this much instead of what `isWritable` allows. */
const maxBufferedUnderPressure = 1024 * 1024;

/**
 * A plain membership at the edge: one socket, one cursor in the actor's log, and what
 * is meant for this client alone.
 *
 * ```
 *   waiting ──attach──► open ──close()──► closing ──► over
 *      │                  └──────── socket ends ───────▲
 *      └──────────────────── abandoned ────────────────┘
 * ```
 */
export class Member implements TransportEvents {
  readonly mid: string;
  readonly feed: Feed;
  readonly #host: MemberHost;
  #state: "waiting" | "open" | "closing" | "over" = "waiting";
  #transport: Transport | undefined;
  #position = 0;
  #isJoined = false;
  #topics: TopicSet;
  #queue: QueueItem[] = [];
  #queueHead = 0;
  #queueBytes = 0;
  #isPulling = false;
  #taps: Map<AppLog, Tap> | undefined;
  #held: Payload[] | undefined;
  #tokens: number;
  #tokensAt: number;
  #isRetrying = false;
  #aliveAt: number;
  #pingedAt = -1;
  #takenBytes = 0;
  #movedAt: number;
  #closingAt = 0;
  #leftFor: CloseReason | undefined;
  isDirty = false;

  constructor(mid: string, feed: Feed, host: MemberHost) {
    this.mid = mid;
    this.feed = feed;
    this.#host = host;
    this.#topics = feed.topicSet([""]);
    this.#tokens = host.limits.maxMessagesPerSecond;
    this.#tokensAt = host.now();
    this.#aliveAt = host.coarseNow;
    this.#movedAt = host.coarseNow;
  }

  /** The upgrade is done: this is the connection. */
  attach(transport: Transport): void {
    if (this.#state !== "waiting") {
      transport.destroy();
      return;
    }
    this.#state = "open";
    this.#transport = transport;
    this.#aliveAt = this.#host.coarseNow;
    this.pump(false);
  }

  /** Whether it has read all that the log holds. */
  get isCaughtUp(): boolean {
    return this.#position > this.feed.head || this.#state === "closing" || this.#state === "over";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  // ---------- from the actor ----------

  joined(seq: number): void {
    this.#isJoined = true;
    this.#position = seq + 1;
  }

  enqueue(item: QueueItem): void {
    if (this.#state === "closing" || this.#state === "over") return;
    this.#queue.push(item);
    if (item.type !== "frame") return;
    this.#queueBytes += item.frame.byteLength;
    if (this.#queueBytes <= this.#host.limits.maxSendQueueBytes) return;
    this.pump(true);
    if (this.#queueBytes > this.#host.limits.maxSendQueueBytes)
      this.#tooSlow("its send queue is full");
  }

  /** Entries that `pull` asked for. */
  pulled(entries: readonly LogEntryData[], next: number, gone: boolean): void {
    this.#isPulling = false;
    if (this.#state !== "open") return;
    const item = this.#queue[this.#queueHead];
    const backlog = item?.type === "backlog" && this.#position > item.after ? item : undefined;
    // A backlog begins at what is kept; from there on, as for a lagging cursor, a hole ends the connection.
    if (gone && (backlog === undefined || backlog.begun)) {
      this.#tooSlow("the log has moved past its position");
      return;
    }
    if (entries.length > 0)
      this.#transport?.write(
        concatFrames(entries.map(({ payload }) => new Frame(payload.opcode, payload.bytes))),
      );
    if (backlog === undefined) this.#position = next;
    else {
      backlog.begun = true;
      backlog.from = next;
    }
    this.pump(false);
  }

  /** A chunk of a log of the app's, from this member's offset. */
  tapped(log: AppLog, buffer: Buffer | undefined, next: number, isEnd: boolean): void {
    const tap = this.#taps?.get(log);
    if (tap === undefined || this.#state !== "open") return;
    tap.isReading = false;
    tap.offset = next;
    tap.isCaughtUp = isEnd;
    if (buffer !== undefined) this.#transport?.write(buffer);
    this.pump(false);
  }

  tapFailed(log: AppLog): void {
    if (this.#taps?.get(log) !== undefined)
      this.shut(closeCode.internalError, "the log could not be read");
  }

  /** There is more in a log of the app's. */
  advanced(log: AppLog): void {
    const tap = this.#taps?.get(log);
    if (tap !== undefined) tap.isCaughtUp = false;
  }

  // ---------- out ----------

  /** Writes what is due, as far as the socket takes it. `pressure`: a little further. */
  pump(pressure: boolean): void {
    const transport = this.#transport;
    if (transport === undefined || this.#state !== "open" || !this.#isJoined) {
      this.#pumpUnjoined();
      return;
    }
    const isMixed = this.#queueHead < this.#queue.length && this.#position <= this.feed.head;
    if (isMixed) transport.cork();
    this.#pumpInOrder(transport, pressure);
    if (isMixed) transport.uncork();
    if (this.#queueHead === this.#queue.length && this.#queueHead > 0) {
      this.#queue = [];
      this.#queueHead = 0;
    }
    if (this.#taps !== undefined) this.#pumpTaps(transport);
  }

  /** A join that failed ends with a close and nothing else. */
  #pumpUnjoined(): void {
    if (this.#state !== "open" || this.#isJoined) return;
    const item = this.#queue[this.#queueHead];
    if (item?.type === "close") this.shut(item.code, item.reason);
  }

  #pumpInOrder(transport: Transport, pressure: boolean): void {
    while (
      !this.#isPulling &&
      this.#state === "open" &&
      (transport.isWritable || (pressure && transport.bufferedBytes < maxBufferedUnderPressure))
    ) {
      const item = this.#queue[this.#queueHead];
      const limit = item === undefined ? this.feed.head : item.after;
      if (this.#position <= limit) {
        if (this.#position < this.feed.first) {
          this.#pull(this.#topics.topics, this.#position, Math.min(limit + 1, this.feed.first));
          return;
        }
        const slice = this.feed.slice(this.#topics, this.#position, limit);
        this.#position = slice.next;
        if (slice.buffer !== undefined) transport.write(slice.buffer);
        continue;
      }
      if (item === undefined) return;
      this.#next(transport, item);
    }
  }

  #next(transport: Transport, item: QueueItem): void {
    switch (item.type) {
      case "frame":
        transport.write(this.#host.concat(this.#takeFrames()));
        return;
      case "backlog":
        if (item.from >= item.until) this.#queueHead += 1;
        else this.#pull([item.topic], item.from, item.until);
        return;
      case "topics": {
        this.#queueHead += 1;
        const others = this.#topics.topics.filter((topic) => topic !== item.topic);
        this.#topics = this.feed.topicSet(item.follows ? [...others, item.topic] : others);
        return;
      }
      case "follow":
        this.#queueHead += 1;
        this.#taps ??= new Map();
        // A subscription that is there already keeps its place, unless it says another one.
        if (!this.#taps.has(item.log) || item.from !== undefined)
          this.#taps.set(item.log, { offset: item.from, isCaughtUp: false, isReading: false });
        item.log.followers.add(this);
        return;
      case "unfollow":
        this.#queueHead += 1;
        this.#taps?.delete(item.log);
        item.log.unfollow(this);
        return;
      case "close":
        this.shut(item.code, item.reason);
        return;
    }
  }

  /** The frames at the head of the queue that come before the log's next entry. */
  #takeFrames(): Extract<QueueItem, { type: "frame" }>[] {
    const items: Extract<QueueItem, { type: "frame" }>[] = [];
    let bytes = 0;
    for (
      let item = this.#queue[this.#queueHead];
      item?.type === "frame" && item.after < this.#position;
      item = this.#queue[this.#queueHead]
    ) {
      if (items.length > 0 && bytes + item.frame.byteLength > maxSliceBytes) break;
      items.push(item);
      bytes += item.frame.byteLength;
      this.#queueHead += 1;
    }
    this.#queueBytes -= bytes;
    return items;
  }

  #pumpTaps(transport: Transport): void {
    if (
      this.#taps === undefined ||
      this.#state !== "open" ||
      this.#isPulling ||
      this.#queueHead < this.#queue.length
    )
      return;
    for (const [log, tap] of this.#taps) {
      if (!transport.isWritable) return;
      if (tap.isCaughtUp || tap.isReading) continue;
      tap.isReading = true;
      log.read(this, tap.offset);
    }
  }

  #pull(topics: readonly string[], from: number, until: number): void {
    this.#isPulling = true;
    this.#host.pull(this, topics, from, until);
  }

  // ---------- in ----------

  message(data: Buffer, isBinary: boolean): void {
    if (this.#state !== "open") return;
    const payload: Payload = { opcode: isBinary ? opcode.binary : opcode.text, bytes: data };
    if (this.#held === undefined && this.#mayEnter()) {
      this.#host.incoming(this, payload);
      return;
    }
    // What the socket had read before the pause still comes; no more than one read of it.
    this.#held ??= [];
    this.#held.push(payload);
    this.#transport?.pause();
  }

  /** Hands on what was held back, as far as that goes; then reads on. */
  retry(): void {
    this.#isRetrying = false;
    while (this.#held !== undefined && this.#state === "open") {
      const payload = this.#held[0];
      if (payload === undefined) {
        this.#held = undefined;
        this.#transport?.resume();
        return;
      }
      if (!this.#mayEnter()) return;
      this.#held.shift();
      this.#host.incoming(this, payload);
    }
  }

  /** Whether the next message may go to the actor now. If not, `retry` will be called when it is worth it. */
  #mayEnter(): boolean {
    // `ready` of the actor leads to `retry`.
    if (this.feed.isFull) return false;
    const rate = this.#host.limits.maxMessagesPerSecond;
    if (this.#tokens < 1) {
      const now = this.#host.now();
      this.#tokens = Math.min(rate, this.#tokens + ((now - this.#tokensAt) * rate) / 1000);
      this.#tokensAt = now;
      if (this.#tokens < 1) {
        if (!this.#isRetrying) {
          this.#isRetrying = true;
          this.#host.retryAfter(this, Math.ceil(((1 - this.#tokens) * 1000) / rate));
        }
        return false;
      }
    }
    this.#tokens -= 1;
    return true;
  }

  // ---------- life ----------

  alive(): void {
    this.#aliveAt = this.#host.coarseNow;
    this.#pingedAt = -1;
  }

  writable(): void {
    this.pump(false);
  }

  closed(code: number | undefined, reason: string): void {
    this.#over(
      this.#leftFor ??
        (code === undefined || code === closeCode.abnormal
          ? { type: "lost" }
          : { type: "closed", code, reason }),
    );
  }

  /** Closes in order, behind what was written; what is still queued is dropped. */
  shut(code: number, reason: string): void {
    if (this.#state === "closing" || this.#state === "over") return;
    this.#state = "closing";
    this.#closingAt = this.#host.now();
    this.#forget();
    this.#transport?.close(code, reason);
  }

  /** Ends at once, for this reason. */
  cut(reason: CloseReason): void {
    this.#leftFor ??= reason;
    const transport = this.#transport;
    this.#over(reason);
    transport?.destroy();
  }

  /** Called about once a second: pings the silent, drops the dead, the stalled and those who do not answer a close. */
  sweep(now: number): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    const limits = this.#host.limits;
    if (this.#state === "closing") {
      if (now - this.#closingAt >= limits.closeTimeoutMs)
        this.cut(this.#leftFor ?? { type: "lost" });
      return;
    }
    if (transport.bufferedBytes === 0 || transport.takenBytes !== this.#takenBytes) {
      this.#takenBytes = transport.takenBytes;
      this.#movedAt = now;
    } else if (now - this.#movedAt >= limits.stalledTimeoutMs) {
      this.cut({ type: "slow" });
      return;
    }
    // We do not read it, so we cannot hear its pongs.
    if (this.#held !== undefined) this.#aliveAt = now;
    else if (this.#pingedAt >= 0) {
      if (now - this.#pingedAt >= limits.pongTimeoutMs) this.cut({ type: "timeout" });
    } else if (now - this.#aliveAt >= limits.pingIntervalMs) {
      this.#pingedAt = now;
      transport.ping();
    }
  }

  #tooSlow(why: string): void {
    this.#leftFor = { type: "slow" };
    this.shut(closeCode.tryAgainLater, why);
  }

  #over(reason: CloseReason): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#forget();
    this.#transport = undefined;
    this.#host.left(this, reason);
    this.#host.closed(this);
  }

  #forget(): void {
    this.#queue = [];
    this.#queueHead = 0;
    this.#queueBytes = 0;
    this.#held = undefined;
    if (this.#taps !== undefined) for (const log of this.#taps.keys()) log.unfollow(this);
    this.#taps = undefined;
  }
}
