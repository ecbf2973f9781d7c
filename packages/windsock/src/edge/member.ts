import { closeCode } from "../protocol/close-code.ts";
import { concatFrames, Frame, opcode } from "../protocol/frame.ts";
import type { Limits } from "../protocol/limits.ts";
import type { CloseReason, LogEntryData, Payload } from "../protocol/port.ts";
import { Tap, type AppLog, type TapOwner } from "./app-log.ts";
import { ownLogOnly, type Feed } from "./feed.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inflow, type InflowHost, type InflowOwner } from "./inflow.ts";
import type { TopicSet } from "./log-window.ts";
import { Outbox, type OutboxItem } from "./outbox.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** What a member asks of its edge. */
export interface MemberHost extends InflowHost {
  readonly limits: Limits;
  /** Time in whole ms, as of the last sweep: exact enough for silence, and free. */
  readonly coarseNow: number;
  /** It has something to write: `pump` follows, together with what else this turn brings. */
  mark(member: Member): void;
  incoming(member: Member, payload: Payload): void;
  /** Entries of the actor's log in [from, until). `Member.pulled` gets the answer. */
  pull(member: Member, topics: readonly string[], from: number, until: number): void;
  /** The log of the app's that its service has put under this topic. */
  appLog(feed: Feed, topic: string): AppLog;
  left(member: Member, reason: CloseReason): void;
}

/** While entries are about to leave the window, or a queue is full, a socket may hold this much instead of what `isWritable` allows. */
const maxBufferedUnderPressure = 1024 * 1024;

/**
 * A plain membership at the edge: one socket, one cursor in the actor's log, and what
 * is meant for this client alone.
 *
 * ```
 *   waiting ──attach──► open ──shut()──► closing ──► over
 *      │                  └──────── socket ends ──────▲
 *      └──────────────────── abandoned ───────────────┘
 * ```
 */
export class Member implements TransportEvents, InflowOwner, TapOwner {
  readonly mid: string;
  readonly feed: Feed;
  readonly #host: MemberHost;
  #state: "waiting" | "open" | "closing" | "over" = "waiting";
  #transport: Transport | undefined;
  /** The next entry of the log that it gets; 0 until its join is handled. */
  #position = 0;
  #topics: TopicSet = ownLogOnly;
  /** The service's own log is followed from the join on; whether a `subscribe` asked for it too. */
  #isOwnLogAsked = false;
  #outbox: Outbox | undefined;
  #taps: Map<string, Tap> | undefined;
  #isPulling = false;
  #inflow: Inflow | undefined;
  readonly #heartbeat: Heartbeat;
  /** When its closing began; -1 before. */
  #closingAt = -1;
  #leftFor: CloseReason | undefined;
  /** It stands in the feed's list of those that have something of their own. */
  isDirty = false;

  constructor(mid: string, feed: Feed, host: MemberHost) {
    this.mid = mid;
    this.feed = feed;
    this.#host = host;
    this.#heartbeat = new Heartbeat(host.coarseNow);
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }

  /** Whether it has read all that the window holds. */
  get isCaughtUp(): boolean {
    return (
      this.#position > this.feed.window.head || this.#state === "closing" || this.#state === "over"
    );
  }

  /** The upgrade is done: this is the connection. */
  attach(transport: Transport): void {
    if (this.#state !== "waiting") {
      transport.destroy();
      return;
    }
    this.#state = "open";
    this.#transport = transport;
    this.#heartbeat.alive(this.#host.coarseNow);
    this.pump(false);
  }

  // ---------- from the actor ----------

  joined(seq: number): void {
    this.#position = seq + 1;
  }

  enqueue(item: OutboxItem): void {
    if (this.#state === "closing" || this.#state === "over") return;
    this.#outbox ??= new Outbox();
    this.#outbox.push(item);
    const { maxSendQueueBytes } = this.#host.limits;
    if (this.#outbox.bytes <= maxSendQueueBytes) return;
    this.pump(true);
    if (this.#outbox !== undefined && this.#outbox.bytes > maxSendQueueBytes)
      this.#tooSlow("its send queue is full");
  }

  /** Entries that `pull` asked for. */
  pulled(entries: readonly LogEntryData[], next: number, gone: boolean): void {
    this.#isPulling = false;
    if (this.#state !== "open") return;
    const item = this.#outbox?.first;
    const backlog = item?.type === "subscribe" && this.#position > item.after ? item : undefined;
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

  tapped(buffer: Buffer | undefined): void {
    if (this.#state !== "open") return;
    if (buffer !== undefined) this.#transport?.write(buffer);
    this.pump(false);
  }

  tapDue(): void {
    this.#host.mark(this);
  }

  tapFailed(): void {
    this.shut(closeCode.internalError, "the log could not be read");
  }

  // ---------- out ----------

  /** Writes what is due, as far as the socket takes it. `pressure`: a little further. */
  pump(pressure: boolean): void {
    const transport = this.#transport;
    if (transport === undefined || this.#state !== "open") return;
    if (this.#position === 0) {
      this.#pumpUnjoined();
      return;
    }
    const isMixed = this.#outbox !== undefined && this.#position <= this.feed.window.head;
    if (isMixed) transport.cork();
    this.#pumpInOrder(transport, pressure);
    if (isMixed) transport.uncork();
    if (this.#outbox?.isEmpty === true) this.#outbox = undefined;
    if (this.#taps !== undefined) this.#pumpTaps(transport);
  }

  /** A join that failed ends with a close and nothing else. */
  #pumpUnjoined(): void {
    const item = this.#outbox?.first;
    if (item?.type === "close") this.shut(item.code, item.reason);
  }

  #pumpInOrder(transport: Transport, pressure: boolean): void {
    const { window } = this.feed;
    while (
      !this.#isPulling &&
      this.#state === "open" &&
      (transport.isWritable || (pressure && transport.bufferedBytes < maxBufferedUnderPressure))
    ) {
      const item = this.#outbox?.first;
      const limit = item === undefined ? window.head : item.after;
      if (this.#position > limit) {
        if (item === undefined) return;
        this.#next(transport, item);
        continue;
      }
      if (this.#position < window.first) {
        this.#pull(this.#topics.topics, this.#position, Math.min(limit + 1, window.first));
        return;
      }
      const slice = window.slice(this.#topics, this.#position, limit);
      this.#position = slice.next;
      if (slice.buffer !== undefined) transport.write(slice.buffer);
    }
  }

  /** The first of what is its own is due. */
  #next(transport: Transport, item: OutboxItem): void {
    const outbox = this.#outbox;
    if (outbox === undefined) return;
    switch (item.type) {
      case "frame":
        transport.write(this.feed.concat(outbox.takeFrames(this.#position)));
        return;
      case "subscribe":
        // One that is there already keeps its place: a replay after a crash brings nothing twice.
        if (!item.begun && this.#isSubscribed(item.topic)) outbox.shift();
        else if (item.from < item.until) this.#pull([item.topic], item.from, item.until);
        else {
          outbox.shift();
          this.#subscribed(item.topic);
        }
        return;
      case "follow":
        outbox.shift();
        this.#follow(item.topic, item.from);
        return;
      case "unsubscribe": {
        outbox.shift();
        const tap = this.#taps?.get(item.topic);
        tap?.close();
        if (tap === undefined) this.#unsubscribed(item.topic);
        else this.#taps?.delete(item.topic);
        return;
      }
      case "close":
        this.shut(item.code, item.reason);
        return;
    }
  }

  #isSubscribed(topic: string): boolean {
    return this.#topics.has.has(topic) && (topic !== "" || this.#isOwnLogAsked);
  }

  #subscribed(topic: string): void {
    if (topic === "") this.#isOwnLogAsked = true;
    if (!this.#topics.has.has(topic))
      this.#topics = this.feed.topicSet([...this.#topics.topics, topic]);
  }

  #unsubscribed(topic: string): void {
    if (topic === "") this.#isOwnLogAsked = false;
    this.#topics = this.feed.topicSet(this.#topics.topics.filter((other) => other !== topic));
  }

  #follow(topic: string, from: number | undefined): void {
    this.#taps ??= new Map();
    if (this.#taps.has(topic)) return;
    this.#taps.set(topic, new Tap(this.#host.appLog(this.feed, topic), this, from));
  }

  #pumpTaps(transport: Transport): void {
    if (this.#taps === undefined || this.#state !== "open" || this.#isPulling) return;
    if (this.#outbox !== undefined) return;
    for (const tap of this.#taps.values()) {
      if (!transport.isWritable) return;
      if (tap.isDue) tap.read();
    }
  }

  #pull(topics: readonly string[], from: number, until: number): void {
    this.#isPulling = true;
    this.#host.pull(this, topics, from, until);
  }

  // ---------- in ----------

  message(data: Buffer, isBinary: boolean): void {
    if (this.#state !== "open") return;
    this.#inflow ??= new Inflow(this, this.#host);
    this.#inflow.take({ opcode: isBinary ? opcode.binary : opcode.text, bytes: data });
  }

  incoming(payload: Payload): void {
    this.#host.incoming(this, payload);
  }

  // ---------- life ----------

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

  /** Closes behind all that is due so far. */
  end(code: number, reason: string): void {
    if (this.#closingAt < 0) this.#closingAt = Math.floor(this.#host.now());
    this.enqueue({ type: "close", after: this.feed.window.head, code, reason });
  }

  /** Closes behind what was written; what is still queued is dropped. */
  shut(code: number, reason: string): void {
    if (this.#state === "closing" || this.#state === "over") return;
    this.#state = "closing";
    if (this.#closingAt < 0) this.#closingAt = Math.floor(this.#host.now());
    this.#forget();
    // Paused, it would never read the answer.
    this.#transport?.resume();
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
    const { limits } = this.#host;
    if (this.#closingAt >= 0) {
      if (now - this.#closingAt >= limits.closeTimeoutMs)
        this.cut(this.#leftFor ?? { type: "lost" });
      return;
    }
    // We do not read it, so we cannot hear its pongs.
    if (this.#inflow?.isHolding === true) this.#heartbeat.alive(now);
    switch (this.#heartbeat.beat(now, transport, limits)) {
      case "fine":
        return;
      case "ping":
        transport.ping();
        return;
      case "timeout":
        this.cut({ type: "timeout" });
        return;
      case "stalled":
        this.cut({ type: "slow" });
        return;
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
  }

  #forget(): void {
    this.#outbox = undefined;
    this.#inflow?.clear();
    this.#inflow = undefined;
    if (this.#taps !== undefined) for (const tap of this.#taps.values()) tap.close();
    this.#taps = undefined;
  }
}
