import type { Clock } from "../actor/clock.ts";
import type { Log } from "../log/log.ts";
import type { ActorToEdge, Out, Payload } from "../protocol/port.ts";
import type { Effect } from "./effect.ts";
import type { LogSources } from "./log-sources.ts";
import type { Members } from "./members.ts";
import type { Post, Poster } from "./post.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceTimer } from "./service-timers.ts";
import type { Turn } from "./turn.ts";

export interface CommitterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly members: Members;
  readonly sources: LogSources;
  readonly poster: Poster;
  /** A commit of the present incarnation, as edges get it. */
  readonly message: (out: readonly Out[]) => ActorToEdge;
  /** Puts a timer that ran out into the mailbox. */
  readonly due: (timer: ServiceTimer) => void;
}

/** Lets the effects of a turn out: to the log, to the edges, to other mailboxes. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** In the order of the effects. The promise, if there is one, waits for room in other mailboxes. */
  commit(turn: Turn): void | Promise<void> {
    const { before, effects } = turn.take();
    if (effects.length === 0 && before.length === 0) return undefined;
    const { log, clock, poster } = this.#options;
    const now = clock.now();
    const out: Out[] = [...before];
    let posts: Post[] | undefined;
    let lastSend: { type: "send"; mids: string[]; payload: Payload } | undefined;
    for (const effect of effects) {
      if (effect.type !== "send") lastSend = undefined;
      switch (effect.type) {
        case "publish":
          out.push({
            type: "publish",
            seq: log.append(effect.topic, effect.payload, now),
            topic: effect.topic,
            payload: effect.payload,
          });
          break;
        case "send": {
          if (lastSend === undefined || lastSend.payload !== effect.payload) {
            lastSend = { type: "send", mids: [], payload: effect.payload };
            out.push(lastSend);
          }
          for (const client of effect.clients)
            if (client.membership === "joined") lastSend.mids.push(client.id);
          break;
        }
        case "subscribe":
          if (effect.client.subscriptions.subscribe(effect.topic))
            out.push(this.#subscription(effect));
          break;
        case "unsubscribe":
          effect.client.subscriptions.unsubscribe(effect.topic);
          out.push({ type: "unsubscribe", mid: effect.client.id, topic: effect.topic });
          break;
        case "advance":
          out.push({ type: "advance", topic: effect.topic });
          break;
        case "close": {
          const { client, code, reason } = effect;
          out.push({ type: "close", mid: client.id, code, reason });
          break;
        }
        case "timer":
          effect.timer.start(clock, this.#options.due);
          break;
        case "post":
          posts ??= [];
          posts.push(effect.post);
          break;
      }
    }
    this.send(out);
    return posts === undefined ? undefined : poster.postAll(posts);
  }

  /** What leaves without a turn: the framework's own closes and restarts. */
  send(out: readonly Out[]): void {
    this.#options.members.post(out, this.#options.message);
  }

  /** A member is about to join again: it follows what a new one does, and what it is subscribed to keeps its place. */
  beginReplay(client: ServiceClient): void {
    if (!client.hasSubscriptions || !client.subscriptions.beginReplay()) return;
    this.send([{ type: "subscribe", mid: client.id, topic: "", seq: this.#options.log.seq }]);
  }

  /** It has joined: subscriptions that its join has not renewed end. */
  endReplay(client: ServiceClient): void {
    if (!client.hasSubscriptions) return;
    const ended = client.subscriptions.endReplay();
    this.send(ended.map((topic) => ({ type: "unsubscribe", mid: client.id, topic })));
  }

  #subscription({ client, topic, from }: Extract<Effect, { type: "subscribe" }>): Out {
    const where = { mid: client.id, topic, ...(from === undefined ? {} : { from }) };
    return this.#options.sources.has(topic)
      ? { type: "follow", ...where }
      : { type: "subscribe", ...where, seq: this.#options.log.seq };
  }
}
