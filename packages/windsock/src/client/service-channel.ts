import {
  byteLengthOf,
  type JoinInfo,
  type Comeback,
  type ServerElements,
} from "../protocol/v1/index.ts";
import type { AnyService } from "../service/types.ts";
import { backoffMs, stableMs } from "./backoff.ts";
import { ClientError, refusal } from "./client-error.ts";
import type { Connection, ConnectionChannel } from "./connection.ts";
import type { Link, LinkChannel, LinkEnd } from "./link.ts";
import { encodePayload, Outbox, type Outgoing, type OutboxLimits } from "./outbox.ts";
import type { ClientPorts, ClientTimer } from "./ports.ts";
import { Position } from "./position.ts";
import { Reader, type ReaderLimits } from "./reader.ts";
import type {
  CallOptions,
  Channel,
  ChannelEvent,
  ChannelHandlers,
  ChannelState,
  MessageSource,
  SendOptions,
} from "./types.ts";

/** Private messages are acknowledged after this many, this many bytes or characters, or this long. */
const ackMessages = 256;
const ackLength = 16 * 1024;
const ackMs = 1000;
/** How long a channel may be without a connection before it counts as suspended. */
const suspendMs = 120_000;
const defaultCallTimeoutMs = 5000;
/** A channel that is refused as a server is crowded waits as a connection that failed this often. */
const crowdedFailures = 3;

const codeNormal = 1000;
const codePolicyViolation = 1008;
const codeTryAgainLater = 1013;

/** Refusals of a join after which it is tried again. */
const passingRefusals: ReadonlySet<string> = new Set(["overloaded", "down", "draining"]);

export interface ServiceChannelOptions extends OutboxLimits, ReaderLimits {
  readonly auth: unknown;
}

/**
 * How the channel stands with its connection:
 *
 * ```
 *   apart ◄──► joining ──► joined
 *     ▲           │  ▲        │     any ──► over
 *     │   refused ▼  │ due    │ closed: retry, rejoin
 *     └──────── waiting ◄─────┘
 * ```
 */
type Phase =
  | { readonly type: "apart" }
  | { readonly type: "joining"; readonly link: Link; readonly channel: number }
  | {
      readonly type: "joined";
      readonly link: Link;
      readonly channel: number;
      readonly since: number;
      readonly info: JoinInfo;
    }
  | { readonly type: "waiting"; readonly timer: ClientTimer; readonly until: number }
  | { readonly type: "over"; readonly state: Extract<ChannelState, { type: "closed" }> };

type AnyEvent = ChannelEvent<AnyService>;
type AnyHandler = (...args: never[]) => void;

/** A token that waits for its answer. */
interface Reauthorization extends PromiseWithResolvers<void> {
  readonly token: unknown;
}

/** One membership of a service, over one link after another. */
export class ServiceChannel
  implements Omit<Channel, "on" | "call">, LinkChannel, ConnectionChannel
{
  readonly path: string;
  readonly #connection: Connection;
  readonly #ports: ClientPorts;
  readonly #options: ServiceChannelOptions;
  readonly #outbox: Outbox;
  readonly #position = new Position();
  #phase: Phase = { type: "apart" };
  #state: ChannelState;
  /** The link that a join is on its way to: `auth` may take its time. */
  #target: Link | undefined;
  /** Of the membership; without one, the next join is a new one. */
  #token: string | undefined;
  /** The last `joined`, of whatever membership. */
  #info: JoinInfo | undefined;
  #failures = 0;
  #suspension: ClientError | undefined;
  #suspendTimer: ClientTimer | undefined;
  #auth: unknown;
  #reauthorizations: Reauthorization[] = [];
  #unackedMessages = 0;
  #unackedLength = 0;
  #ackTimer: ClientTimer | undefined;
  readonly #handlers = new Map<string, Set<AnyHandler>>();
  readonly #readers = new Map<Reader<unknown>, (event: AnyEvent) => unknown>();
  /** Messages that came before there was anybody to read them. */
  #early: Reader<AnyEvent> | undefined;
  /** It closes itself: a rejection says nothing that the caller does not know. */
  #isClosing = false;

  constructor(
    path: string,
    connection: Connection,
    ports: ClientPorts,
    options: ServiceChannelOptions,
  ) {
    this.path = path;
    this.#connection = connection;
    this.#ports = ports;
    this.#options = options;
    this.#auth = options.auth;
    this.#early = new Reader(options, () => {});
    this.#outbox = new Outbox(path, options, () => ports.clock.now());
    this.#state = { type: "connecting", attempt: 0, retryInMs: 0 };
    this.#awaitSuspension();
    connection.add(this);
  }

  get state(): ChannelState {
    return this.#state;
  }

  // ---------- the application ----------

  on<T extends keyof ChannelHandlers<AnyService>>(
    type: T,
    handler: ChannelHandlers<AnyService>[T],
  ): () => void {
    // A handler that is added twice is called twice, and each way to stop stops one.
    const plain: AnyHandler = handler;
    const own: AnyHandler = (...args) => plain(...args);
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(own));
    if (type === "message") this.#release();
    return () => void handlers.delete(own);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<never, undefined> {
    return this.#reader((event) => (event.type === "message" ? event.message : undefined));
  }

  events(): AsyncIterableIterator<AnyEvent, undefined> {
    return this.#reader((event) => event);
  }

  send(message: unknown, { retry = false }: SendOptions = {}): Promise<void> {
    return this.#post(message, retry) as Promise<void>;
  }

  call(name: string, request?: unknown, options: CallOptions = {}): Promise<never> {
    const { timeoutMs = defaultCallTimeoutMs, signal } = options;
    const deadline = this.#ports.clock.now() + timeoutMs;
    return this.#post(request ?? null, false, { name, deadline }, signal) as Promise<never>;
  }

  reauthorize(token: unknown): Promise<void> {
    if (this.#phase.type === "over") return Promise.reject(this.#closedError());
    const reauthorization = { ...Promise.withResolvers<void>(), token };
    this.#reauthorizations.push(reauthorization);
    if (this.#phase.type === "joined") {
      const { link, channel } = this.#phase;
      link.send("auth", channel, token);
    }
    return reauthorization.promise;
  }

  close(): void {
    this.#isClosing = true;
    this.leave();
    this.#end({ type: "closed", code: codeNormal, reason: "" });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #post(
    value: unknown,
    retry: boolean,
    call?: Outgoing["call"],
    signal?: AbortSignal,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let payload: string | Uint8Array;
    try {
      signal?.throwIfAborted();
      if (this.#phase.type === "over") throw this.#closedError();
      payload = encodePayload(value);
    } catch (error) {
      reject(error);
      return promise;
    }
    const giveUp = (why: unknown): void => {
      outgoing.settle(why);
      this.#outbox.giveUp(outgoing);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    const timer =
      call &&
      this.#ports.clock.setTimeout(() => {
        giveUp(new ClientError("WINDSOCK_TIMEOUT", { path: this.path, call: call.name }));
      }, call.deadline - this.#ports.clock.now());
    const outgoing: Outgoing = {
      n: 0,
      payload,
      bytes: byteLengthOf(payload),
      retry,
      call,
      isSettled: false,
      settle: (error, result) => {
        if (outgoing.isSettled) return;
        outgoing.isSettled = true;
        timer?.cancel();
        signal?.removeEventListener("abort", onAbort);
        if (error === undefined) resolve(result);
        else this.#reject(promise, reject, error);
      },
    };
    this.#outbox.add(outgoing);
    return promise;
  }

  /** What `close()` ends says nothing that its caller does not know: it is not reported as unhandled. */
  #reject(promise: Promise<unknown>, reject: (error: unknown) => void, error: unknown): void {
    if (this.#isClosing) promise.catch(() => {});
    reject(error);
  }

  // ---------- from the connection ----------

  attach(link: Link): void {
    if (this.#phase.type === "waiting" || this.#phase.type === "over") return;
    this.#target = link;
    const auth = this.#reauthorizations.at(-1)?.token ?? this.#auth;
    if (typeof auth !== "function") this.#join(link, auth);
    else
      void Promise.resolve()
        .then(() => (auth as () => unknown)())
        .then(
          (token) => this.#join(link, token),
          (error: unknown) => {
            if (this.#target !== link) return;
            const detail = { path: this.path, reason: String(error) };
            this.#fail(new ClientError("WINDSOCK_REFUSED", detail, error));
            this.#wait(this.#backoff(0));
          },
        );
  }

  detach(link: Link): void {
    if (this.#target === link) this.#target = undefined;
    if ("link" in this.#phase && this.#phase.link === link) this.#become({ type: "apart" });
  }

  changed(): void {
    this.#publishState();
  }

  fault(reason: string): void {
    this.#fail(new ClientError("WINDSOCK_PROTOCOL", { url: this.#connection.url, reason }));
  }

  ended({ code, reason }: LinkEnd): void {
    this.#endWith(code, reason);
  }

  leave(): void {
    if ("link" in this.#phase) {
      const { link, channel } = this.#phase;
      link.send("leave", channel);
    }
    this.#token = undefined;
  }

  // ---------- from the server ----------

  receive(elements: ServerElements, length: number): void {
    switch (elements[0]) {
      case "pub": {
        const [, log, seq, payload] = elements;
        const topic = this.#position.entry(log, seq);
        if (topic !== undefined) this.#message(payload, { type: "published", topic, seq }, length);
        return;
      }
      case "msg":
        if (this.#isNew(length)) this.#message(elements[2], { type: "private" }, length);
        return;
      case "tail": {
        const [, , topic, offset, payload] = elements;
        this.#position.tail(topic, offset);
        this.#message(payload, { type: "tail", topic, offset }, length);
        return;
      }
      case "snapshot": {
        const [, , seq, payload] = elements;
        this.#position.replaced(seq);
        this.#emit({ type: "snapshot", snapshot: payload as never, seq });
        this.#message(payload, { type: "snapshot", seq }, length);
        return;
      }
      case "reply":
        if (this.#isNew(length)) this.#outbox.replied(elements[2], elements[3]);
        return;
      case "done":
        this.#outbox.done(elements[2]);
        return;
      case "credit":
        this.#outbox.credit(elements[2]);
        return;
      case "error": {
        const [, , n, code, message, detail] = elements;
        this.#refused(n, refusal(code, message, detail), passingRefusals.has(code), length);
        return;
      }
      case "joined":
        this.#joined(elements[2]);
        return;
      case "log": {
        const [, , log, topic, seq] = elements;
        this.#position.follow(log, topic, seq);
        return;
      }
      case "unlog":
        this.#position.unfollow(elements[2]);
        return;
      case "at":
        this.#position.reached(elements[2]);
        return;
      case "restarted": {
        const [, log, seq] = elements;
        if (this.#position.entry(log, seq) !== undefined) this.#emit({ type: "restarted", seq });
        return;
      }
      case "presence":
        this.#emit({ type: "presence", seq: elements[2], ...elements[3] });
        return;
      case "authed":
        this.#authed();
        return;
      case "closed": {
        const [, , closeCode, reason, how] = elements;
        this.#closed(closeCode, reason, how);
        return;
      }
      case "draining":
      case "pong":
        // The link's.
        return;
    }
  }

  #joined(info: JoinInfo): void {
    if (this.#phase.type !== "joining") return;
    const { link, channel } = this.#phase;
    const previous = this.#info;
    const isContinued =
      this.#token !== undefined && (info.answer === "resumed" || info.answer === "snapshot");
    this.#position.joined(info, isContinued);
    this.#token = info.token;
    this.#info = info;
    this.#suspendTimer?.cancel();
    this.#suspension = undefined;
    if (!isContinued) this.#outbox.forget();
    this.#become({ type: "joined", link, channel, since: this.#ports.clock.now(), info });
    this.#outbox.joined({ channel, write: (message) => link.write(message) }, info);
    // The join carried the newest token.
    for (const { token, resolve } of this.#reauthorizations.splice(0)) {
      this.#accept(token);
      resolve();
    }
    if (previous !== undefined) {
      if (!isContinued) this.#emit({ type: "rejoined" });
      else if (info.answer === "resumed") this.#emit({ type: "resumed" });
      if (previous.version !== info.version)
        this.#emit({ type: "version", version: info.version, previous: previous.version });
    }
  }

  #refused(n: number, error: ClientError, isPassing: boolean, length: number): void {
    if (n > 0) {
      if (this.#isNew(length)) this.#outbox.refused(n, error);
    } else if (this.#phase.type === "joined") {
      this.#reauthorizations.shift()?.reject(error);
    } else if (isPassing) {
      this.#fail(error);
      this.#wait((error.retryAfterMs ?? 0) + this.#backoff(crowdedFailures));
    } else {
      this.#endWith(codePolicyViolation, error.message, error);
    }
  }

  /** The next wait of this channel's own, drawn by its failures or by this many. */
  #backoff(atLeast: number): number {
    const failures = Math.max(this.#failures, atLeast);
    this.#failures += 1;
    return backoffMs(failures, this.#ports.random);
  }

  #authed(): void {
    const first = this.#reauthorizations.shift();
    if (first === undefined) return;
    this.#accept(first.token);
    first.resolve();
  }

  /** A token that the server took is the one for the joins to come, unless a function gives those. */
  #accept(token: unknown): void {
    if (typeof this.#auth !== "function") this.#auth = token;
  }

  #closed(closeCode: number, reason: string, how: Comeback): void {
    if (how === "end") {
      this.#endWith(closeCode, reason);
      return;
    }
    if (this.#phase.type === "joined" && this.#ports.clock.now() - this.#phase.since >= stableMs)
      this.#failures = 0;
    const isFirst = this.#failures === 0;
    const ms = this.#backoff(
      how === "retry" && closeCode === codeTryAgainLater ? crowdedFailures : 0,
    );
    if (how === "rejoin") this.#token = undefined;
    this.#wait(how === "rejoin" && isFirst ? 0 : ms);
  }

  /** Counts a private message. False: it was handled before. */
  #isNew(length: number): boolean {
    if (!this.#position.private()) return false;
    this.#unackedMessages += 1;
    this.#unackedLength += length;
    if (this.#unackedMessages >= ackMessages || this.#unackedLength >= ackLength) this.#ack();
    else this.#ackTimer ??= this.#ports.clock.setTimeout(() => this.#ack(), ackMs);
    return true;
  }

  #ack(): void {
    this.#forgetAcks();
    if (this.#phase.type !== "joined") return;
    const { link, channel } = this.#phase;
    link.send("ack", channel, this.#position.count);
  }

  /** A join says the count itself. */
  #forgetAcks(): void {
    this.#ackTimer?.cancel();
    this.#ackTimer = undefined;
    this.#unackedMessages = this.#unackedLength = 0;
  }

  // ---------- life ----------

  #join(link: Link, auth: unknown): void {
    if (this.#target !== link || !link.isOpen) return;
    this.#target = undefined;
    const channel = link.add(this);
    this.#become({ type: "joining", link, channel });
    const resume = this.#token === undefined ? {} : { resume: this.#position.resume(this.#token) };
    link.send("join", channel, this.path, { ...resume, auth });
  }

  /** Joins again after a wait, on whatever link is open then. */
  #wait(ms: number): void {
    if (this.#phase.type === "over") return;
    const { clock } = this.#ports;
    const timer = clock.setTimeout(() => {
      this.#become({ type: "apart" });
      const link = this.#connection.openLink;
      if (link !== undefined) this.attach(link);
    }, ms);
    this.#become({ type: "waiting", timer, until: clock.now() + ms });
  }

  /** Told not to come back; by 1000, in order. */
  #endWith(
    code: number,
    reason: string,
    error: ClientError = new ClientError("WINDSOCK_CLOSED", {
      path: this.path,
      closeCode: code,
      reason,
    }),
  ): void {
    const isOrderly = code === codeNormal;
    if (!isOrderly) this.#fail(error);
    this.#end({ type: "closed", code, reason, ...(isOrderly ? {} : { error }) });
  }

  #end(state: Extract<ChannelState, { type: "closed" }>): void {
    if (this.#phase.type === "over") return;
    this.#target = undefined;
    this.#suspendTimer?.cancel();
    this.#become({ type: "over", state });
    this.#connection.remove(this);
    const error = this.#closedError();
    this.#outbox.close(error);
    for (const { promise, reject } of this.#reauthorizations.splice(0))
      this.#reject(promise, reject, error);
    for (const reader of this.#readers.keys()) reader.end(state.error);
  }

  #closedError(): ClientError {
    const { error, reason } = this.#phase.type === "over" ? this.#phase.state : {};
    return new ClientError("WINDSOCK_CLOSED", { path: this.path, reason }, error);
  }

  /** The one way from a phase to the next. */
  #become(next: Phase): void {
    const before = this.#phase;
    this.#phase = next;
    if (before.type === "waiting") before.timer.cancel();
    const isSameChannel =
      before.type === "joining" && next.type === "joined" && next.link === before.link;
    if ("link" in before && !isSameChannel) before.link.remove(before.channel);
    if (before.type === "joined") {
      this.#outbox.parted();
      this.#forgetAcks();
      if (next.type !== "over") this.#awaitSuspension();
    }
    this.#publishState();
  }

  #awaitSuspension(): void {
    this.#suspendTimer = this.#ports.clock.setTimeout(() => {
      this.#suspension = new ClientError("WINDSOCK_UNREACHABLE", {
        path: this.path,
        url: this.#connection.url,
        ms: suspendMs,
      });
      this.#fail(this.#suspension);
      this.#publishState();
    }, suspendMs);
  }

  #publishState(): void {
    const state = this.#currentState();
    // Two states are the same when they say the same.
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    this.#emit({ type: "state", state });
  }

  #currentState(): ChannelState {
    const phase = this.#phase;
    if (phase.type === "over") return phase.state;
    const connection = this.#connection.state;
    const now = this.#ports.clock.now();
    if (phase.type === "joined") {
      const { id, params, version } = phase.info;
      return (connection.type === "draining" || connection.type === "moving") &&
        connection.link === phase.link
        ? { type: "draining", id, withinMs: Math.max(0, connection.until - now) }
        : { type: "open", id, params, version };
    }
    const outlook =
      phase.type === "waiting"
        ? { attempt: this.#failures, retryInMs: Math.max(0, Math.ceil(phase.until - now)) }
        : this.#connection.outlook;
    if (this.#suspension !== undefined)
      return { type: "suspended", ...outlook, error: this.#suspension };
    return { type: this.#info === undefined ? "connecting" : "resuming", ...outlook };
  }

  // ---------- events ----------

  #fail(error: ClientError): void {
    this.#emit({ type: "error", error });
  }

  #message(payload: unknown, source: MessageSource, length: number): void {
    const event: AnyEvent = { type: "message", message: payload as never, source };
    if (this.#early === undefined) this.#emit(event, length);
    else this.#early.push(event, length);
  }

  /** There is a reader now: what came before goes to all that are there after this turn of the code. */
  #release(): void {
    queueMicrotask(() => {
      const early = this.#early;
      this.#early = undefined;
      for (const { value, bytes } of early?.drain() ?? []) this.#emit(value, bytes);
      const error = early?.error as ClientError | undefined;
      if (error === undefined) return;
      for (const reader of this.#readers.keys()) reader.end(error);
      this.#fail(error);
    });
  }

  #reader<T>(pick: (event: AnyEvent) => unknown): AsyncIterableIterator<T, undefined> {
    const reader = new Reader<unknown>(this.#options, (over) => void this.#readers.delete(over));
    this.#readers.set(reader, pick);
    this.#release();
    if (this.#phase.type === "over") reader.end(this.#phase.state.error);
    return reader as AsyncIterableIterator<T, undefined>;
  }

  #emit(event: AnyEvent, length = 0): void {
    for (const [reader, pick] of this.#readers) {
      const value = pick(event);
      if (value !== undefined) reader.push(value, length);
    }
    const [first, second] = argumentsOf(event);
    for (const handler of [...(this.#handlers.get(event.type) ?? [])]) {
      try {
        handler(first as never, second as never);
      } catch (error) {
        // It must not stop the others, and is the application's to see.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

function argumentsOf(event: AnyEvent): readonly unknown[] {
  switch (event.type) {
    case "message":
      return [event.message, event.source];
    case "snapshot":
      return [event.snapshot, event];
    case "state":
      return [event.state];
    case "error":
      return [event.error];
    default:
      return [event];
  }
}
