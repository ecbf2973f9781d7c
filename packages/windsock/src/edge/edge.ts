import type { Clock } from "../actor/clock.ts";
import { Frame } from "../protocol/frame.ts";
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
import { AppLog, type AppLogAnswer, type ReadAppLog } from "./app-log.ts";
import { Feed } from "./feed.ts";
import { Flush } from "./flush.ts";
import type { Inflow } from "./inflow.ts";
import { Member, type MemberHost } from "./member.ts";
import type { FrameItem, OutboxItem } from "./outbox.ts";
import { Sweep } from "./sweep.ts";
import { Throttle } from "./throttle.ts";
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

export interface EdgeCounts {
  readonly members: number;
  readonly feeds: number;
  readonly appLogs: number;
  /** To actors, not answered yet. */
  readonly questions: number;
}

const pullBytes = 64 * 1024;
/** Messages that one client hands on before the next one may, when a mailbox has room again. */
const releasedPerTurn = 16;

/** The sockets' side of a process: it turns commits into frames, and lets each socket have them at its own pace. */
export class Edge implements MemberHost {
  readonly limits: Limits;
  readonly #clock: Clock;
  readonly #outlet: Outlet<EdgeToActor>;
  readonly #members = new Map<string, Member>();
  readonly #feeds = new Map<string, Feed>();
  /** Questions on their way. Each is answered once: at most one of a kind for each upgrade, request, member or log. */
  readonly #joins = new Map<string, (answer: JoinAnswer) => void>();
  readonly #publishes = new Map<number, (answer: PublishAnswer) => void>();
  readonly #pulls = new Map<number, Member>();
  readonly #reads = new Map<number, AppLogAnswer>();
  readonly #flush = new Flush();
  readonly #throttle: Throttle;
  readonly #sweep: Sweep;
  #nextId = 1;
  #onEmpty: (() => void) | undefined;

  constructor(options: EdgeOptions) {
    this.#clock = options.clock;
    this.limits = options.limits;
    this.#outlet = options.outlet;
    this.#throttle = new Throttle(options.clock);
    this.#sweep = new Sweep(options.clock, this.#members);
  }

  get memberCount(): number {
    return this.#members.size;
  }

  /** What it holds: for the health of a server, and to see that nothing is left behind. */
  counts(): EdgeCounts {
    let appLogs = 0;
    for (const feed of this.#feeds.values()) appLogs += feed.appLogCount;
    return {
      members: this.#members.size,
      feeds: this.#feeds.size,
      appLogs,
      questions: this.#joins.size + this.#publishes.size + this.#pulls.size + this.#reads.size,
    };
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

  /** Closes every client, behind what is due to it. Resolves when all are gone: each has `closeTimeoutMs` to take it and answer. */
  async close(code: number, reason: string): Promise<void> {
    for (const member of [...this.#members.values()]) {
      member.end(code, reason);
      this.mark(member);
    }
    if (this.#members.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }

  /** Ends every connection now. */
  destroy(reason: CloseReason): void {
    this.#sweep.stop();
    this.#throttle.stop();
    for (const member of [...this.#members.values()]) member.cut(reason);
  }

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
    const after = feed.window.head;
    switch (out.type) {
      case "joined":
        feed.window.advanceTo(out.seq);
        this.#members.get(out.mid)?.joined(out.seq);
        return;
      case "publish":
        this.#append(feed, out.seq, out.topic, new Frame(out.payload.opcode, out.payload.bytes));
        return;
      case "restarted":
        this.#append(feed, out.seq, "", undefined);
        return;
      case "send": {
        const frame = new Frame(out.payload.opcode, out.payload.bytes);
        const item: FrameItem = { type: "frame", after, frame };
        for (const mid of out.mids) this.#enqueue(mid, item);
        return;
      }
      case "subscribe": {
        const { mid, topic, seq } = out;
        const until = seq + 1;
        const from = Math.max(out.from ?? until, 1);
        this.#enqueue(mid, { type: "subscribe", after, topic, from, until, begun: false });
        return;
      }
      case "follow":
        this.#enqueue(out.mid, { type: "follow", after, topic: out.topic, from: out.from });
        return;
      case "unsubscribe":
        this.#enqueue(out.mid, { type: "unsubscribe", after, topic: out.topic });
        return;
      case "advance":
        feed.appLog(out.topic)?.advance();
        return;
      case "close": {
        const { mid, code, reason } = out;
        this.#enqueue(mid, { type: "close", after, code, reason });
        return;
      }
    }
  }

  #append(feed: Feed, seq: number, topic: string, frame: Frame | undefined): void {
    feed.window.append(seq, topic, frame);
    if (feed.window.isOverfull) {
      // Those who can still take it get it before it leaves the window.
      for (const member of feed.members) member.pump(true);
      feed.window.trim();
    }
    feed.news();
    this.#flush.add(feed);
  }

  #enqueue(mid: string, item: OutboxItem): void {
    const member = this.#members.get(mid);
    if (member === undefined) return;
    member.enqueue(item);
    this.mark(member);
  }

  /** Everybody in turn, so that one who sends much does not keep the others out. */
  #ready(address: string): void {
    const feed = this.#feeds.get(address);
    if (feed === undefined) return;
    feed.isFull = false;
    for (const inflow of feed.held) {
      feed.held.delete(inflow);
      inflow.release(releasedPerTurn);
      if (feed.isFull) return;
    }
  }

  // ---------- for members ----------

  get coarseNow(): number {
    return this.#sweep.now;
  }

  get maxMessagesPerSecond(): number {
    return this.limits.maxMessagesPerSecond;
  }

  now(): number {
    return this.#clock.now();
  }

  throttle(inflow: Inflow): void {
    this.#throttle.add(inflow);
  }

  mark(member: Member): void {
    member.feed.mark(member);
    this.#flush.add(member.feed);
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

  appLog(feed: Feed, topic: string): AppLog {
    const known = feed.appLog(topic);
    if (known !== undefined) return known;
    const read: ReadAppLog = (from, answer) => {
      const id = this.#nextId++;
      this.#reads.set(id, answer);
      this.#outlet.post({
        type: "read",
        address: feed.address,
        id,
        topic,
        maxBytes: pullBytes,
        ...(from === undefined ? {} : { from }),
      });
    };
    const log = new AppLog(read, () => feed.dropAppLog(topic));
    feed.addAppLog(topic, log);
    return log;
  }

  left(member: Member, reason: CloseReason): void {
    this.#outlet.post({ type: "leave", address: member.feed.address, mid: member.mid, reason });
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
}
