import { OptionError, OverloadedError } from "../errors.ts";
import type { PresenceEntry } from "../protocol/v1/index.ts";
import { perform } from "./effect.ts";
import { detach } from "./encode.ts";
import type { Mail } from "./mail.ts";
import type { ServiceActor } from "./service-actor.ts";
import type { ServiceClient } from "./service-client.ts";
import { isTimerMs, maxTimerMs, ServiceTimers } from "./service-timers.ts";
import { turnStorage } from "./turn.ts";
import type { LogSource, ServiceContext } from "./types.ts";
import { describe, sizeOf } from "./value.ts";

/** What callbacks get as `service`: one for each incarnation, dead with it. */
export class ServiceScope implements ServiceContext<
  unknown,
  unknown,
  Readonly<Record<string, string>>,
  ServiceClient
> {
  readonly #actor: ServiceActor;
  #abort: AbortController | undefined;
  #isEnded = false;
  readonly timers: ServiceTimers = new ServiceTimers();

  constructor(actor: ServiceActor) {
    this.#actor = actor;
  }

  get name(): string {
    return this.#actor.name;
  }

  get key(): string {
    return Object.values(this.#actor.params).join("/");
  }

  get address(): string {
    return this.#actor.address;
  }

  get params(): Readonly<Record<string, string>> {
    return this.#actor.params;
  }

  get epoch(): string {
    return this.#actor.log.epoch;
  }

  get seq(): number {
    return this.#actor.log.seq;
  }

  get messageId(): string | undefined {
    const turn = turnStorage.getStore();
    if (turn?.actor !== this.#actor || turn.handles === undefined) return undefined;
    return `${turn.handles.client.id}:${turn.handles.n}`;
  }

  get signal(): AbortSignal {
    // Made when it is asked for: an idle key should cost little.
    this.#abort ??= new AbortController();
    if (this.#isEnded) this.#abort.abort();
    return this.#abort.signal;
  }

  presence(): readonly PresenceEntry[] {
    const { presence } = this.#actor;
    if (presence === undefined)
      throw new OptionError(
        `Expected \`presence\` in the definition of ${this.name}, got none. Add \`presence: true\`.`,
      );
    return presence.list();
  }

  clients(): Iterable<ServiceClient> {
    return this.#actor.members.joined();
  }

  publish(...args: [message: unknown] | [topic: string, message: unknown]): void {
    if (this.#isEnded) return;
    const [topic, message] = args.length === 1 ? ["", args[0]] : args;
    if (typeof topic !== "string")
      throw new OptionError(
        `Expected \`publish(topic, message)\` to get its topic as a string, got ${describe(topic)}.`,
      );
    const key = this.#actor.latestKey(message);
    const payload = this.#actor.encoder.encode(message);
    perform(this.#actor, { type: "publish", topic, payload, key });
  }

  sendAll(clients: Iterable<{ readonly id: string }>, message: unknown): void {
    if (this.#isEnded) return;
    const present: ServiceClient[] = [];
    for (const { id } of clients) {
      const client = this.#actor.members.get(id);
      if (client !== undefined) present.push(client);
    }
    if (present.length > 0)
      perform(this.#actor, {
        type: "send",
        clients: present,
        payload: this.#actor.encoder.encode(message),
      });
  }

  info(info: unknown): void {
    if (this.#isEnded) return;
    const detached = detach(info, "an info");
    const mail: Mail = { type: "info", bytes: sizeOf(detached), info: detached };
    perform(this.#actor, { type: "post", post: this.#actor.postOf("an info", mail) });
  }

  sendAfter(info: unknown, ms: number): { cancel(): void } {
    if (!isTimerMs(ms)) {
      throw new OptionError(
        `Expected \`sendAfter(info, ms)\` to get 0 to ${maxTimerMs} ms, got ${describe(ms)}. For later times, set another timer when this one has run.`,
      );
    }
    if (this.timers.size >= this.#actor.limits.maxTimers) {
      throw new OverloadedError(
        `Expected at most ${this.#actor.limits.maxTimers} timers in ${this.address}, got one more. Cancel those that are no longer needed, or raise \`limits.maxTimers\`.`,
        0,
      );
    }
    const timer = this.timers.create(detach(info, "an info"), ms);
    if (this.#isEnded) timer.cancel();
    else perform(this.#actor, { type: "timer", timer });
    return timer;
  }

  log(topic: string, source: LogSource): void {
    this.#actor.sources.set(topic, source);
  }

  advance(topic: string): void {
    if (this.#isEnded) return;
    if (!this.#actor.sources.has(topic))
      throw new OptionError(
        `Expected a topic that \`service.log\` has put a log under, got ${describe(topic)}.`,
      );
    perform(this.#actor, { type: "advance", topic });
  }

  flush(...state: [] | [state: unknown]): Promise<void> {
    return this.#actor.flush(state);
  }

  /** The incarnation is over: what its leftovers do is dropped. */
  end(): void {
    this.#isEnded = true;
    this.timers.cancelAll();
    this.#abort?.abort();
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }
}
