import type { Frame } from "../protocol/frame.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Membership, Out, Payload } from "../protocol/port.ts";
import type { Feed } from "./feed.ts";
import type { Flush } from "./flush.ts";
import type { Member } from "./member.ts";
import { PrivateItem, SnapshotItem, type OutboxItem, type QueuedBytes } from "./outbox.ts";
import { EnvelopeSpeech } from "./speech.ts";

export interface CommitsOptions {
  readonly limits: Limits;
  /** Of the edge, by their `mid`. */
  readonly members: ReadonlyMap<string, Member>;
  readonly flush: Flush;
  readonly queued: QueuedBytes;
  /** It has something to write. */
  readonly mark: (member: Member) => void;
}

/** At the bound of all queues together so much of it is made free: looking for the largest takes a while. */
const relievedPart = 16;

/** What actors commit, on its way to the members of an edge: entries to their feeds, the rest to those it is for. */
export class Commits {
  readonly #options: CommitsOptions;
  /** Where a returning client stands in topics of their own, until its join is answered. */
  readonly #tails = new WeakMap<Member, Readonly<Record<string, number>>>();

  #rounds = 0;
  #isRoundOpen = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /** A client that comes back stands here in topics of their own. */
  returns(member: Member, tails: Readonly<Record<string, number>>): void {
    this.#tails.set(member, tails);
  }

  /** All that one actor has said in one go. */
  apply(feed: Feed, epoch: string, out: readonly Out[]): void {
    for (const one of out) this.#apply(feed, epoch, one);
  }

  #apply(feed: Feed, epoch: string, out: Out): void {
    const after = feed.window.head;
    switch (out.type) {
      case "joined":
        this.#joined(feed, epoch, out);
        return;
      case "publish":
        this.#append(feed, out.seq, out.topic, out.payload);
        return;
      case "restarted":
        this.#append(feed, out.seq, "", undefined);
        return;
      case "send": {
        const item = new PrivateItem(after, { type: "msg", payload: out.payload });
        for (const mid of out.mids) this.#enqueue(mid, item);
        return;
      }
      case "private":
        this.#enqueue(out.mid, new PrivateItem(after, out.item));
        return;
      case "done": {
        const member = this.#options.members.get(out.mid);
        member?.done(out.n);
        if (member !== undefined) this.#options.mark(member);
        return;
      }
      case "credit": {
        const member = this.#options.members.get(out.mid);
        member?.credit(out.bytes);
        if (member !== undefined) this.#options.mark(member);
        return;
      }
      case "snapshot":
        this.#snapshot(out);
        return;
      case "presence":
        this.#presence(out);
        return;
      case "detached": {
        const member = this.#options.members.get(out.mid);
        member?.detached();
        return;
      }
      case "reauthed": {
        const frame = this.#envelopeSpeech(out.mid)?.authed();
        if (frame !== undefined) this.#control(out.mid, after, frame);
        return;
      }
      case "subscribe": {
        const { mid, topic, seq, from = seq + 1 } = out;
        this.#enqueue(mid, backlogOf(topic, after, Math.max(from, 1) - 1, seq));
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
        const { mid, code, reason, comeBack } = out;
        this.#enqueue(mid, { type: "close", after, code, reason, comeBack });
        return;
      }
    }
  }

  #snapshot({ mids, seq, payload }: Extract<Out, { type: "snapshot" }>): void {
    let speech: EnvelopeSpeech | undefined;
    let item: SnapshotItem | undefined;
    for (const mid of mids) {
      const own = this.#envelopeSpeech(mid);
      if (own === undefined) continue;
      // One frame for all on a channel of the same number: each of its own was a copy of the state.
      if (item === undefined || own !== speech)
        item = new SnapshotItem(seq, own.snapshot(seq, payload));
      speech = own;
      this.#enqueue(mid, item);
    }
  }

  #presence({ mids, seq, changes }: Extract<Out, { type: "presence" }>): void {
    let speech: EnvelopeSpeech | undefined;
    let frame: Frame | undefined;
    for (const mid of mids) {
      const own = this.#envelopeSpeech(mid);
      if (own === undefined) continue;
      // Most are on a channel of the same number: one frame for them all.
      if (frame === undefined || own !== speech) frame = own.presence(seq, changes);
      speech = own;
      this.#control(mid, seq, frame);
    }
  }

  #joined(feed: Feed, epoch: string, out: Extract<Out, { type: "joined" }>): void {
    const { mid, seq, membership } = out;
    const head = out.head ?? seq;
    feed.window.advanceTo(head);
    const member = this.#options.members.get(mid);
    if (member === undefined) return;
    member.joined(seq, out.isHeld);
    const speech = this.#envelopeSpeech(mid);
    if (membership === undefined || speech === undefined) return;
    const { privates } = membership;
    const count = membership.count - privates.length;
    const { maxPayloadBytes } = this.#options.limits;
    this.#control(mid, 0, speech.joined(seq, count, epoch, maxPayloadBytes, membership));
    if (membership.answer === "new" || membership.answer === "rejoin") return;
    const later = this.#resumed(member, speech, out, membership);
    member.countFrom(count);
    for (const { after, item } of privates) later.push(new PrivateItem(after, item));
    for (const item of later.toSorted((a, b) => a.after - b.after)) this.#enqueue(mid, item);
    // Behind the refusals that the client may have missed.
    if (membership.done > 0)
      this.#control(mid, out.isHeld === true ? 0 : head, speech.done(membership.done));
  }

  /**
   * Its topics are said again, each from where the client stands, or from the snapshot that
   * it waits for. Gives those that the client has not come to: they begin as they did first.
   */
  #resumed(
    member: Member,
    speech: EnvelopeSpeech,
    { seq, isHeld = false }: Extract<Out, { type: "joined" }>,
    { topics, leavesOwnLog }: Membership,
  ): OutboxItem[] {
    const { mid } = member;
    const tails = this.#tails.get(member) ?? {};
    const whole: string[] = leavesOwnLog ? [] : [""];
    let isOwnLogAsked = false;
    const later: OutboxItem[] = [];
    for (const { topic, isAppLog, start, at } of topics) {
      const tail = Object.hasOwn(tails, topic) ? tails[topic] : undefined;
      if (isAppLog) {
        this.#enqueue(mid, { type: "follow", after: 0, topic, from: tail ?? start });
      } else if (!isHeld && tail !== undefined && tail < seq) {
        // A backlog that the cut came into: the rest of it first, as before.
        this.#enqueue(mid, backlogOf(topic, 0, tail, seq));
      } else if (!isHeld && tail === undefined && start !== undefined && seq <= at) {
        later.push(backlogOf(topic, at, start, at));
      } else if (topic === "") {
        isOwnLogAsked = true;
      } else {
        whole.push(topic);
        // Until it has the snapshot, it stands in a backlog where it said, too.
        this.#control(mid, 0, speech.subscribed(topic, Math.min(tail ?? seq, seq)));
      }
    }
    if (leavesOwnLog) this.#control(mid, 0, speech.unsubscribed(""));
    member.resumed(whole, isOwnLogAsked);
    return later;
  }

  #append(feed: Feed, seq: number, topic: string, payload: Payload | undefined): void {
    feed.window.append(seq, topic, payload);
    if (feed.window.isOverfull) {
      // Those who can still take it get it before it leaves the window.
      const round = this.#round();
      for (const member of feed.members) member.press(round);
      feed.window.trim();
    }
    feed.news();
    this.#options.flush.add(feed);
  }

  /** A number for the present round of the event loop, never 0. */
  #round(): number {
    if (!this.#isRoundOpen) {
      this.#isRoundOpen = true;
      this.#rounds += 1;
      setImmediate(() => (this.#isRoundOpen = false));
    }
    return this.#rounds;
  }

  #enqueue(mid: string, item: OutboxItem): void {
    const member = this.#options.members.get(mid);
    if (member === undefined) return;
    member.enqueue(item);
    this.#options.mark(member);
    const { limits, queued } = this.#options;
    if (queued.bytes > limits.maxTotalSendQueueBytes) this.#relieve();
  }

  /** Everybody writes what their sockets take; then those for whom most waits are closed, until there is some room. */
  #relieve(): void {
    const { limits, members, queued } = this.#options;
    const max = limits.maxTotalSendQueueBytes;
    const enough = max - max / relievedPart;
    const waiting = [...members.values()]
      .filter(({ queuedBytes }) => queuedBytes > 0)
      .toSorted((a, b) => b.queuedBytes - a.queuedBytes);
    for (const member of waiting) {
      if (queued.bytes <= enough) return;
      member.pump();
    }
    if (queued.bytes <= max) return;
    for (const member of waiting) {
      if (queued.bytes <= enough) return;
      if (member.queuedBytes > 0) member.relieve();
    }
  }

  #envelopeSpeech(mid: string): EnvelopeSpeech | undefined {
    const speech = this.#options.members.get(mid)?.speech;
    return speech instanceof EnvelopeSpeech ? speech : undefined;
  }

  #control(mid: string, after: number, frame: Frame): void {
    this.#enqueue(mid, { type: "control", after, frame });
  }
}

/** What is above `start`, as far as the log had come, and then what follows. */
function backlogOf(topic: string, after: number, start: number, head: number): OutboxItem {
  const [from, until] = [start + 1, head + 1];
  return { type: "subscribe", after, topic, from, until, begun: false, isSaid: false };
}
