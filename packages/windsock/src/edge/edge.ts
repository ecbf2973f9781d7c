import type { Clock, Timer } from "../actor/clock.ts";
import { concatFrames, Frame } from "../protocol/frame.ts";
import type { Limits } from "../protocol/limits.ts";
import type {
  ActorToEdge,
  CloseReason,
  EdgeToActor,
  Out,
  Outlet,
  Payload,
  PublishedValue,
  RequestData,
} from "../protocol/port.ts";
import { AppLog } from "./app-log.ts";
import { Feed } from "./feed.ts";
import { Member, type MemberHost, type QueueItem } from "./member.ts";
import type { Transport, TransportEvents } from "./transport.ts";

export interface EdgeOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly outlet: Outlet<EdgeToActor>;
}

export interface JoinRequest {
  readonly mid: string;
  readonly address: string;
  readonly sessionId: string;
  readonly protocol: string;
  readonly request: RequestData;
  readonly user: unknown;
}

export type JoinAnswer =
  | { readonly type: "admitted" }
  | {
      readonly type: "refused";
      readonly status: number;
      readonly reason: string;
      readonly retryAfterMs: number;
    };

export type PublishAnswer =
  | { readonly type: "published"; readonly seq: number; readonly delivered: boolean }
  | { readonly type: "busy"; readonly retryAfterMs: number }
  | { readonly type: "unavailable"; readonly reason: string; readonly retryAfterMs: number };

const sweepIntervalMs = 1000;
/** A flush pauses after so long, so that 10,000 clients do not stall pings, accepts and other services. */
const flushSliceMs = 4;
const pumpsPerLook = 32;
const pullBytes = 64 * 1024;

type FrameItem = Extract<QueueItem, { type: "frame" }>;

/** The sockets' side of a process: it turns commits into frames, and lets each socket have them at its own pace. */
export class Edge implements MemberHost {
  readonly limits: Limits;
  coarseNow: number;
  readonly #clock: Clock;
  readonly #outlet: Outlet<EdgeToActor>;
  readonly #members = new Map<string, Member>();
  readonly #feeds = new Map<string, Feed>();
  readonly #appLogs = new Map<string, Map<string, AppLog>>();
  readonly #joins = new Map<string, (answer: JoinAnswer) => void>();
  readonly #publishes = new Map<number, (answer: PublishAnswer) => void>();
  readonly #pulls = new Map<number, Member>();
  readonly #reads = new Map<number, Parameters<ConstructorParameters<typeof AppLog>[0]>[1]>();
  #nextId = 1;
  #dirtyMembers: Member[] = [];
  #dirtyFeeds: Feed[] = [];
  #pass:
    | { readonly feed: Feed; readonly members: Iterator<Member>; isCaughtUp: boolean }
    | undefined;
  #isScheduled = false;
  #lastItems: readonly FrameItem[] = [];
  #lastBuffer: Buffer | undefined;
  #sweep: Timer | undefined;

  constructor(options: EdgeOptions) {
    this.#clock = options.clock;
    this.limits = options.limits;
    this.#outlet = options.outlet;
    this.coarseNow = options.clock.now();
    this.#scheduleSweep();
  }

  get memberCount(): number {
    return this.#members.size;
  }

  // ---------- from the gateway ----------

  /** Asks for a place. After `admitted`, `attach` or `abandon` must follow. */
  join(request: JoinRequest): Promise<JoinAnswer> {
    const { promise, resolve } = Promise.withResolvers<JoinAnswer>();
    const feed = this.#feed(request.address);
    const member = new Member(request.mid, feed, this);
    this.#members.set(request.mid, member);
    feed.members.add(member);
    this.#joins.set(request.mid, resolve);
    this.#outlet.post({ type: "join", ...request });
    return promise;
  }

  /** Connects a membership with its socket; the events of the socket go to what is returned. Undefined: it is over already. */
  attach(mid: string, transport: Transport): TransportEvents | undefined {
    const member = this.#members.get(mid);
    member?.attach(transport);
    return member;
  }

  /** The client went away before its upgrade was complete. */
  abandon(mid: string): void {
    this.#members.get(mid)?.cut({ type: "lost" });
  }

  publish(
    address: string,
    value: PublishedValue,
    idempotencyKey: string | undefined,
  ): Promise<PublishAnswer> {
    const { promise, resolve } = Promise.withResolvers<PublishAnswer>();
    const id = this.#nextId++;
    this.#publishes.set(id, resolve);
    this.#outlet.post({
      type: "publish",
      address,
      id,
      value,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    return promise;
  }

  /** Closes every client in order. Resolves when all are gone; each has `closeTimeoutMs` to answer. */
  async close(code: number, reason: string): Promise<void> {
    this.flushAll();
    for (const member of [...this.#members.values()]) member.shut(code, reason);
    if (this.#members.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }

  /** Ends every connection now. */
  destroy(reason: CloseReason): void {
    this.#sweep?.cancel();
    for (const member of [...this.#members.values()]) member.cut(reason);
  }

  #onEmpty: (() => void) | undefined;

  // ---------- from the actor ----------

  receive(message: ActorToEdge): void {
    switch (message.type) {
      case "admitted":
        this.#answerJoin(message.mid, { type: "admitted" });
        return;
      case "refused": {
        const { status, reason, retryAfterMs } = message;
        this.#drop(message.mid);
        this.#answerJoin(message.mid, { type: "refused", status, reason, retryAfterMs });
        return;
      }
      case "commit":
        this.#commit(message.address, message.out);
        return;
      case "full": {
        const feed = this.#feeds.get(message.address);
        if (feed !== undefined) feed.isFull = true;
        return;
      }
      case "ready":
        this.#ready(message.address);
        return;
      case "published":
        this.#answerPublish(message.id, {
          type: "published",
          seq: message.seq,
          delivered: message.delivered,
        });
        return;
      case "busy":
        this.#answerPublish(message.id, { type: "busy", retryAfterMs: message.retryAfterMs });
        return;
      case "unavailable":
        this.#answerPublish(message.id, {
          type: "unavailable",
          reason: message.reason,
          retryAfterMs: message.retryAfterMs,
        });
        return;
      case "pulled": {
        const member = this.#pulls.get(message.id);
        this.#pulls.delete(message.id);
        member?.pulled(message.entries, message.next, message.gone);
        return;
      }
      case "read": {
        const answer = this.#reads.get(message.id);
        this.#reads.delete(message.id);
        answer?.(message.payloads, message.next, message.failed);
        return;
      }
    }
  }

  #commit(address: string, out: readonly Out[]): void {
    const feed = this.#feeds.get(address);
    if (feed === undefined) return;
    for (const one of out) this.#apply(feed, one);
  }

  #apply(feed: Feed, out: Out): void {
    switch (out.type) {
      case "joined":
        feed.advanceTo(out.seq);
        this.#members.get(out.mid)?.joined(out.seq);
        return;
      case "publish":
        this.#append(feed, out.seq, out.topic, new Frame(out.payload.opcode, out.payload.bytes));
        return;
      case "restarted":
        this.#append(feed, out.seq, "", undefined);
        return;
      case "send": {
        const item: FrameItem = {
          type: "frame",
          after: feed.head,
          frame: new Frame(out.payload.opcode, out.payload.bytes),
        };
        for (const mid of out.mids) {
          const member = this.#members.get(mid);
          if (member === undefined) continue;
          member.enqueue(item);
          this.#mark(member);
        }
        return;
      }
      case "subscribe":
        if (out.from !== undefined && out.from <= out.seq) {
          this.#enqueue(out.mid, {
            type: "backlog",
            after: feed.head,
            topic: out.topic,
            from: Math.max(out.from, 1),
            until: out.seq + 1,
            begun: false,
          });
        }
        this.#enqueue(out.mid, {
          type: "topics",
          after: feed.head,
          topic: out.topic,
          follows: true,
        });
        return;
      case "follow":
        this.#enqueue(out.mid, {
          type: "follow",
          after: feed.head,
          log: this.#appLog(feed.address, out.topic),
          from: out.from,
        });
        return;
      case "unsubscribe": {
        const log = this.#appLogs.get(feed.address)?.get(out.topic);
        if (log === undefined)
          this.#enqueue(out.mid, {
            type: "topics",
            after: feed.head,
            topic: out.topic,
            follows: false,
          });
        else this.#enqueue(out.mid, { type: "unfollow", after: feed.head, log });
        return;
      }
      case "advance": {
        const log = this.#appLogs.get(feed.address)?.get(out.topic);
        if (log === undefined) return;
        log.advance();
        for (const member of log.followers) this.#mark(member);
        return;
      }
      case "close":
        this.#enqueue(out.mid, {
          type: "close",
          after: feed.head,
          code: out.code,
          reason: out.reason,
        });
        return;
    }
  }

  #append(feed: Feed, seq: number, topic: string, frame: Frame | undefined): void {
    feed.append(seq, topic, frame);
    if (feed.isOverfull) {
      // Those who can still take it get it before it leaves the window.
      for (const member of feed.members) member.pump(true);
      feed.trim();
    }
    if (!feed.isDirty) {
      feed.isDirty = true;
      this.#dirtyFeeds.push(feed);
      this.#schedule();
    }
  }

  #enqueue(mid: string, item: QueueItem): void {
    const member = this.#members.get(mid);
    if (member === undefined) return;
    member.enqueue(item);
    this.#mark(member);
  }

  #ready(address: string): void {
    const feed = this.#feeds.get(address);
    if (feed === undefined) return;
    feed.isFull = false;
    for (const member of feed.members) {
      if (feed.isFull) return;
      member.retry();
    }
  }

  // ---------- flush ----------

  #mark(member: Member): void {
    if (member.isDirty) return;
    member.isDirty = true;
    this.#dirtyMembers.push(member);
    this.#schedule();
  }

  /** After the reads of this round of the event loop: what they caused leaves together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    if (!this.#flushUntil(performance.now() + flushSliceMs)) this.#schedule();
  };

  /** Flushes without a pause. */
  flushAll(): void {
    this.#flushUntil(Infinity);
  }

  /** False: the time was up before the work was done. */
  #flushUntil(deadline: number): boolean {
    for (let pumps = 0; ; pumps++) {
      if (pumps % pumpsPerLook === pumpsPerLook - 1 && performance.now() >= deadline) return false;
      const member = this.#nextDirty();
      if (member === undefined) break;
      member.pump(false);
      if (this.#pass !== undefined && !member.isCaughtUp) this.#pass.isCaughtUp = false;
    }
    this.#lastItems = [];
    this.#lastBuffer = undefined;
    return true;
  }

  /** Members of a feed in their order first, then those with something of their own. */
  #nextDirty(): Member | undefined {
    for (;;) {
      if (this.#pass === undefined) {
        const feed = this.#dirtyFeeds.shift();
        if (feed === undefined) break;
        feed.isDirty = false;
        this.#pass = { feed, members: feed.members.values(), isCaughtUp: true };
      }
      const next = this.#pass.members.next();
      if (next.done !== true) return next.value;
      if (this.#pass.isCaughtUp && !this.#pass.feed.isDirty) this.#pass.feed.clear();
      this.#pass = undefined;
    }
    const member = this.#dirtyMembers.pop();
    if (member !== undefined) member.isDirty = false;
    return member;
  }

  /** Many members often have the same frames due: then they share one buffer. */
  concat(items: readonly FrameItem[]): Buffer {
    const last = this.#lastItems;
    if (
      this.#lastBuffer !== undefined &&
      last.length === items.length &&
      items.every((item, index) => item === last[index])
    )
      return this.#lastBuffer;
    const buffer = concatFrames(items.map((item) => item.frame));
    this.#lastItems = items;
    this.#lastBuffer = buffer;
    return buffer;
  }

  // ---------- for members ----------

  now(): number {
    return this.#clock.now();
  }

  incoming(member: Member, payload: Payload): void {
    this.#outlet.post({ type: "in", address: member.feed.address, mid: member.mid, payload });
  }

  pull(member: Member, topics: readonly string[], from: number, until: number): void {
    const id = this.#nextId++;
    this.#pulls.set(id, member);
    // The answer may come at once: not from within the member's own pump.
    queueMicrotask(() =>
      this.#outlet.post({
        type: "pull",
        address: member.feed.address,
        id,
        topics,
        from,
        until,
        maxBytes: pullBytes,
      }),
    );
  }

  retryAfter(member: Member, ms: number): void {
    this.#clock.setTimeout(() => member.retry(), ms);
  }

  left(member: Member, reason: CloseReason): void {
    this.#outlet.post({ type: "leave", address: member.feed.address, mid: member.mid, reason });
  }

  closed(member: Member): void {
    this.#drop(member.mid);
    if (this.#members.size === 0) this.#onEmpty?.();
  }

  // ---------- inside ----------

  #feed(address: string): Feed {
    let feed = this.#feeds.get(address);
    if (feed === undefined) {
      feed = new Feed(address);
      this.#feeds.set(address, feed);
    }
    return feed;
  }

  #appLog(address: string, topic: string): AppLog {
    let logs = this.#appLogs.get(address);
    if (logs === undefined) {
      logs = new Map();
      this.#appLogs.set(address, logs);
    }
    let log = logs.get(topic);
    if (log === undefined) {
      const read: ConstructorParameters<typeof AppLog>[0] = (from, answer) => {
        const id = this.#nextId++;
        this.#reads.set(id, answer);
        this.#outlet.post({
          type: "read",
          address,
          id,
          topic,
          maxBytes: pullBytes,
          ...(from === undefined ? {} : { from }),
        });
      };
      const all = logs;
      log = new AppLog(read, () => {
        all.delete(topic);
        if (all.size === 0 && this.#appLogs.get(address) === all) this.#appLogs.delete(address);
      });
      logs.set(topic, log);
    }
    return log;
  }

  #drop(mid: string): void {
    const member = this.#members.get(mid);
    if (member === undefined) return;
    this.#members.delete(mid);
    const { feed } = member;
    feed.members.delete(member);
    if (feed.members.size === 0) this.#feeds.delete(feed.address);
  }

  #answerJoin(mid: string, answer: JoinAnswer): void {
    const resolve = this.#joins.get(mid);
    this.#joins.delete(mid);
    resolve?.(answer);
  }

  #answerPublish(id: number, answer: PublishAnswer): void {
    const resolve = this.#publishes.get(id);
    this.#publishes.delete(id);
    resolve?.(answer);
  }

  #scheduleSweep(): void {
    this.#sweep = this.#clock.setTimeout(() => {
      this.coarseNow = this.#clock.now();
      for (const member of this.#members.values()) member.sweep(this.coarseNow);
      this.#scheduleSweep();
    }, sweepIntervalMs);
  }
}
