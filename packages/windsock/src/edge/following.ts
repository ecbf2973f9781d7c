import { Tap, type AppLog, type TapOwner } from "./app-log.ts";
import type { Feed } from "./feed.ts";
import type { OutboxItem } from "./outbox.ts";
import type { Transport } from "./transport.ts";
import type { TopicSet } from "./voice.ts";

/** A change of what a member follows, where it comes among what else is due. */
export type FollowItem = Extract<OutboxItem, { type: "subscribe" | "follow" | "unsubscribe" }>;

/** Entries of one topic that come before anything newer. */
export type Backlog = Extract<OutboxItem, { type: "subscribe" }>;

/** Whose following it is. */
export interface Follower extends TapOwner {
  readonly feed: Feed;
  /** The log of the app's that its service has put under this topic. */
  appLog(topic: string): AppLog;
}

/**
 * What a member follows: topics of the actor's log, and logs that stand on the app's store.
 * A member that follows what it did from its join on, the service's own log, has none.
 */
export class Following {
  readonly #follower: Follower;
  #topics: TopicSet;
  /** The service's own log is followed from the join on; whether a `subscribe` asked for it too. */
  #isOwnLogAsked = false;
  #taps: Map<string, Tap> | undefined;

  constructor(follower: Follower) {
    this.#follower = follower;
    this.#topics = follower.speech.voice.ownLogOnly;
  }

  /** Of the actor's log. */
  get topics(): TopicSet {
    return this.#topics;
  }

  /** Its client is back, and goes on with these topics. */
  resumed(topics: readonly string[], isOwnLogAsked: boolean): void {
    this.#follow(topics);
    this.#isOwnLogAsked = isOwnLogAsked;
  }

  /** Takes a change. Gives the backlog that has to be read first, if there is one: then the change is to be taken again. */
  take(item: FollowItem, transport: Transport): Backlog | undefined {
    switch (item.type) {
      case "subscribe":
        // One that is there already keeps its place: a replay after a crash brings nothing twice.
        if (!item.begun && this.#isSubscribed(item.topic)) return undefined;
        this.#say(item, transport);
        if (item.from < item.until) return item;
        this.begin(item.topic);
        return undefined;
      case "follow":
        this.#tap(item.topic, item.from);
        return undefined;
      case "unsubscribe":
        this.#end(item.topic, transport);
        return undefined;
    }
  }

  /** From here on it gets this topic with the others. */
  begin(topic: string): void {
    if (topic === "") this.#isOwnLogAsked = true;
    const { topics, has } = this.#topics;
    if (!has.has(topic)) this.#follow([...topics, topic]);
  }

  /** Reads on in logs of the app's, as far as the socket takes it. */
  pump(transport: Transport): void {
    if (this.#taps === undefined) return;
    for (const tap of this.#taps.values()) {
      if (!transport.isWritable) return;
      if (tap.isDue) tap.read();
    }
  }

  close(): void {
    if (this.#taps !== undefined) for (const tap of this.#taps.values()) tap.close();
    this.#taps = undefined;
  }

  #isSubscribed(topic: string): boolean {
    return this.#topics.has.has(topic) && (topic !== "" || this.#isOwnLogAsked);
  }

  #say(item: Backlog, transport: Transport): void {
    if (item.isSaid) return;
    item.isSaid = true;
    const frame = this.#follower.speech.subscribed(item.topic, item.from - 1);
    if (frame !== undefined) transport.write(frame.single());
  }

  #tap(topic: string, from: number | undefined): void {
    this.#taps ??= new Map();
    if (this.#taps.has(topic)) return;
    this.#taps.set(topic, new Tap(this.#follower.appLog(topic), this.#follower, from));
  }

  #end(topic: string, transport: Transport): void {
    const tap = this.#taps?.get(topic);
    if (tap !== undefined) {
      tap.close();
      this.#taps?.delete(topic);
      return;
    }
    if (topic === "") this.#isOwnLogAsked = false;
    this.#follow(this.#topics.topics.filter((other) => other !== topic));
    const frame = this.#follower.speech.unsubscribed(topic);
    if (frame !== undefined) transport.write(frame.single());
  }

  #follow(topics: readonly string[]): void {
    const { feed, speech } = this.#follower;
    this.#topics = feed.topicSet(speech.voice, topics);
  }
}
