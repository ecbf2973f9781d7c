import type { ClientEnvelope, Comeback, JoinInfo, ServerElements } from "../protocol/v1/index.ts";
import type { AnyService } from "../service/types.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { backoffMs, crowdedFailures, stableMs } from "./backoff.ts";
import { ClientError, refusal } from "./client-error.ts";
import type { Connection, ConnectionChannel } from "./connection.ts";
import { Credentials } from "./credentials.ts";
import type { AnyEvent, HandlerFeed } from "./handler-feed.ts";
import type { Link, LinkChannel, LinkEnd } from "./link.ts";
import { Outbox, type OutboxLimits } from "./outbox.ts";
import type { Outgoing } from "./outgoing.ts";
import { stateOf, type Phase } from "./phase.ts";
import type { ClientPorts, ClientTimer } from "./ports.ts";
import { Position } from "./position.ts";
import type {
  CallOptions,
  ChannelHandlers,
  ChannelState,
  MessageSource,
  SendOptions,
} from "./types.ts";

/** How long a channel may be without a connection before it counts as suspended. */
const suspendMs = 120_000;
const defaultCallTimeoutMs = 5000;

const codeNormal = 1000;
const codePolicyViolation = 1008;
const codeTryAgainLater = 1013;

/** A path that may stand in a URL: without steps (`..`) and escapes, which a URL parser might resolve, and not long. */
const urlPath = /^[\w/?=&-]{1,99}$/;

type ClosedState = Extract<ChannelState, { type: "closed" }>;

export interface CoreChannelOptions extends OutboxLimits {
  readonly auth: unknown;
}

/** One membership of a service, over one link after another. */
export class CoreChannel implements LinkChannel, ConnectionChannel {
  readonly path: string;
  readonly #connection: Connection;
  readonly #ports: ClientPorts;
  readonly #outbox: Outbox;
  readonly #position = new Position();
  readonly #credentials: Credentials;
  readonly #acks: Acknowledgements;
  readonly #feed: HandlerFeed;
  #phase: Phase = { type: "apart" };
  #state!: ChannelState;
  /** The link that a join is on its way to: `auth` may take its time. */
  #target: Link | undefined;
  /** Of the membership; without one, the next join is a new one. */
  #token: string | undefined;
  /** The last `joined`, of whatever membership. */
  #info: JoinInfo | undefined;
  #failures = 0;
  #suspension: ClientError | undefined;
  #suspendTimer: ClientTimer | undefined;

  constructor(
    path: string,
    connection: Connection,
    ports: ClientPorts,
    options: CoreChannelOptions,
    feed: HandlerFeed,
  ) {
    this.path = path;
    this.#connection = connection;
    this.#ports = ports;
    this.#feed = feed;
    this.#credentials = new Credentials(options.auth);
    this.#acks = new Acknowledgements(ports.clock, () => this.#send("ack", this.#position.count));
    this.#outbox = new Outbox(path, options, ports.clock);
    this.#publishState();
    this.#awaitSuspension();
    connection.add(this, options.auth === undefined && urlPath.test(path));
  }

  get state(): ChannelState {
    return this.#state;
  }

  // ---------- the application ----------

  on<T extends keyof ChannelHandlers<AnyService>>(
    type: T,
    handler: ChannelHandlers<AnyService>[T],
  ): () => void {
    return this.#feed.on(type, handler);
  }

  send(message: unknown, { retry = false }: SendOptions = {}): Promise<void> {
    return this.#post(message, retry) as Promise<void>;
  }

  call(
    name: string,
    request?: unknown,
    { timeoutMs = defaultCallTimeoutMs, signal }: CallOptions = {},
  ): Promise<never> {
    const deadline = this.#ports.clock.now() + timeoutMs;
    return this.#post(request ?? null, false, { name, deadline }, signal) as Promise<never>;
  }

  reauthorize(token: unknown): Promise<void> {
    if (this.#phase.type === "over") return Promise.reject(this.#closedError());
    this.#send("auth", token);
    return this.#credentials.offer(token);
  }

  close(): void {
    this.leave();
    this.#end(codeNormal, "");
  }

  #post(
    value: unknown,
    retry: boolean,
    call?: Outgoing["call"],
    signal?: AbortSignal,
  ): Promise<unknown> {
    try {
      signal?.throwIfAborted();
      if (this.#phase.type === "over") throw this.#closedError();
      return this.#outbox.post(value, retry, call, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  // ---------- from the connection ----------

  attach(link: Link | undefined): void {
    if (!link || this.#phase.type === "waiting" || this.#phase.type === "over") return;
    this.#target = link;
    this.#credentials.ask(
      (token) => this.#join(link, token),
      (error) => {
        if (this.#target !== link) return;
        const reason = String(error);
        this.#fail(new ClientError("WINDSOCK_REFUSED", { path: this.path, reason }, error));
        this.#wait(this.#backoff(0));
      },
    );
  }

  changed(lost?: Link): void {
    if (this.#target === lost) this.#target = undefined;
    if ("link" in this.#phase && this.#phase.link === lost) this.#become({ type: "apart" });
    else this.#publishState();
  }

  fault(reason: string): void {
    this.#fail(new ClientError("WINDSOCK_PROTOCOL", { url: this.#connection.url, reason }));
  }

  ended({ code, reason }: LinkEnd): void {
    this.#end(code, reason);
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
        const topic = this.#position.pub(log, seq);
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
        const [type, , seq, payload] = elements;
        this.#position.snapshot(seq);
        this.#emit({ type, snapshot: payload as never, seq });
        this.#message(payload, { type, seq }, length);
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
        this.#refused(n, refusal(code, message, detail), length);
        return;
      }
      case "joined":
        this.#joined(elements[2]);
        return;
      case "log":
        this.#position.log(elements[2], elements[3], elements[4]);
        return;
      case "unlog":
        this.#position.unlog(elements[2]);
        return;
      case "at":
        if (elements[3] !== this.#position.count) throw Error("count");
        this.#position.at(elements[2]);
        return;
      case "restarted":
        if (this.#position.pub(elements[1], elements[2]) !== undefined)
          this.#emit({ type: "restarted", seq: elements[2] });
        return;
      case "presence":
        this.#emit({ type: "presence", seq: elements[2], ...elements[3] });
        return;
      case "authed":
        this.#credentials.accepted();
        return;
      case "closed":
        this.#closed(elements[2], elements[3], elements[4]);
        return;
      default:
      // `draining` and `pong` are the link's.
    }
  }

  #joined(info: JoinInfo): void {
    if (this.#phase.type !== "joining") return;
    const { link, channel } = this.#phase;
    const previous = this.#info;
    const isContinued = info.answer === "resumed" || info.answer === "snapshot";
    this.#position.joined(info, isContinued);
    this.#token = info.token;
    this.#info = info;
    this.#suspendTimer?.cancel();
    this.#suspension = undefined;
    if (!isContinued) this.#outbox.forget();
    this.#become({ type: "joined", link, channel, since: this.#ports.clock.now(), info });
    this.#outbox.joined({ link, channel }, info);
    this.#credentials.joined();
    if (previous) {
      if (!isContinued) this.#emit({ type: "rejoined" });
      else if (info.answer === "resumed") this.#emit({ type: "resumed" });
      if (previous.version !== info.version)
        this.#emit({ type: "version", version: info.version, previous: previous.version });
    }
  }

  #refused(n: number, error: ClientError, length: number): void {
    const { retryAfterMs } = error;
    if (n > 0) {
      if (this.#isNew(length)) this.#outbox.refused(n, error);
    } else if (this.#phase.type === "joined") {
      this.#credentials.refused(error);
    } else if (retryAfterMs === undefined) {
      this.#end(codePolicyViolation, error.message, error);
    } else {
      this.#fail(error);
      this.#wait(retryAfterMs + this.#backoff(crowdedFailures));
    }
  }

  /** The next wait of this channel's own, drawn by its failures or by this many. */
  #backoff(atLeast: number): number {
    const failures = Math.max(this.#failures, atLeast);
    this.#failures += 1;
    return backoffMs(failures, this.#ports.random);
  }

  #closed(closeCode: number, reason: string, how: Comeback): void {
    if (how === "end") {
      this.#end(closeCode, reason);
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
    const isNew = this.#position.msg();
    if (isNew) this.#acks.count(length);
    return isNew;
  }

  /** Sends an envelope on the channel, if that is joined. */
  #send(type: ClientEnvelope["type"], ...fields: readonly unknown[]): void {
    if (this.#phase.type === "joined") this.#phase.link.send(type, this.#phase.channel, ...fields);
  }

  // ---------- life ----------

  #join(link: Link, auth: unknown): void {
    if (this.#target !== link || !link.isOpen) return;
    this.#target = undefined;
    const resume = this.#token && this.#position.resume(this.#token);
    const channel = link.join(this, resume, auth);
    this.#become({ type: "joining", link, channel });
  }

  /** Joins again after a wait, on whatever link is open then. */
  #wait(ms: number): void {
    if (this.#phase.type === "over") return;
    const { clock } = this.#ports;
    const timer = clock.setTimeout(() => {
      this.#become({ type: "apart" });
      this.attach(this.#connection.openLink);
    }, ms);
    this.#become({ type: "waiting", timer, until: clock.now() + ms });
  }

  /** For good: in order by 1000, else with an error. */
  #end(code: number, reason: string, error?: ClientError): void {
    if (this.#phase.type === "over") return;
    if (code !== codeNormal) error ??= this.#closedBy({ code, reason });
    if (error) this.#fail(error);
    this.#target = undefined;
    this.#suspendTimer?.cancel();
    this.#become({
      type: "over",
      state: { type: "closed", code, reason, ...(error && { error }) },
    });
    this.#connection.remove(this);
    const closed = this.#closedError();
    this.#outbox.close(closed);
    this.#credentials.close(closed);
    this.#feed.end(error);
  }

  #closedError(): ClientError {
    return this.#closedBy(this.#phase.type === "over" ? this.#phase.state : {});
  }

  #closedBy({ code, reason, error }: Partial<ClosedState>): ClientError {
    return new ClientError("WINDSOCK_CLOSED", { path: this.path, closeCode: code, reason }, error);
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
      this.#acks.reset();
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
    const state = stateOf(
      this.#phase,
      this.#connection,
      this.#ports.clock.now(),
      this.#failures,
      this.#info === undefined,
      this.#suspension,
    );
    // Two states are the same when they say the same.
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    this.#emit({ type: "state", state });
  }

  // ---------- events ----------

  #fail(error: ClientError): void {
    this.#emit({ type: "error", error });
  }

  #message(payload: unknown, source: MessageSource, length: number): void {
    this.#emit({ type: "message", message: payload as never, source }, length);
  }

  #emit(event: AnyEvent, length = 0): void {
    this.#feed.emit(event, length);
  }
}
