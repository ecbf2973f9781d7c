import { closeCode } from "../protocol/close-code.ts";
import { concatFrames, type Frame } from "../protocol/frame.ts";
import type { CloseReason, ComeBack, LogEntryData, Payload } from "../protocol/port.ts";
import type { AppLog } from "./app-log.ts";
import type { Batch } from "./batch.ts";
import type { Feed } from "./feed.ts";
import { Following, type Follower } from "./following.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inflow, type InflowOwner } from "./inflow.ts";
import type { LogWindow } from "./log-window.ts";
import type { MemberChannel, MemberHost } from "./member-host.ts";
import { Outbox, type OutboxItem } from "./outbox.ts";
import type { Speech } from "./speech.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import type { TopicSet } from "./voice.ts";

/** While entries are about to leave the window, or a queue is full, a socket may hold this much instead of what `isWritable` allows: a service may say much at once. */
const maxBufferedAtOnce: number = 1024 * 1024;
/** One that did not take what came before: the rest it gets from the log, and holds nothing meanwhile. */
const maxBufferedBehind: number = 128 * 1024;

/**
 * A membership at the edge: a cursor in the actor's log, and what is meant for this
 * client alone. A plain one has a socket to itself, one of `windsock.v1` a channel of one.
 *
 * ```
 *   waiting ──attach──► open ──shut()──► closing ──► over
 *      │                  └──────── socket ends ──────▲
 *      └──────────────────── abandoned ───────────────┘
 * ```
 */
export class Member implements TransportEvents, InflowOwner<Payload>, Follower {
  // First what a broadcast touches: it is memory that no cache holds, for each of thousands.
  /** What it is written to while nothing but the service's own log is due to it. Whatever changes that takes it away. */
  #wire: Transport | undefined;
  /** The next entry of the log that it gets; 0 until its join is handled, infinite until a snapshot says. */
  #position = 0;
  readonly speech: Speech;

  readonly feed: Feed;
  #transport: Transport | undefined;
  #state: "waiting" | "open" | "closing" | "over" = "waiting";
  #outbox: Outbox | undefined;
  #done = 0;
  #credit = 0;
  #isPulling = false;
  /** Undefined: it follows the service's own log and nothing else. */
  #following: Following | undefined;
  /** It stands in the feed's list of those that have something of their own. */
  isDirty = false;

  readonly mid: string;
  readonly #host: MemberHost;
  readonly #channel: MemberChannel | undefined;
  #inflow: Inflow<Payload> | undefined;
  /** A channel has none: its socket's is its session's. */
  readonly #heartbeat: Heartbeat | undefined;
  #leftFor: CloseReason | undefined;
  /** Private messages that were written: what a client of `windsock.v1` counts. */
  #count = 0;
  /** The round of the event loop in which it last kept up when entries were about to leave the window. */
  #pressed = 0;

  constructor(mid: string, feed: Feed, host: MemberHost, speech: Speech, channel?: MemberChannel) {
    this.mid = mid;
    this.feed = feed;
    this.speech = speech;
    this.#host = host;
    this.#channel = channel;
    this.#heartbeat = channel === undefined ? new Heartbeat(host.coarseNow) : undefined;
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
    this.#heartbeat?.alive(this.#host.coarseNow);
    this.pump();
  }

  // ---------- from the actor ----------

  /** It was told that it has, or will be before all else. */
  get hasJoined(): boolean {
    return this.#position > 0;
  }

  /** `isHeld`: a snapshot will say from where. */
  joined(seq: number, isHeld = false): void {
    this.#wire = undefined;
    this.#position = isHeld ? Infinity : seq + 1;
  }

  /** It goes on with these topics, after what it has handled so far. */
  resumed(topics: readonly string[], isOwnLogAsked: boolean): void {
    this.#followed().resumed(topics, isOwnLogAsked);
  }

  countFrom(count: number): void {
    this.#count = count;
  }

  /** What it sent is disposed of up to here. Told once for all that one turn brings. */
  done(n: number): void {
    this.#wire = undefined;
    this.#done = n;
  }

  /** What it may have sent in total. */
  credit(bytes: number): void {
    this.#wire = undefined;
    this.#credit = bytes;
  }

  /** The topics of which it was told that their entries come. */
  get told(): readonly string[] {
    const { topics } = this.#topics;
    const item = this.#outbox?.first;
    // The rest of its backlog comes first: it follows the topic after that.
    return item?.type === "subscribe" && item.isSaid ? [...topics, item.topic] : topics;
  }

  /** Where it stands: all up to here was written. Undefined while something waits. */
  get place(): { readonly seq: number; readonly count: number } | undefined {
    if (this.#state !== "open" || this.#outbox !== undefined || this.#isPulling) return undefined;
    if (this.#position === 0 || this.#position <= this.feed.window.head) return undefined;
    return this.#position === Infinity
      ? undefined
      : { seq: this.#position - 1, count: this.#count };
  }

  enqueue(item: OutboxItem): void {
    if (this.#state === "closing" || this.#state === "over") return;
    this.#wire = undefined;
    this.#outbox ??= new Outbox(this.#host.queued);
    this.#outbox.push(item);
    const { maxSendQueueBytes } = this.#host.limits;
    if (this.#outbox.bytes <= maxSendQueueBytes) return;
    this.pump(maxBufferedAtOnce);
    if (this.#outbox !== undefined && this.#outbox.bytes > maxSendQueueBytes)
      this.#tooSlow("its send queue is full");
  }

  /** What waits for it alone, in bytes. */
  get queuedBytes(): number {
    return this.#outbox?.bytes ?? 0;
  }

  /** All queues together are full, and most waits in its. */
  relieve(): void {
    this.#tooSlow("too much waits for all clients together");
  }

  /** Entries that `pull` asked for. */
  pulled(entries: readonly LogEntryData[], next: number, gone: boolean): void {
    this.#isPulling = false;
    if (this.#state !== "open") return;
    const item = this.#outbox?.first;
    const backlog = item?.type === "subscribe" && this.#position > item.after ? item : undefined;
    // A backlog begins at what is kept; from there on, as for a lagging cursor, a hole ends the connection.
    if (gone && (backlog === undefined || backlog.begun)) {
      if (this.speech.fillsGaps) {
        // What comes now stands for the rest of a backlog too, and must not wait behind it.
        if (backlog !== undefined) {
          this.#outbox?.shift();
          this.#followed().begin(backlog.topic);
        }
        this.#position = Infinity;
        this.#host.uplink.behind(this);
      } else this.#tooSlow("the log has moved past its position");
      return;
    }
    const frames = entries.flatMap(({ seq, topic, payload }) => {
      // A restart that is older than a backlog's subscription was told of, or is none of its business.
      if (payload === undefined && backlog !== undefined) return [];
      return this.speech.voice.frameOf({ seq, topic, payload }) ?? [];
    });
    if (frames.length > 0) this.#transport?.write(concatFrames(frames));
    if (backlog === undefined) this.#position = next;
    else {
      backlog.begun = true;
      backlog.from = next;
    }
    this.pump();
  }

  tapped(buffer: Buffer | undefined): void {
    if (this.#state !== "open") return;
    if (buffer !== undefined) this.#transport?.write(buffer);
    this.pump();
  }

  tapDue(): void {
    this.#host.mark(this);
  }

  tapFailed(): void {
    this.shut(closeCode.internalError, "the log could not be read");
  }

  // ---------- out ----------

  /** Entries are about to leave the window, in this round of the event loop: while it keeps up, it gets them before. */
  press(round: number): void {
    if (this.#transport?.isWritable === true) this.#pressed = round;
    this.pump(this.#pressed === round ? maxBufferedAtOnce : maxBufferedBehind);
  }

  /** The log has grown. Gives whether it has all of that, once the batch is written. */
  news(window: LogWindow, batch: Batch): boolean {
    const wire = this.#wire;
    const from = this.#position;
    if (wire?.isWritable !== true || from < window.first || from > window.head) {
      this.pump();
      return this.isCaughtUp;
    }
    const { buffer, next } = window.slice(this.speech.voice.ownLogOnly, from, window.head);
    this.#position = next;
    if (buffer !== undefined) batch.add(wire, buffer);
    if (next > window.head) return true;
    // What is due was more than one slice.
    batch.write();
    this.pump();
    return this.isCaughtUp;
  }

  /** Writes what is due, as far as the socket takes it, or until it holds `maxBuffered`. */
  pump(maxBuffered = 0): void {
    const transport = this.#transport;
    if (transport === undefined || this.#state !== "open") return;
    if (this.#position === 0) {
      this.#pumpUnjoined();
      return;
    }
    // One that has read the log gets one write at most: what it sent is done behind its replies.
    const isMixed =
      this.#position <= this.feed.window.head && (this.#outbox !== undefined || this.#done > 0);
    if (isMixed) transport.cork();
    this.#pumpInOrder(transport, maxBuffered);
    if (this.#done > 0 || this.#credit > 0) this.#pumpReceipts(transport);
    if (isMixed) transport.uncork();
    if (this.#outbox?.isEmpty === true) this.#outbox = undefined;
    if (this.#following !== undefined && this.#outbox === undefined && this.#state === "open")
      if (!this.#isPulling) this.#following.pump(transport);
    if (this.#isPlain) this.#wire = transport.wire;
  }

  /** Nothing but its service's own log is due to it. */
  get #isPlain(): boolean {
    return (
      this.#state === "open" &&
      this.#outbox === undefined &&
      this.#following === undefined &&
      !this.#isPulling &&
      this.#done === 0 &&
      this.#credit === 0 &&
      this.#position <= this.feed.window.head + 1
    );
  }

  /** What it sent is done, and what it may send: behind the replies and refusals that belong to it. */
  #pumpReceipts(transport: Transport): void {
    if (this.#state !== "open" || this.#outbox?.isEmpty === false) return;
    transport.write(concatFrames(this.#takeReceipts()));
  }

  #takeReceipts(): Frame[] {
    const frames: Frame[] = [];
    if (this.#done > 0) frames.push(this.speech.done(this.#done));
    if (this.#credit > 0) frames.push(this.speech.credit(this.#credit));
    this.#done = 0;
    this.#credit = 0;
    return frames;
  }

  /** A join that failed ends with a close and nothing else. */
  #pumpUnjoined(): void {
    const item = this.#outbox?.first;
    if (item?.type === "close") this.shut(item.code, item.reason, item.comeBack);
  }

  #pumpInOrder(transport: Transport, maxBuffered: number): void {
    const { window } = this.feed;
    while (!this.#isPulling && this.#state === "open") {
      const item = this.#outbox?.first;
      const limit = item === undefined ? window.head : item.after;
      const isItemDue = this.#position > limit;
      if (isItemDue && item === undefined) return;
      if (!transport.isWritable && transport.bufferedBytes >= maxBuffered) return;
      if (isItemDue && item !== undefined) {
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
      case "private":
      case "control": {
        const items = outbox.takeFrames(this.#position);
        for (const one of items) if (one.type === "private") this.#count += 1;
        // An echo's reply and its receipt in one buffer: two cost a `writev`, and a third more.
        const isLast = outbox.isEmpty && this.#position > this.feed.window.head;
        if (isLast && (this.#done > 0 || this.#credit > 0))
          transport.write(this.feed.concatWith(items, this.speech, this.#takeReceipts()));
        else transport.write(this.feed.concat(items, this.speech));
        return;
      }
      case "snapshot":
        outbox.shift();
        this.#position = this.#position === Infinity ? item.after + 1 : this.#position;
        transport.write(item.frame.single());
        return;
      case "subscribe":
      case "follow":
      case "unsubscribe": {
        const backlog = this.#followed().take(item, transport);
        if (backlog === undefined) outbox.shift();
        else this.#pull([backlog.topic], backlog.from, backlog.until);
        return;
      }
      case "close":
        // The turn that closes it has handled its message.
        if (this.#done > 0) transport.write(this.speech.done(this.#done).single());
        this.shut(item.code, item.reason, item.comeBack);
        return;
    }
  }

  get #topics(): TopicSet {
    return this.#following?.topics ?? this.speech.voice.ownLogOnly;
  }

  #followed(): Following {
    this.#wire = undefined;
    this.#following ??= new Following(this);
    return this.#following;
  }

  appLog(topic: string): AppLog {
    return this.#host.appLog(this.feed, topic);
  }

  #pull(topics: readonly string[], from: number, until: number): void {
    this.#isPulling = true;
    this.#wire = undefined;
    this.#host.pull(this, topics, from, until);
  }

  // ---------- in ----------

  message(data: Buffer, isBinary: boolean): void {
    if (this.#state !== "open") return;
    const payload: Payload = { kind: isBinary ? "binary" : "text", bytes: data };
    this.#inflow ??= new Inflow(this, this.#host);
    // At a bounded rate, and only while the mailbox has room.
    if (this.#inflow.passes()) this.incoming(payload);
    else this.#inflow.hold(payload);
  }

  incoming(payload: Payload): void {
    this.#host.uplink.message(this, 0, payload.bytes.length, payload);
  }

  // ---------- life ----------

  writable(): void {
    this.pump();
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
    this.#heartbeat?.closes(this.#host.now());
    const after = this.feed.window.head;
    this.enqueue({ type: "close", after, code, reason, comeBack: undefined });
  }

  /** Closes behind what was written; what is still queued is dropped. */
  shut(code: number, reason: string, comeBack?: ComeBack): void {
    if (this.#state === "closing" || this.#state === "over") return;
    if (this.#channel !== undefined) {
      this.#channel.close(code, reason, comeBack);
      this.#over(this.#leftFor ?? { type: "closed", code, reason });
      return;
    }
    this.#state = "closing";
    this.#heartbeat?.closes(this.#host.now());
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

  /** Another socket has taken over its membership. */
  detached(): void {
    this.#channel?.forget();
    this.dropped();
  }

  /** The socket of its session broke: its membership stays for a while. */
  dropped(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#forget();
    this.#transport = undefined;
    this.#host.dropped(this);
  }

  /** Called about once a second: pings the silent, drops the dead, the stalled and those who do not answer a close. */
  sweep(now: number): void {
    this.#outbox?.settle();
    const transport = this.#transport;
    const heartbeat = this.#heartbeat;
    if (transport === undefined || heartbeat === undefined) return;
    const isHeld = this.#inflow?.isHolding === true;
    switch (heartbeat.beat(now, transport, this.#host.limits, isHeld)) {
      case undefined:
        return;
      case "timeout":
        this.cut({ type: "timeout" });
        return;
      case "stalled":
        this.cut({ type: "slow" });
        return;
      case "unanswered":
        this.cut(this.#leftFor ?? { type: "lost" });
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
    this.#wire = undefined;
    this.#outbox?.clear();
    this.#outbox = undefined;
    this.#inflow?.clear();
    this.#inflow = undefined;
    this.#following?.close();
    this.#following = undefined;
  }
}
