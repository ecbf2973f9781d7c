import type { Clock } from "../actor/clock.ts";
import type { Log } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { ActorToEdge, FaultCode, Out, Payload, Private } from "../protocol/port.ts";
import { KeptMessage, type Delivery } from "./delivery.ts";
import type { Effect } from "./effect.ts";
import type { LogSources } from "./log-sources.ts";
import type { Members } from "./members.ts";
import type { Post, Poster } from "./post.ts";
import type { Presence } from "./presence.ts";
import type { Recorder } from "./recorder.ts";
import type { ServiceClient } from "./service-client.ts";
import type { ServiceTimer } from "./service-timers.ts";
import type { Beginning } from "./subscriptions.ts";
import type { Turn } from "./turn.ts";

export interface CommitterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly members: Members;
  readonly sources: LogSources;
  readonly poster: Poster;
  /** A commit of the present incarnation, as edges get it. */
  readonly message: (out: readonly Out[]) => ActorToEdge;
  /** Of a durable service. */
  readonly recorder: Recorder | undefined;
  /** Of a service that tells who is there. */
  readonly presence: Presence | undefined;
  /** How much this member may now have sent in total, if that is worth telling. */
  readonly creditFor: (client: ServiceClient) => number | undefined;
  /** The service closes a client that cannot be reached now. */
  readonly closedAway: (client: ServiceClient, code: number, reason: string) => void;
  /** Puts a timer that ran out into the mailbox. */
  readonly due: (timer: ServiceTimer) => void;
}

const unreadable = "the log could not be read";

/** Lets the effects of a turn out: to the log, to the edges, to other mailboxes. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** In the order of the effects. The promise, if there is one, waits for room in other mailboxes. */
  commit(turn: Turn): void | Promise<void> {
    const { before, effects } = turn.take();
    if (effects.length === 0 && before.length === 0 && turn.disposes === undefined)
      return undefined;
    const { log, clock, poster, recorder } = this.#options;
    const out: Out[] = before.length === 0 ? [] : [...before];
    if (before.length > 0 && turn.joins !== undefined) recorder?.changed(turn.joins);
    let now: number | undefined;
    let posts: Post[] | undefined;
    let lastSend: { type: "send"; mids: string[]; payload: Payload } | undefined;
    let lastMessage: KeptMessage | undefined;
    for (const effect of effects) {
      if (effect.type !== "send") lastSend = undefined;
      switch (effect.type) {
        case "publish": {
          const { topic, key } = effect;
          const { seq, payload } = log.append(topic, effect.payload, (now ??= clock.now()), key);
          out.push({ type: "publish", seq, topic, payload });
          break;
        }
        case "send": {
          if (lastSend === undefined || lastSend.payload !== effect.payload) {
            lastSend = { type: "send", mids: [], payload: effect.payload };
            lastMessage = undefined;
            out.push(lastSend);
          }
          for (const client of effect.clients) {
            if (client.membership !== "joined") continue;
            if (client.delivery !== undefined) {
              lastMessage ??= new KeptMessage({ type: "msg", payload: effect.payload });
              this.#keep(client, client.delivery, lastMessage);
            }
            if (client.line !== undefined) lastSend.mids.push(client.line.mid);
          }
          break;
        }
        case "private":
          this.#private(effect.client, effect.item, out);
          break;
        case "subscribe": {
          const { client, topic } = effect;
          const beginning = this.#beginning(effect);
          recorder?.changed(client);
          if (!client.subscriptions.subscribe(topic, beginning)) break;
          if (beginning.start === undefined) void this.followFromEnd(client, topic);
          else if (client.line !== undefined) out.push(this.#subscription(effect, client.line.mid));
          break;
        }
        case "unsubscribe":
          effect.client.subscriptions.unsubscribe(effect.topic);
          recorder?.changed(effect.client);
          if (effect.client.line !== undefined)
            out.push({ type: "unsubscribe", mid: effect.client.line.mid, topic: effect.topic });
          break;
        case "advance":
          out.push({ type: "advance", topic: effect.topic });
          break;
        case "close": {
          const { client, code, reason } = effect;
          if (client.line !== undefined)
            out.push({ type: "close", mid: client.line.mid, code, reason });
          else this.#options.closedAway(client, code, reason);
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
    if (before.length > 0 && turn.joins !== undefined)
      out.push(...(this.#options.presence?.joined(turn.joins) ?? []));
    if (turn.disposes !== undefined) this.#dispose(turn.disposes.client, turn.disposes.n, out);
    this.send(out);
    return posts === undefined ? undefined : poster.postAll(posts);
  }

  /** A message that led to no turn is disposed of, with the reason if it was refused. */
  dispose(
    client: ServiceClient,
    n: number,
    refusal?: {
      readonly code: FaultCode;
      readonly message: string;
      readonly retryAfterMs?: number;
    },
  ): void {
    if (n === 0 || client.membership === "gone") return;
    const out: Out[] = [];
    if (refusal !== undefined) this.#private(client, { type: "error", n, ...refusal }, out);
    this.#dispose(client, n, out);
    this.send(out);
  }

  #keep(client: ServiceClient, delivery: Delivery, message: KeptMessage): void {
    const { recorder, log } = this.#options;
    const kept = delivery.keep(message, log.seq);
    if (recorder === undefined) return;
    recorder.kept(client, kept);
    const lost = delivery.takeLost();
    if (lost > 0) recorder.trimmed(client, lost);
  }

  #private(client: ServiceClient, item: Private, out: Out[]): void {
    if (client.membership === "gone") return;
    if (client.delivery !== undefined) this.#keep(client, client.delivery, new KeptMessage(item));
    if (client.line !== undefined) out.push({ type: "private", mid: client.line.mid, item });
  }

  #dispose(client: ServiceClient, n: number, out: Out[]): void {
    const { delivery, line } = client;
    if (delivery === undefined || n <= delivery.done) return;
    delivery.done = n;
    this.#options.recorder?.changed(client);
    if (line === undefined) return;
    out.push({ type: "done", mid: line.mid, n });
    const bytes = this.#options.creditFor(client);
    if (bytes !== undefined) out.push({ type: "credit", mid: line.mid, bytes });
  }

  /** What leaves without a turn: the framework's own closes and restarts. */
  send(out: readonly Out[]): void {
    this.#options.members.post(out, this.#options.message);
  }

  /** A member is about to join again: it follows what a new one does, and what it is subscribed to keeps its place. */
  beginReplay(client: ServiceClient): void {
    if (!client.hasSubscriptions || !client.subscriptions.beginReplay()) return;
    if (client.line !== undefined)
      this.send([
        { type: "subscribe", mid: client.line.mid, topic: "", seq: this.#options.log.seq },
      ]);
  }

  /** It has joined: subscriptions that its join has not renewed end. */
  endReplay(client: ServiceClient): void {
    if (!client.hasSubscriptions) return;
    const ended = client.subscriptions.endReplay();
    const { line } = client;
    if (line !== undefined)
      this.send(ended.map((topic) => ({ type: "unsubscribe", mid: line.mid, topic })));
  }

  /** It follows a log of the app's from its end on. Where that is holds over cuts, so it is asked here. */
  async followFromEnd(client: ServiceClient, topic: string): Promise<void> {
    const { recorder, sources } = this.#options;
    const { next, failed } = await sources.read(topic, undefined, 0);
    if (client.membership === "gone" || !client.subscriptions.place(topic, next)) return;
    recorder?.changed(client);
    if (client.line === undefined) return;
    const { mid } = client.line;
    this.send([
      failed
        ? { type: "close", mid, code: closeCode.internalError, reason: unreadable }
        : { type: "follow", mid, topic, from: next },
    ]);
  }

  #beginning({ topic, from }: Extract<Effect, { type: "subscribe" }>): Beginning {
    const { log, sources } = this.#options;
    const at = log.seq;
    if (sources.has(topic)) return { start: from, at, isAppLog: true };
    // What went before it began is none of its gaps.
    const start = Math.max(Math.min(from ?? at + 1, at + 1), log.firstOf(topic)) - 1;
    return { start, at, isAppLog: false };
  }

  #subscription({ topic, from }: Extract<Effect, { type: "subscribe" }>, mid: string): Out {
    const where = { mid, topic, ...(from === undefined ? {} : { from }) };
    return this.#options.sources.has(topic)
      ? { type: "follow", ...where }
      : { type: "subscribe", ...where, seq: this.#options.log.seq };
  }
}
