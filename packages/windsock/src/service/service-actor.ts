import { Actor, type Behaviour } from "../actor/actor.ts";
import { settleWithin, type Clock, type Timer } from "../actor/clock.ts";
import type { MailItem } from "../actor/mailbox.ts";
import {
  BadReturnError,
  CallbackTimeoutError,
  CallFailedError,
  CallTimeoutError,
  InvalidMessageError,
  OptionError,
  OverloadedError,
  ServiceDownError,
  WindsockError,
} from "../errors.ts";
import type { Log } from "../log/log.ts";
import { closeCode, fitCloseReason } from "../protocol/close-code.ts";
import { opcode } from "../protocol/frame.ts";
import type { ServiceLimits } from "../protocol/limits.ts";
import type {
  ActorToEdge,
  CloseReason,
  LogPosition,
  Out,
  Outlet,
  Payload,
} from "../protocol/port.ts";
import { describe, type ErasedDefinition } from "./define-service.ts";
import { decodeText, detach, Encoder, viewOf } from "./encode.ts";
import { OutcomeValue } from "./outcome.ts";
import type { Report } from "./report.ts";
import { check, type Checked } from "./schema.ts";
import type { ServiceClient } from "./service-client.ts";
import { ServiceScope } from "./service-scope.ts";
import { Turn, turnStorage, type Effect, type Post } from "./turn.ts";
import type { LogSource, TerminateReason } from "./types.ts";

/** The answer to something posted: exactly one of the two is called, at most once. */
export interface Answer<Value> {
  resolve(value: Value): void;
  reject(error: WindsockError): void;
}

/** Everything that can stand in the mailbox of a service. */
export type Mail = MailItem &
  (
    | { readonly type: "join"; readonly client: ServiceClient }
    | { readonly type: "leave"; readonly client: ServiceClient; readonly reason: CloseReason }
    | { readonly type: "incoming"; readonly client: ServiceClient; readonly payload: Payload }
    | { readonly type: "broadcast"; readonly message: unknown; readonly answer?: Answer<number> }
    | { readonly type: "info"; readonly info: unknown }
    | {
        readonly type: "call";
        readonly name: string;
        readonly request: unknown;
        readonly via: readonly string[];
        readonly deadline: number;
        readonly answer: Answer<unknown>;
      }
    /** Done by code that is in no turn of this actor. */
    | { readonly type: "effects"; readonly effects: readonly Effect[] }
    /** The time-out of `noreply`, stale unless the token is the newest. */
    | { readonly type: "timeout"; readonly token: number }
    | { readonly type: "end"; readonly reason: TerminateReason }
  );

export interface ServiceActorOptions {
  readonly name: string;
  readonly address: string;
  readonly params: Readonly<Record<string, string>>;
  readonly definition: ErasedDefinition;
  readonly clock: Clock;
  readonly log: Log;
  /** The way to one edge; undefined when that edge is gone. */
  readonly edge: (id: string) => Outlet<ActorToEdge> | undefined;
  readonly report: (report: Report) => void;
  /** Called once, with what the mailbox still held. */
  readonly stopped: (items: readonly Mail[]) => void;
}

/** A replay that keeps losing clients is given up after so many passes; that counts as one crash. */
const maxReplayPasses = 3;

/** The actor of one service or key: it calls the callbacks, and commits what they did. */
export class ServiceActor implements Behaviour<Mail> {
  readonly name: string;
  readonly address: string;
  readonly params: Readonly<Record<string, string>>;
  readonly limits: ServiceLimits;
  readonly log: Log;
  readonly encoder: Encoder = new Encoder();
  readonly actor: Actor<Mail>;
  /** The actors whose answer the running turn awaits. */
  readonly waitingFor: Set<string> = new Set();
  readonly #definition: ErasedDefinition;
  readonly #options: ServiceActorOptions;
  readonly #clock: Clock;
  readonly #members = new Map<string, ServiceClient>();
  readonly #edges = new Map<string, number>();
  readonly #sources = new Map<string, LogSource>();
  #scope: ServiceScope;
  #state: unknown;
  #callback = "";
  #timeoutToken = 0;
  #timeout: Timer | undefined;
  #idle: Timer | undefined;

  constructor(options: ServiceActorOptions) {
    this.name = options.name;
    this.address = options.address;
    this.params = options.params;
    this.limits = options.definition.limits;
    this.log = options.log;
    this.#definition = options.definition;
    this.#options = options;
    this.#clock = options.clock;
    this.#scope = new ServiceScope(this);
    this.actor = new Actor<Mail>(this, { ...this.limits, clock: options.clock });
  }

  get isKeyed(): boolean {
    return this.#definition.params.length > 0;
  }

  get memberCount(): number {
    return this.#members.size;
  }

  /** The joined clients, in the order of their joins. */
  *clients(): Iterable<ServiceClient> {
    for (const client of this.#members.values()) if (client.membership === "joined") yield client;
  }

  member(mid: string): ServiceClient | undefined {
    return this.#members.get(mid);
  }

  // ---------- from the host ----------

  /** A membership begins to wait for its `handleJoin`. False: the mailbox is full. */
  join(client: ServiceClient): boolean {
    if (!this.actor.offer({ type: "join", bytes: 0, client })) return false;
    this.enrol(client);
    return true;
  }

  /** As `join`, for one that was admitted already. */
  rejoin(client: ServiceClient): void {
    if (this.actor.force({ type: "join", bytes: 0, client })) this.enrol(client);
  }

  enrol(client: ServiceClient): void {
    this.#idle?.cancel();
    this.#members.set(client.id, client);
    this.#edges.set(client.edge, (this.#edges.get(client.edge) ?? 0) + 1);
  }

  leave(mid: string, reason: CloseReason): void {
    const client = this.#members.get(mid);
    if (client === undefined) return;
    if (client.membership === "joining") {
      // Its join is still in the mailbox and will be skipped: no callback hears of this client.
      this.#remove(client);
      this.#watchIdle();
      return;
    }
    this.actor.force({ type: "leave", bytes: 0, client, reason });
  }

  incoming(mid: string, payload: Payload): void {
    const client = this.#members.get(mid);
    if (client === undefined) return;
    const wasFull = this.actor.wasFull;
    // Forced: it was on its way before the edge could hear that the mailbox is full.
    this.actor.force({ type: "incoming", bytes: payload.bytes.length, client, payload });
    if (!wasFull && this.actor.wasFull) this.#postAll({ type: "full", address: this.address });
  }

  end(reason: TerminateReason): void {
    if (this.actor.state === "down" || this.actor.state === "new") this.actor.stop();
    else this.actor.force({ type: "end", bytes: 0, reason });
  }

  setSource(topic: string, source: LogSource): void {
    if (topic === "")
      throw new OptionError(
        "Expected `service.log` to get a topic with a name, got an empty one: that is the service's own log.",
      );
    this.#sources.set(topic, source);
  }

  hasSource(topic: string): boolean {
    return this.#sources.has(topic);
  }

  /** A part of a log of the app's. Not a turn: it runs beside the callbacks. */
  async readSource(
    topic: string,
    from: LogPosition | undefined,
    maxBytes: number,
  ): Promise<{ payloads: Payload[]; next: number; failed: boolean }> {
    const source = this.#sources.get(topic);
    if (source === undefined) return { payloads: [], next: from ?? 0, failed: true };
    const timedOut = () =>
      new CallbackTimeoutError(
        `Expected the log ${describe(topic)} of ${this.address} to answer within ${this.limits.callbackTimeoutMs} ms.`,
      );
    try {
      const work =
        from === undefined
          ? Promise.resolve(source.head()).then((next) => ({ messages: [], next }))
          : Promise.resolve(source.read(from, maxBytes));
      const chunk = await settleWithin(work, this.limits.callbackTimeoutMs, this.#clock, timedOut);
      return {
        payloads: chunk.messages.map((message) => this.encoder.encode(message)),
        next: chunk.next,
        failed: false,
      };
    } catch (error) {
      this.#options.report({
        type: "failure",
        where: `the log ${JSON.stringify(topic)} of ${this.address}`,
        error,
      });
      return { payloads: [], next: from ?? 0, failed: true };
    }
  }

  // ---------- what code does ----------

  /** Takes an effect into the running turn, or, from outside any, into the mailbox as a commit of its own. */
  effect(effect: Effect): void {
    const turn = turnStorage.getStore();
    if (turn !== undefined) {
      if (turn.status === "failed") {
        if (effect.type === "timer") effect.timer.cancel();
        return;
      }
      if (turn.status === "open") {
        if (turn.actor === this) turn.effects.push(effect);
        else
          turn.effects.push({
            type: "post",
            post: this.postOf("an effect", {
              type: "effects",
              bytes: bytesOf(effect),
              effects: [effect],
            }),
          });
        return;
      }
      if (turn.actor === this && turn.generation !== this.actor.generation) return;
    }
    deliver(
      this.postOf("an effect", { type: "effects", bytes: bytesOf(effect), effects: [effect] }),
    );
  }

  postOf(what: string, mail: Mail): Post {
    return {
      address: this.address,
      what,
      offer: () => {
        if (this.actor.state === "down")
          throw new ServiceDownError(`${this.address} is down.`, this.actor.retryAfterMs);
        if (this.actor.state === "stopped")
          throw new ServiceDownError(`${this.address} has stopped.`, 0);
        return this.actor.offer(mail);
      },
      room: () => this.actor.room(),
    };
  }

  /** Commits what the running turn has done so far. */
  async flush(state: readonly unknown[]): Promise<void> {
    const turn = turnStorage.getStore();
    if (turn === undefined || turn.actor !== this || turn.status !== "open") {
      throw new OptionError(
        "Expected `service.flush` to be awaited inside a callback of the same service, before it returns.",
      );
    }
    if (state.length > 0) this.#state = state[0];
    await this.#commit(turn);
  }

  // ---------- the behaviour ----------

  async start(generation: number): Promise<void> {
    this.#scope = new ServiceScope(this);
    if (generation > 1)
      this.#send([{ type: "restarted", seq: this.log.appendRestarted(this.#clock.now()) }]);
    for (let pass = 1; ; pass++) {
      this.#state = undefined;
      await this.#initialise();
      if (await this.#replay()) return;
      if (pass === maxReplayPasses)
        throw new WindsockError(
          `Expected \`handleJoin\` to take the members of ${this.address} back, got ${pass} replays that lost some.`,
        );
      this.#scope.end();
      this.#scope = new ServiceScope(this);
    }
  }

  handle(mail: Mail): void | Promise<void> {
    if (this.#definition.onCrash !== "keep") return this.#dispatch(mail);
    try {
      const pending = this.#dispatch(mail);
      return pending?.catch((error: unknown) => this.#kept(error, mail));
    } catch (error) {
      return this.#kept(error, mail);
    }
  }

  #dispatch(mail: Mail): void | Promise<void> {
    this.#idle?.cancel();
    if (mail.type === "timeout") {
      if (mail.token !== this.#timeoutToken || this.#timeout === undefined) return undefined;
      this.#timeout = undefined;
      return this.#turnOf("handleInfo", this.#definition.handleInfo, [
        { type: "timeout" },
        this.#state,
        this.#scope,
      ]);
    }
    if (this.#timeout !== undefined) {
      this.#timeout.cancel();
      this.#timeout = undefined;
    }
    switch (mail.type) {
      case "join":
        return this.#join(mail.client);
      case "leave":
        return this.#leave(mail.client, mail.reason);
      case "incoming":
        return this.#incoming(mail.client, mail.payload);
      case "broadcast":
        return this.#broadcast(mail.message, mail.answer);
      case "info":
        return this.#turnOf("handleInfo", this.#definition.handleInfo, [
          mail.info,
          this.#state,
          this.#scope,
        ]);
      case "call":
        return this.#call(mail);
      case "effects": {
        const turn = this.#open([], undefined);
        turn.effects.push(...mail.effects);
        return this.#finish(turn, undefined, () => undefined);
      }
      case "end":
        return this.#end(mail.reason);
    }
  }

  async crashed(error: unknown, mail: Mail | undefined): Promise<void> {
    const client = this.#reportCrash(error, mail, true);
    await this.#terminate({ type: "error", error }, this.#state);
    this.#scope.end();
    this.#timeout?.cancel();
    this.#timeout = undefined;
    this.#afterCrash(client, mail);
  }

  /** `onCrash: "keep"`: the turn is dropped, the state before it stays. */
  #kept(error: unknown, mail: Mail): void {
    const client = this.#reportCrash(error, mail, false);
    this.#afterCrash(client, mail);
    this.#watchIdle();
  }

  down(retryAfterMs: number, items: readonly Mail[]): void {
    this.#options.report({ type: "down", service: this.name, address: this.address, retryAfterMs });
    const out: Out[] = [];
    for (const client of this.#members.values()) {
      out.push({
        type: "close",
        mid: client.id,
        code: closeCode.internalError,
        reason: "the service is down",
      });
    }
    this.#send(out);
    for (const client of [...this.#members.values()]) this.#remove(client);
    for (const item of items)
      refuse(
        item,
        new ServiceDownError(`${this.address} is down: it restarted too often.`, retryAfterMs),
      );
  }

  stopped(items: readonly Mail[]): void {
    this.#idle?.cancel();
    this.#timeout?.cancel();
    this.#scope.end();
    this.#options.stopped(items);
  }

  ready(): void {
    this.#postAll({ type: "ready", address: this.address });
  }

  // ---------- one callback each ----------

  async #initialise(): Promise<void> {
    const init = this.#definition.init;
    if (init === undefined) return;
    this.#callback = "init";
    const turn = this.#open([], undefined);
    try {
      const state = await this.#within("init", turnStorage.run(turn, init, this.#scope));
      this.#state = state;
      await this.#commit(turn);
      turn.status = "committed";
    } catch (error) {
      turn.fail();
      throw error;
    }
  }

  /** Joins the members again. False: some threw and are gone, and the state may have seen half of their joins. */
  async #replay(): Promise<boolean> {
    let whole = true;
    for (const client of [...this.#members.values()]) {
      if (client.membership !== "joined") continue;
      client.joinReason = "restart";
      try {
        await this.#turnOf("handleJoin", this.#definition.handleJoin, [
          client,
          this.#state,
          this.#scope,
        ]);
      } catch (error) {
        whole = this.#definition.onCrash === "keep" && whole;
        this.#options.report(this.#crashReport(error, "handleJoin", client, undefined, false));
        this.#closeAndRemove(client, closeCode.internalError, "joining again failed");
      }
    }
    return whole;
  }

  #join(client: ServiceClient): void | Promise<void> {
    if (client.membership !== "joining") return undefined;
    client.membership = "joined";
    return this.#turnOf(
      "handleJoin",
      this.#definition.handleJoin,
      [client, this.#state, this.#scope],
      {
        before: [{ type: "joined", mid: client.id, seq: this.log.seq }],
      },
    );
  }

  #leave(client: ServiceClient, reason: CloseReason): void | Promise<void> {
    if (client.membership !== "joined") return undefined;
    this.#remove(client);
    return this.#turnOf("handleClose", this.#definition.handleClose, [
      client,
      reason,
      this.#state,
      this.#scope,
    ]);
  }

  #incoming(client: ServiceClient, payload: Payload): void | Promise<void> {
    if (client.membership !== "joined" || this.#definition.handleIncoming === undefined)
      return undefined;
    const schema = this.#definition.incoming;
    if (schema === undefined) {
      return this.#handleIncoming(
        client,
        payload.opcode === opcode.text ? decodeText(payload.bytes) : payload.bytes,
      );
    }
    const checked = readIncoming(schema, payload);
    if (checked instanceof Promise)
      return this.#within("the schema of `incoming`", checked).then((done) =>
        this.#checkedIncoming(client, done),
      );
    return this.#checkedIncoming(client, checked);
  }

  #checkedIncoming(client: ServiceClient, checked: Checked): void | Promise<void> {
    if (checked.ok) return this.#handleIncoming(client, checked.value);
    const reason = fitCloseReason(`message refused: ${checked.message}`);
    this.#send([{ type: "close", mid: client.id, code: closeCode.invalidPayload, reason }]);
    return this.#leave(client, { type: "closed", code: closeCode.invalidPayload, reason });
  }

  #handleIncoming(client: ServiceClient, message: unknown): void | Promise<void> {
    return this.#turnOf("handleIncoming", this.#definition.handleIncoming, [
      client,
      message,
      this.#state,
      this.#scope,
    ]);
  }

  #broadcast(message: unknown, answer: Answer<number> | undefined): void | Promise<void> {
    const committed = answer === undefined ? undefined : () => answer.resolve(this.log.seq);
    if (this.#definition.handleBroadcast !== undefined) {
      return this.#turnOf(
        "handleBroadcast",
        this.#definition.handleBroadcast,
        [message, this.#state, this.#scope],
        { committed },
      );
    }
    const turn = this.#open([], undefined);
    turn.effects.push({ type: "publish", topic: "", payload: this.encoder.encode(message) });
    return this.#finish(turn, undefined, committed);
  }

  #call(mail: Extract<Mail, { type: "call" }>): void | Promise<void> {
    if (mail.deadline <= this.#clock.now()) {
      mail.answer.reject(
        new CallTimeoutError(
          `Expected ${this.address} to answer \`${mail.name}\` in time; its mailbox was too long.`,
        ),
      );
      return undefined;
    }
    const handler = Object.hasOwn(this.#definition.handleCall, mail.name)
      ? this.#definition.handleCall[mail.name]
      : undefined;
    if (handler === undefined) {
      const known = Object.keys(this.#definition.calls).join(", ") || "none";
      mail.answer.reject(
        new CallFailedError(
          `Expected a call that ${this.address} declares (${known}), got \`${mail.name}\`.`,
        ),
      );
      return undefined;
    }
    const schema = this.#definition.calls[mail.name]?.request;
    const run = (request: unknown): void | Promise<void> => {
      let value: unknown;
      return this.#turnOf("handleCall", handler, [undefined, request, this.#state, this.#scope], {
        via: mail.via,
        deadline: mail.deadline,
        answered: (outcome) => {
          value = outcome.kind === "reply" ? detach(outcome.value, "a reply") : undefined;
        },
        committed: (outcome) => {
          if (outcome?.kind === "reply") mail.answer.resolve(value);
          else
            mail.answer.reject(
              new CallFailedError(`${this.address} stopped instead of answering \`${mail.name}\`.`),
            );
        },
      });
    };
    if (schema === undefined) return run(mail.request);
    const checked = check(schema, mail.request);
    const proceed = (done: Checked): void | Promise<void> => {
      if (done.ok) return run(done.value);
      mail.answer.reject(
        new InvalidMessageError(
          `Expected a request that fits \`calls.${mail.name}.request\` of ${this.address}: ${done.message}.`,
        ),
      );
      return undefined;
    };
    return checked instanceof Promise
      ? this.#within(`the schema of \`calls.${mail.name}\``, checked).then(proceed)
      : proceed(checked);
  }

  async #end(reason: TerminateReason): Promise<void> {
    await this.#terminate(reason, this.#state);
    this.#scope.end();
    if (reason.type === "stop" || reason.type === "normal") {
      for (const client of [...this.#members.values()]) {
        // Those who are joining stay in the mailbox and join the next incarnation.
        if (client.membership === "joined")
          this.#closeAndRemove(client, closeCode.goingAway, "the service has stopped");
      }
    }
    this.actor.stop();
  }

  async #terminate(reason: TerminateReason, state: unknown): Promise<void> {
    const terminate = this.#definition.terminate;
    if (terminate === undefined) return;
    const turn = this.#open([], undefined);
    try {
      await this.#within("terminate", turnStorage.run(turn, terminate, reason, state, this.#scope));
      await this.#commit(turn);
      turn.status = "committed";
    } catch (error) {
      turn.fail();
      this.#options.report(this.#crashReport(error, "terminate", undefined, undefined, false));
    }
  }

  // ---------- turns ----------

  #open(via: readonly string[], deadline: number | undefined): Turn {
    return new Turn(this, this.actor.generation, via, deadline);
  }

  #turnOf<Args extends readonly unknown[]>(
    name: string,
    callback: ((...args: Args) => unknown) | undefined,
    args: Args,
    how: {
      readonly before?: readonly Out[];
      readonly via?: readonly string[];
      readonly deadline?: number;
      readonly answered?: (outcome: OutcomeValue) => void;
      readonly committed?: ((outcome: OutcomeValue | undefined) => void) | undefined;
    } = {},
  ): void | Promise<void> {
    this.#callback = name;
    const turn = this.#open(how.via ?? [], how.deadline);
    if (how.before !== undefined) turn.before = how.before;
    if (callback === undefined) return this.#finish(turn, undefined, how.committed);
    const isCall = name === "handleCall";
    let returned: unknown;
    try {
      returned = turnStorage.run(
        turn,
        callback as (...args: readonly unknown[]) => unknown,
        ...args,
      );
      if (!isPromiseLike(returned)) return this.#settle(turn, name, isCall, returned, how);
    } catch (error) {
      return this.#failed(turn, error);
    }
    return this.#within(name, returned).then(
      (value) => {
        try {
          return this.#settle(turn, name, isCall, value, how);
        } catch (error) {
          return this.#failed(turn, error);
        }
      },
      (error: unknown) => this.#failed(turn, error),
    );
  }

  #settle(
    turn: Turn,
    name: string,
    isCall: boolean,
    returned: unknown,
    how: {
      readonly answered?: (outcome: OutcomeValue) => void;
      readonly committed?: ((outcome: OutcomeValue | undefined) => void) | undefined;
    },
  ): void | Promise<void> {
    if (!(returned instanceof OutcomeValue)) {
      if (isCall)
        throw badReturn(name, "`reply(value)`, `reply(value, state)` or `stop(reason)`", returned);
      if (returned !== undefined) this.#state = returned;
      return this.#finish(turn, undefined, how.committed);
    }
    if (returned.kind === "reply" && !isCall)
      throw badReturn(
        name,
        "the next state, nothing, `noreply(state)` or `stop(reason, state)`",
        returned,
      );
    if (returned.kind === "noreply" && isCall)
      throw badReturn(name, "`reply(value)`, `reply(value, state)` or `stop(reason)`", returned);
    how.answered?.(returned);
    if (returned.hasState) this.#state = returned.state;
    return this.#finish(turn, returned, how.committed);
  }

  /** The callback is over and did well: its effects leave, and what it asked for comes next. */
  #finish(
    turn: Turn,
    outcome: OutcomeValue | undefined,
    committed: ((outcome: OutcomeValue | undefined) => void) | undefined,
  ): void | Promise<void> {
    const pending = this.#commit(turn);
    turn.status = "committed";
    if (pending === undefined) return this.#committed(outcome, committed);
    return pending.then(() => this.#committed(outcome, committed));
  }

  #committed(
    outcome: OutcomeValue | undefined,
    committed: ((outcome: OutcomeValue | undefined) => void) | undefined,
  ): void | Promise<void> {
    committed?.(outcome);
    if (outcome?.kind === "stop") {
      const reason = outcome.reason ?? "normal";
      if (reason instanceof Error) throw reason;
      return this.#end({ type: "stop", reason });
    }
    if (outcome?.timeoutMs !== undefined) this.#armTimeout(outcome.timeoutMs);
    this.#watchIdle();
    return undefined;
  }

  #failed(turn: Turn, error: unknown): void {
    turn.fail();
    throw error;
  }

  /** Rejects when the callback does not settle in time. */
  #within<Value>(name: string, returned: Value | PromiseLike<Value>): Promise<Value> {
    if (!isPromiseLike<Value>(returned)) return Promise.resolve(returned);
    const ms = this.limits.callbackTimeoutMs;
    return settleWithin(
      returned,
      ms,
      this.#clock,
      () =>
        new CallbackTimeoutError(
          `Expected ${name} of ${this.address} to settle within ${ms} ms (\`limits.callbackTimeoutMs\`), got nothing.`,
        ),
    );
  }

  #armTimeout(ms: number): void {
    this.#timeoutToken += 1;
    const token = this.#timeoutToken;
    this.#timeout = this.#clock.setTimeout(
      () => this.actor.force({ type: "timeout", bytes: 0, token }),
      ms,
    );
  }

  // ---------- commit ----------

  /** Lets the effects out, in their order. The promise, if there is one, waits for room in other mailboxes. */
  #commit(turn: Turn): void | Promise<void> {
    const { before, effects } = turn.take();
    if (effects.length === 0 && before.length === 0) return undefined;
    const now = this.#clock.now();
    const out: Out[] = [...before];
    let posts: Post[] | undefined;
    let lastSend: { type: "send"; mids: string[]; payload: Payload } | undefined;
    for (const effect of effects) {
      if (effect.type !== "send") lastSend = undefined;
      switch (effect.type) {
        case "publish":
          out.push({
            type: "publish",
            seq: this.log.append(effect.topic, effect.payload, now),
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
        case "subscribe": {
          const { topic, from } = effect;
          const mid = effect.client.id;
          if (this.#sources.has(topic))
            out.push({ type: "follow", mid, topic, ...(from === undefined ? {} : { from }) });
          else
            out.push({
              type: "subscribe",
              mid,
              topic,
              seq: this.log.seq,
              ...(from === undefined ? {} : { from }),
            });
          break;
        }
        case "unsubscribe":
          out.push({ type: "unsubscribe", mid: effect.client.id, topic: effect.topic });
          break;
        case "advance":
          out.push({ type: "advance", topic: effect.topic });
          break;
        case "close":
          out.push({
            type: "close",
            mid: effect.client.id,
            code: effect.code,
            reason: effect.reason,
          });
          break;
        case "timer":
          effect.timer.start(this.#clock, (info) =>
            this.actor.force({ type: "info", bytes: 0, info }),
          );
          break;
        case "post":
          posts ??= [];
          posts.push(effect.post);
          break;
      }
    }
    this.#send(out);
    return posts === undefined ? undefined : this.#postEach(posts);
  }

  /** Posts in order. A full mailbox is waited for, within the time of a callback: then the post is reported as undelivered. */
  #postEach(posts: readonly Post[]): void | Promise<void> {
    for (let index = 0; index < posts.length; index++) {
      const post = posts[index];
      if (post === undefined || this.#tryPost(post)) continue;
      return this.#postLater(posts.slice(index));
    }
    return undefined;
  }

  async #postLater(posts: readonly Post[]): Promise<void> {
    const deadline = this.#clock.now() + this.limits.callbackTimeoutMs;
    for (const post of posts) {
      while (!this.#tryPost(post)) {
        const left = deadline - this.#clock.now();
        // One's own mailbox cannot empty while one waits for it.
        if (
          post.address === this.address ||
          left <= 0 ||
          !(await roomWithin(post, left, this.#clock))
        ) {
          this.#options.report({
            type: "undelivered",
            address: post.address,
            what: post.what,
            reason: "its mailbox is full",
          });
          break;
        }
      }
    }
  }

  #tryPost(post: Post): boolean {
    try {
      return post.offer();
    } catch (error) {
      this.#options.report({
        type: "undelivered",
        address: post.address,
        what: post.what,
        reason: error instanceof Error ? error.message : String(error),
      });
      return true;
    }
  }

  /** Posts a commit to every edge that has members here. */
  #send(out: readonly Out[]): void {
    if (out.length === 0) return;
    const head = {
      type: "commit",
      address: this.address,
      epoch: this.log.epoch,
      generation: this.actor.generation,
    } as const;
    if (this.#edges.size === 1) {
      for (const id of this.#edges.keys()) this.#options.edge(id)?.post({ ...head, out });
      return;
    }
    for (const id of this.#edges.keys()) {
      const own = out.flatMap((one) => this.#forEdge(one, id));
      if (own.length > 0) this.#options.edge(id)?.post({ ...head, out: own });
    }
  }

  #forEdge(out: Out, edge: string): Out[] {
    if (out.type === "send") {
      const mids = out.mids.filter((mid) => this.#members.get(mid)?.edge === edge);
      return mids.length === 0 ? [] : [{ ...out, mids }];
    }
    if ("mid" in out) return this.#members.get(out.mid)?.edge === edge ? [out] : [];
    return [out];
  }

  #postAll(message: ActorToEdge): void {
    for (const id of this.#edges.keys()) this.#options.edge(id)?.post(message);
  }

  // ---------- members ----------

  #closeAndRemove(client: ServiceClient, code: number, reason: string): void {
    if (client.membership === "gone") return;
    this.#send([{ type: "close", mid: client.id, code, reason }]);
    this.#remove(client);
  }

  #remove(client: ServiceClient): void {
    client.membership = "gone";
    this.#members.delete(client.id);
    const left = (this.#edges.get(client.edge) ?? 1) - 1;
    if (left > 0) this.#edges.set(client.edge, left);
    else this.#edges.delete(client.edge);
  }

  /** A keyed actor with nobody and nothing to do stops after a while. */
  #watchIdle(): void {
    if (!this.isKeyed || this.#members.size > 0) return;
    this.#idle?.cancel();
    this.#idle = this.#clock.setTimeout(() => {
      const isIdle =
        this.#members.size === 0 &&
        this.actor.isIdle &&
        this.#scope.timers.size === 0 &&
        this.#timeout === undefined;
      if (isIdle) this.end({ type: "normal" });
      else this.#watchIdle();
    }, this.limits.idleTimeoutMs);
  }

  // ---------- crashes ----------

  #crashReport(
    error: unknown,
    callback: string,
    client: ServiceClient | undefined,
    message: string | undefined,
    restarts: boolean,
  ): Report {
    return {
      type: "crash",
      service: this.name,
      address: this.address,
      callback,
      client: client?.id,
      message,
      error,
      restarts,
    };
  }

  #reportCrash(
    error: unknown,
    mail: Mail | undefined,
    restarts: boolean,
  ): ServiceClient | undefined {
    const client = mail !== undefined && "client" in mail ? mail.client : undefined;
    this.#options.report(
      this.#crashReport(
        error,
        this.#callback,
        client,
        mail === undefined ? undefined : viewOfMail(mail),
        restarts,
      ),
    );
    return client;
  }

  #afterCrash(client: ServiceClient | undefined, mail: Mail | undefined): void {
    if (mail === undefined) return;
    refuse(mail, new CallFailedError(`${this.address} crashed while it handled this.`));
    if (client === undefined) return;
    if (mail.type === "join")
      this.#closeAndRemove(client, closeCode.internalError, "joining failed");
    else if (mail.type === "incoming" && client.crashed(this.#clock.now())) {
      this.#closeAndRemove(
        client,
        closeCode.policyViolation,
        "its messages crashed the service three times in a minute",
      );
    }
  }
}

async function roomWithin(post: Post, ms: number, clock: Clock): Promise<boolean> {
  try {
    await settleWithin(post.room(), ms, clock, () => new OverloadedError("no room", 0));
    return true;
  } catch {
    return false;
  }
}

/** Posts from outside any turn: there is nobody who could wait, so a full mailbox is an error. */
export function deliver(post: Post): void {
  if (!post.offer()) {
    throw new OverloadedError(
      `Expected room in the mailbox of ${post.address} for ${post.what}, got a full one. Try again later, or raise \`limits.maxMailboxMessages\`.`,
      1000,
    );
  }
}

function refuse(mail: Mail, error: WindsockError): void {
  if (mail.type === "call" || mail.type === "broadcast") mail.answer?.reject(error);
}

function readIncoming(
  schema: NonNullable<ErasedDefinition["incoming"]>,
  payload: Payload,
): Checked | Promise<Checked> {
  if (payload.opcode === opcode.binary) return check(schema, payload.bytes);
  const text = decodeText(payload.bytes);
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch (error) {
    // Text that is no JSON is itself the value: that is how a plain client sends to `z.string()`.
    const asText = check(schema, text);
    const why = `it is not JSON (${error instanceof Error ? error.message : String(error)})`;
    return either(asText, () => ({ ok: false, message: why }));
  }
  return either(check(schema, value), (failure) => either(check(schema, text), () => failure));
}

function either(
  checked: Checked | Promise<Checked>,
  otherwise: (failure: Checked) => Checked | Promise<Checked>,
): Checked | Promise<Checked> {
  if (checked instanceof Promise) return checked.then((done) => (done.ok ? done : otherwise(done)));
  return checked.ok ? checked : otherwise(checked);
}

function badReturn(callback: string, allowed: string, returned: unknown): BadReturnError {
  const got = returned instanceof OutcomeValue ? `\`${returned.kind}(...)\`` : describe(returned);
  return new BadReturnError(`Expected ${callback} to return ${allowed}, got ${got}.`);
}

function viewOfMail(mail: Mail): string | undefined {
  switch (mail.type) {
    case "incoming":
      return viewOf(
        mail.payload.opcode === opcode.text ? decodeText(mail.payload.bytes) : mail.payload.bytes,
      );
    case "broadcast":
      return viewOf(mail.message);
    case "info":
      return viewOf(mail.info);
    case "call":
      return `${mail.name}(${viewOf(mail.request)})`;
    case "leave":
      return viewOf(mail.reason);
    case "join":
    case "effects":
    case "timeout":
    case "end":
      return undefined;
  }
}

function bytesOf(effect: Effect): number {
  return effect.type === "publish" || effect.type === "send" ? effect.payload.bytes.length : 0;
}

function isPromiseLike<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}
