import { concatFrames, type Frame } from "../protocol/frame.ts";
import type { AppLog } from "./app-log.ts";
import type { Batch } from "./batch.ts";
import type { Holding } from "./inflow.ts";
import { LogWindow } from "./log-window.ts";
import type { Member } from "./member.ts";
import type { FrameItem } from "./outbox.ts";
import { EnvelopeSpeech, type Speech } from "./speech.ts";
import { EnvelopeVoice, TopicSets, type LogNumbers, type TopicSet, type Voice } from "./voice.ts";

/** Beyond, clients on channels of these numbers share less; nothing else changes. */
const maxSpeeches = 64;

/** One actor as this edge sees it: the newest part of its log, and the members that follow it. */
export class Feed {
  readonly address: string;
  readonly members: Set<Member> = new Set<Member>();
  readonly window: LogWindow = new LogWindow();
  /** The actor's mailbox is full: what members send is held back. */
  isFull = false;
  /** Those of them that hold something back for it, longest first. */
  readonly held: Set<Holding> = new Set<Holding>();
  /** It stands in the list of the flush. */
  isQueued = false;
  #appLogs: Map<string, AppLog> | undefined;
  #topicSets: TopicSets | undefined;
  #voices: EnvelopeVoice[] | undefined;
  #speeches: Map<number, EnvelopeSpeech> | undefined;
  #hasNews = false;
  #pass: SetIterator<Member> | undefined;
  #isCaughtUp = true;
  #dirty: Member[] = [];
  #dirtyHead = 0;
  #lastItems: readonly FrameItem[] = [];
  #lastSpeech: Speech | undefined;
  #lastBuffer: Buffer | undefined;

  constructor(address: string) {
    this.address = address;
  }

  // ---------- flush ----------

  /** The log has grown: every member is to look. */
  news(): void {
    this.#hasNews = true;
  }

  /** This member has something of its own. */
  mark(member: Member): void {
    if (member.isDirty) return;
    member.isDirty = true;
    this.#dirty.push(member);
  }

  /** Lets up to `pumps` members write. Gives how many did; fewer means: nothing is left to do. */
  flush(pumps: number, batch: Batch): number {
    let done = this.#passOn(pumps, batch);
    for (; done < pumps; done++) {
      const member = this.#nextDirty();
      if (member === undefined) {
        this.#lastItems = [];
        this.#lastBuffer = undefined;
        this.#forgetTopics();
        return done;
      }
      member.pump();
    }
    return pumps;
  }

  /** What is new goes to all members, in their order, ahead of what is one's own. */
  #passOn(pumps: number, batch: Batch): number {
    let done = 0;
    while (this.#hasNews || this.#pass !== undefined) {
      if (this.#pass === undefined) {
        this.#hasNews = false;
        this.#isCaughtUp = true;
        this.#pass = this.members.values();
      }
      // It goes on where it stopped the last time: an iterator of a set has no end of its own.
      for (const member of this.#pass) {
        if (!member.news(this.window, batch)) this.#isCaughtUp = false;
        done += 1;
        if (done === pumps) break;
      }
      batch.write();
      if (done === pumps) return done;
      this.#pass = undefined;
      // Everybody has read everything.
      if (this.#isCaughtUp && !this.#hasNews) this.window.clear();
      else this.window.rest();
    }
    return done;
  }

  #nextDirty(): Member | undefined {
    const member = this.#dirty[this.#dirtyHead];
    if (member === undefined) {
      this.#dirty.length = 0;
      this.#dirtyHead = 0;
      return undefined;
    }
    this.#dirtyHead += 1;
    if (this.#dirtyHead >= 1024 && this.#dirtyHead * 2 >= this.#dirty.length) {
      this.#dirty = this.#dirty.slice(this.#dirtyHead);
      this.#dirtyHead = 0;
    }
    member.isDirty = false;
    return member;
  }

  /** Joins these frames into one buffer. Members in a row often have the same ones due: then they share it. */
  concat(items: readonly FrameItem[], speech: Speech): Buffer {
    const [first] = items;
    // Its frame is kept by the item, so it is shared already.
    if (first !== undefined && items.length === 1) return frameOf(first, speech).single();
    if (
      this.#lastBuffer !== undefined &&
      this.#lastSpeech === speech &&
      isSame(this.#lastItems, items)
    )
      return this.#lastBuffer;
    this.#lastItems = items;
    this.#lastSpeech = speech;
    this.#lastBuffer = concatFrames(items.map((item) => frameOf(item, speech)));
    return this.#lastBuffer;
  }

  /** The same with frames behind them that are this member's alone. */
  concatWith(items: readonly FrameItem[], speech: Speech, more: readonly Frame[]): Buffer {
    return concatFrames([...items.map((item) => frameOf(item, speech)), ...more]);
  }

  // ---------- topics ----------

  /** The one set with these topics, in this voice. */
  topicSet(voice: Voice, topics: readonly string[]): TopicSet {
    this.#topicSets ??= new TopicSets();
    return this.#topicSets.of(voice, topics);
  }

  /** The voice for the channels of sockets that have so many others of this service already. */
  envelopeVoice(others: number, numbers: LogNumbers): EnvelopeVoice {
    this.#voices ??= [];
    return (this.#voices[others] ??= new EnvelopeVoice(numbers));
  }

  /** Nobody is being written to now. Frames that wait in the window carry numbers, so they are built again. */
  #forgetTopics(): void {
    for (const voice of this.#voices ?? []) {
      if (!voice.isCrowded) continue;
      const followed = new Set<string>();
      for (const member of this.members)
        if (member.speech.voice.base === voice)
          for (const topic of member.told) followed.add(topic);
      voice.keepOnly(followed);
      this.window.rest();
    }
  }

  /** How clients are spoken to on a channel of this number, in this voice: the same for all of them. */
  envelopeSpeech(channel: number, voice: EnvelopeVoice): EnvelopeSpeech {
    this.#speeches ??= new Map();
    const known = this.#speeches.get(channel);
    if (known?.voice === voice) return known;
    const speech = new EnvelopeSpeech(channel, voice);
    if (this.#speeches.size < maxSpeeches) this.#speeches.set(channel, speech);
    return speech;
  }

  /** The log of the app's under this topic, if a member follows it. */
  appLog(topic: string): AppLog | undefined {
    return this.#appLogs?.get(topic);
  }

  get appLogCount(): number {
    return this.#appLogs?.size ?? 0;
  }

  addAppLog(topic: string, log: AppLog): void {
    this.#appLogs ??= new Map();
    this.#appLogs.set(topic, log);
  }

  /** Its last follower has gone. */
  dropAppLog(topic: string): void {
    this.#appLogs?.delete(topic);
  }
}

function frameOf(item: FrameItem, speech: Speech): Frame {
  return item.type === "private" ? item.frame(speech) : item.frame;
}

/** A loop, not `every`: it runs for each member and each of its messages. */
function isSame(some: readonly FrameItem[], others: readonly FrameItem[]): boolean {
  if (some.length !== others.length) return false;
  for (let index = 0; index < some.length; index++) if (some[index] !== others[index]) return false;
  return true;
}
