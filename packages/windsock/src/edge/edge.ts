import { randomUUID } from "node:crypto";
import type { Clock } from "../actor/clock.ts";
import type { Deflate } from "../protocol/frame.ts";
import type { Limits } from "../protocol/limits.ts";
import type {
  ActorToEdge,
  CloseReason,
  EdgeToActor,
  Outlet,
  PublishedValue,
  RequestData,
  ResumeData,
} from "../protocol/port.ts";
import { AppLog } from "./app-log.ts";
import type { Channel } from "./channel.ts";
import { Commits } from "./commits.ts";
import { Feed } from "./feed.ts";
import { Flush } from "./flush.ts";
import type { Holding } from "./inflow.ts";
import type { MemberHost } from "./member-host.ts";
import { Member } from "./member.ts";
import { QueuedBytes } from "./outbox.ts";
import { Questions, type JoinAnswer, type PublishAnswer } from "./questions.ts";
import type { Admitted, ChannelAdmission, SessionHost } from "./session-host.ts";
import { Session } from "./session.ts";
import { deflatingPlainSpeech, plainSpeech, type Speech } from "./speech.ts";
import { Sweep } from "./sweep.ts";
import { Throttle } from "./throttle.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { Uplink } from "./uplink.ts";
import { LogNumbers, type EnvelopeVoice } from "./voice.ts";

export interface EdgeOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly outlet: Outlet<EdgeToActor>;
  /** Compresses for the transports that take it. Absent: there are none. */
  readonly deflate?: Deflate;
  /** Whether a client of `windsock.v1` may join what it names. Absent: nobody may. */
  readonly admitChannel?: (
    request: RequestData,
    path: string,
    auth: unknown,
  ) => ChannelAdmission | Promise<ChannelAdmission>;
}

export interface JoinRequest {
  /** Whether its transport will take compressed frames. @default false */
  readonly isDeflated?: boolean;
  readonly mid: string;
  readonly address: string;
  readonly sessionId: string;
  readonly protocol: string;
  readonly request: RequestData;
  readonly user: unknown;
}

export type { JoinAnswer, PublishAnswer } from "./questions.ts";

export interface EdgeCounts {
  readonly members: number;
  readonly feeds: number;
  readonly appLogs: number;
  /** To actors, not answered yet. */
  readonly questions: number;
}

const nobodyMayJoin: ChannelAdmission = Object.freeze({
  type: "refuse",
  code: "not_found",
  message: "no service can be joined here",
  status: 404,
});

/** Messages that one client hands on before the next one may, when a mailbox has room again. */
const releasedPerTurn = 16;

/** The sockets' side of a process: it turns commits into frames, and lets each socket have them at its own pace. */
export class Edge implements MemberHost, SessionHost {
  readonly limits: Limits;
  readonly queued: QueuedBytes = new QueuedBytes();
  readonly uplink: Uplink;
  readonly #clock: Clock;
  readonly #members = new Map<string, Member>();
  readonly #sessions = new Set<Session>();
  readonly #numbers = new LogNumbers();
  readonly #admitChannel: EdgeOptions["admitChannel"];
  readonly #deflate: Deflate | undefined;
  readonly #deflatingPlainSpeech: Speech;
  readonly #feeds = new Map<string, Feed>();
  readonly #questions: Questions;
  readonly #flush: Flush;
  readonly #throttle: Throttle;
  readonly #sweep: Sweep;
  readonly #commits: Commits;
  #nextSession = 1;
  #onEmpty: (() => void) | undefined;
  #onMoved: (() => void) | undefined;

  constructor(options: EdgeOptions) {
    this.#clock = options.clock;
    this.#flush = new Flush(options.clock);
    this.limits = options.limits;
    this.uplink = new Uplink(options.outlet);
    this.#questions = new Questions(options.outlet);
    this.#admitChannel = options.admitChannel;
    this.#deflate = options.deflate;
    this.#deflatingPlainSpeech =
      options.deflate === undefined ? plainSpeech : deflatingPlainSpeech(options.deflate);
    this.#commits = new Commits({
      limits: options.limits,
      members: this.#members,
      flush: this.#flush,
      queued: this.queued,
      mark: (member) => this.mark(member),
    });
    this.#throttle = new Throttle(options.clock);
    this.#sweep = new Sweep(options.clock, this.#members, this.#sessions);
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
      questions: this.#questions.size,
    };
  }

  // ---------- from the gateway ----------

  /**
   * Asks for a place. After `admitted`, `attach` or `abandon` must follow. A link within the
   * process answers while it is asked: then so does this, without a promise.
   */
  join(request: JoinRequest): JoinAnswer | Promise<JoinAnswer> {
    const { mid, address, sessionId, protocol, user } = request;
    const feed = this.#feed(address);
    const speech = request.isDeflated === true ? this.#deflatingPlainSpeech : plainSpeech;
    const member = new Member(mid, feed, this, speech);
    this.#members.set(mid, member);
    feed.members.add(member);
    return this.#questions.join({
      type: "join",
      address,
      mid,
      sessionId,
      protocol,
      request: request.request,
      user,
      dialect: "plain",
    });
  }

  /** A socket of `windsock.v1`: its events go to what is returned. `path`: what its URL asks to join. */
  openSession(
    transport: Transport,
    request: RequestData,
    sessionId: string,
    path?: string,
  ): TransportEvents {
    const session = new Session(this, transport, request, sessionId, this.#nextSession++);
    this.#sessions.add(session);
    if (path !== undefined) session.join(1, path, {});
    return session;
  }

  /**
   * Tells the clients of `windsock.v1` that the server stops. They have `windowMs` to go to
   * another: resolves when they have all gone, or it is over. 0: within `timeoutMs` they are closed.
   */
  async drain(windowMs: number, timeoutMs: number): Promise<void> {
    for (const session of this.#sessions) session.drain(windowMs || timeoutMs);
    if (windowMs === 0 || this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimeout(resolve, windowMs);
      this.#onMoved = () => {
        timer.cancel();
        resolve();
      };
    });
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
    return this.#questions.publish(address, value, idempotencyKey);
  }

  /** Closes every client, behind what is due to it. Resolves when all are gone: each has `closeTimeoutMs` to take it and answer. */
  async close(code: number, reason: string): Promise<void> {
    for (const member of [...this.#members.values()]) {
      if (member.speech.fillsGaps) continue;
      member.end(code, reason);
      this.mark(member);
    }
    // What the flush brings still leaves before the close.
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    for (const session of [...this.#sessions]) session.shut(code, reason);
    if (this.#members.size + this.#sessions.size > 0)
      await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }

  /** Ends every connection now. */
  destroy(reason: CloseReason): void {
    this.#sweep.stop();
    this.#throttle.stop();
    for (const session of [...this.#sessions]) session.cut();
    for (const member of [...this.#members.values()]) member.cut(reason);
  }

  // ---------- from the actor ----------

  receive(message: ActorToEdge): void {
    switch (message.type) {
      case "refused":
        this.#drop(message.mid);
        this.#questions.answered(message);
        this.#emptied();
        return;
      case "commit": {
        const feed = this.#feeds.get(message.address);
        if (feed !== undefined) this.#commits.apply(feed, message.epoch, message.out);
        return;
      }
      case "full": {
        const feed = this.#feeds.get(message.address);
        if (feed !== undefined) feed.isFull = true;
        return;
      }
      case "ready":
        this.#ready(message.address);
        return;
      case "admitted":
      case "published":
      case "busy":
      case "unavailable":
      case "pulled":
      case "read":
        this.#questions.answered(message);
        return;
    }
  }

  /** Everybody in turn, so that one who sends much does not keep the others out. */
  #ready(address: string): void {
    const feed = this.#feeds.get(address);
    if (feed === undefined) return;
    feed.isFull = false;
    for (const holding of feed.held) {
      feed.held.delete(holding);
      holding.release(releasedPerTurn);
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

  throttle(holding: Holding): void {
    this.#throttle.add(holding);
  }

  mark(member: Member): void {
    member.feed.mark(member);
    this.#flush.add(member.feed);
  }

  dropped(member: Member): void {
    this.uplink.down(member);
    this.#drop(member.mid);
    this.#emptied();
  }

  // ---------- for sessions ----------

  admitChannel(
    request: RequestData,
    path: string,
    auth: unknown,
  ): ChannelAdmission | Promise<ChannelAdmission> {
    return this.#admitChannel?.(request, path, auth) ?? nobodyMayJoin;
  }

  openChannel(
    session: Session,
    channel: Channel,
    { address, request, user }: Admitted,
    resume: ResumeData | undefined,
  ): Member {
    const feed = this.#feed(address);
    const base = feed.envelopeSpeech(channel.number, this.#voice(session, feed));
    const deflate = session.transport.isDeflated ? this.#deflate : undefined;
    const speech = deflate === undefined ? base : base.deflating(deflate);
    const mid = randomUUID();
    const member = new Member(mid, feed, this, speech, channel);
    this.#members.set(mid, member);
    feed.members.add(member);
    if (resume !== undefined) this.#commits.returns(member, resume.tails);
    member.attach(channel);
    const answer = this.#questions.join({
      type: "join",
      address,
      mid,
      sessionId: session.sessionId,
      protocol: "windsock.v1",
      request,
      user,
      dialect: "v1",
      session: session.number,
      ...(resume === undefined ? {} : { resume }),
    });
    if (answer instanceof Promise) void answer.then((one) => session.answered(channel, one));
    else session.answered(channel, answer);
    return member;
  }

  /** One that no other channel of this session has: its client could not tell their entries apart. */
  #voice(session: Session, feed: Feed): EnvelopeVoice {
    const inUse = session.voicesInUse(feed.address);
    for (let others = 0; ; others++) {
      const voice = feed.envelopeVoice(others, this.#numbers);
      if (inUse?.has(voice) !== true) return voice;
    }
  }

  sessionOver(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#onMoved?.();
    this.#emptied();
  }

  pull(member: Member, topics: readonly string[], from: number, until: number): void {
    this.#questions.pull(member, { address: member.feed.address, topics, from, until });
  }

  appLog(feed: Feed, topic: string): AppLog {
    const known = feed.appLog(topic);
    if (known !== undefined) return known;
    const read = this.#questions.reader(feed.address, topic);
    const log = new AppLog(topic, read, () => feed.dropAppLog(topic));
    feed.addAppLog(topic, log);
    return log;
  }

  left(member: Member, reason: CloseReason): void {
    this.uplink.left(member, reason);
    this.#drop(member.mid);
    this.#emptied();
  }

  // ---------- inside ----------

  #emptied(): void {
    if (this.#members.size + this.#sessions.size === 0) this.#onEmpty?.();
  }

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
}
