import { OptionError, OverloadedError } from "../errors.ts";
import { fitCloseReason, isSendableCloseCode } from "../protocol/close-code.ts";
import type { RequestData } from "../protocol/port.ts";
import type { Delivery } from "./delivery.ts";
import { perform, performSend } from "./effect.ts";
import type { ServiceActor } from "./service-actor.ts";
import { Subscriptions, type Followed } from "./subscriptions.ts";
import type { Client, SubscribeOptions, UpgradeRequest } from "./types.ts";
import { upgradeRequestOf } from "./upgrade-request.ts";
import { describe } from "./value.ts";

export interface ClientData {
  readonly mid: string;
  readonly edge: string;
  readonly sessionId: string;
  readonly protocol: string;
  readonly request: RequestData;
  readonly user: unknown;
  readonly params: Readonly<Record<string, string>>;
}

/** Where a client is reached today: an edge, and the name of this incarnation of its join there. */
export interface Line {
  readonly edge: string;
  readonly mid: string;
  /** The number of its socket at that edge, for one of `windsock.v1`. */
  readonly session?: number;
}

/**
 * ```
 *   joining ──► joined ──► gone
 *      └────────────────────▲     left before its join was handled: no callback hears of it
 * ```
 */
export type MembershipState = "joining" | "joined" | "gone";

const crashWindowMs = 60_000;
const maxCrashesPerWindow = 3;

/** The actor's side of a membership, and what the callbacks get as `client`. */
export class ServiceClient implements Client<unknown, unknown, Readonly<Record<string, string>>> {
  readonly data: ClientData;
  readonly #actor: ServiceActor;
  #request: UpgradeRequest | undefined;
  #crashes: number[] | undefined;
  #subscriptions: Subscriptions | undefined;
  #cancelled: Set<number> | undefined;
  #user: unknown;
  membership: MembershipState = "joining";
  /** Its end waits in the mailbox: nobody resumes it any more. */
  isEnding = false;
  joinReason: "new" | "restart" | "rejoin" = "new";
  /** Undefined: its socket broke, and it has some time to come back. */
  line: Line | undefined;
  /** What only a client of `windsock.v1` has. */
  readonly delivery: Delivery | undefined;

  constructor(actor: ServiceActor, data: ClientData, delivery?: Delivery) {
    this.#actor = actor;
    this.data = data;
    this.#user = data.user;
    this.line = data;
    this.delivery = delivery;
  }

  get id(): string {
    return this.data.mid;
  }

  get sessionId(): string {
    return this.data.sessionId;
  }

  get protocol(): string {
    return this.data.protocol;
  }

  get user(): unknown {
    return this.#user;
  }

  set user(user: unknown) {
    this.#user = user;
  }

  /** What it was subscribed to. */
  get followed(): readonly Followed[] {
    return this.#subscriptions?.followed ?? [];
  }

  /** It was asked not to follow the service's own log. */
  get leavesOwnLog(): boolean {
    return this.#subscriptions?.leavesOwnLog ?? false;
  }

  get params(): Readonly<Record<string, string>> {
    return this.data.params;
  }

  /** Built when it is asked for: most services never look. */
  get request(): UpgradeRequest {
    this.#request ??= upgradeRequestOf(this.data.request);
    return this.#request;
  }

  get subscriptions(): Subscriptions {
    this.#subscriptions ??= new Subscriptions();
    return this.#subscriptions;
  }

  /** Whether it ever changed what it follows. */
  get hasSubscriptions(): boolean {
    return this.#subscriptions !== undefined;
  }

  send(message: unknown): void {
    if (this.membership === "gone") return;
    performSend(this.#actor, this, this.#actor.encoder.encode(message));
  }

  close(code: number = 1000, reason: string = ""): void {
    if (!isSendableCloseCode(code)) {
      throw new OptionError(
        `Expected a close code of 1000 to 1014 (less 1004 to 1006) or 3000 to 4999, got ${describe(code)}. Use 4000 to 4999 for codes of your own.`,
      );
    }
    if (this.membership === "gone") return;
    perform(this.#actor, { type: "close", client: this, code, reason: fitCloseReason(reason) });
  }

  subscribe(topic: string, options: SubscribeOptions = {}): void {
    const from = options.from;
    if (from !== undefined && (!Number.isSafeInteger(from) || from < 0)) {
      throw new OptionError(
        `Expected \`from\` to be an integer of at least 0, got ${describe(from)}.`,
      );
    }
    if (this.membership === "gone") return;
    const { subscriptions } = this;
    const max = this.#actor.limits.maxSubscriptions;
    if (topic !== "" && !subscriptions.has(topic) && subscriptions.count >= max) {
      throw new OverloadedError(
        `Expected a client to follow at most ${max} topics, got one more: ${describe(topic)}. Unsubscribe first, or raise \`limits.maxSubscriptions\`.`,
        0,
      );
    }
    subscriptions.want(topic);
    perform(this.#actor, { type: "subscribe", client: this, topic, from });
  }

  unsubscribe(topic: string): void {
    if (this.membership === "gone") return;
    this.subscriptions.unwant(topic);
    perform(this.#actor, { type: "unsubscribe", client: this, topic });
  }

  /** The answer to call `n` is no longer wanted. */
  cancel(n: number): void {
    if (this.delivery === undefined || n <= this.delivery.done || n > this.delivery.received)
      return;
    this.#cancelled ??= new Set();
    this.#cancelled.add(n);
    // Nobody asks for the number of a message: those are let go once they are done, many at a time.
    const { done, received } = this.delivery;
    if (this.#cancelled.size > 2 * (received - done) + 64)
      for (const one of this.#cancelled) if (one <= done) this.#cancelled.delete(one);
  }

  /** Asked once, when the call's turn has come. */
  wasCancelled(n: number): boolean {
    return this.#cancelled?.delete(n) ?? false;
  }

  /** Counts a crash that a message of this client caused. True: that was one too many. */
  crashed(now: number): boolean {
    this.#crashes = (this.#crashes ?? []).filter((at) => at > now - crashWindowMs);
    this.#crashes.push(now);
    return this.#crashes.length >= maxCrashesPerWindow;
  }
}
