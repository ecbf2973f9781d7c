import { Actor, type Behaviour } from "../actor/actor.ts";
import type { Clock } from "../actor/clock.ts";
import { CallFailedError, OptionError, ServiceDownError, WindsockError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { ServiceLimits } from "../protocol/limits.ts";
import type {
  ActorToEdge,
  CloseReason,
  EdgeToActor,
  Outlet,
  ResumeData,
} from "../protocol/port.ts";
import { Callbacks } from "./callbacks.ts";
import { Channels } from "./channels.ts";
import { Committer } from "./commit.ts";
import { latestKeyOf, type ErasedDefinition } from "./define-service.ts";
import { Encoder } from "./encode.ts";
import { IdleWatch } from "./idle-watch.ts";
import { LogSources } from "./log-sources.ts";
import { refuse, type Mail } from "./mail.ts";
import { Members } from "./members.ts";
import { NoreplyTimeout } from "./noreply-timeout.ts";
import type { OutcomeValue } from "./outcome.ts";
import { Poster, type Post } from "./post.ts";
import { Presence } from "./presence.ts";
import type { Recorder, RestoredMember } from "./recorder.ts";
import type { Report } from "./report.ts";
import { Reporter } from "./reporter.ts";
import { ServiceClient, type Line } from "./service-client.ts";
import { ServiceScope } from "./service-scope.ts";
import { StateCodec } from "./state-codec.ts";
import { TurnRunner } from "./turn-runner.ts";
import { turnStorage } from "./turn.ts";
import type { TerminateReason } from "./types.ts";

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
  /** Of a durable service. */
  readonly recorder?: Recorder;
  /** What was stored of it. */
  readonly restored?: RestoredActor;
  /** Called once, with what the mailbox still held. `wasIdle`: it ended because nobody needed it. */
  readonly stopped: (items: readonly Mail[], wasIdle: boolean) => void;
}

/** What a start finds of an actor. */
export interface RestoredActor {
  readonly members: readonly RestoredMember[];
}

/** A replay that keeps losing clients is given up after so many passes; that counts as one crash. */
const maxReplayPasses = 3;

/** The actor of one service or key: what enters its mailbox, and how it begins, crashes and ends. */
export class ServiceActor implements Behaviour<Mail> {
  readonly name: string;
  readonly address: string;
  readonly params: Readonly<Record<string, string>>;
  readonly limits: ServiceLimits;
  readonly log: Log;
  readonly encoder: Encoder = new Encoder();
  readonly members: Members;
  readonly sources: LogSources;
  readonly channels: Channels;
  readonly presence: Presence | undefined;
  readonly actor: Actor<Mail>;
  readonly #definition: ErasedDefinition;
  readonly #options: ServiceActorOptions;
  readonly #clock: Clock;
  readonly #reporter: Reporter;
  readonly #committer: Committer;
  readonly #turns: TurnRunner;
  readonly #callbacks: Callbacks;
  readonly #timeout: NoreplyTimeout;
  readonly #states: StateCodec;
  readonly #idleWatch: IdleWatch;
  #scope: ServiceScope;
  /** `init` has given this incarnation its state, and `terminate` has not run. */
  #hasBegun = false;
  #wasIdle = false;
  /** The error of a `stop(error)`: no crash of the turn that returned it. */
  #stopError: Error | undefined;

  constructor(options: ServiceActorOptions) {
    const { address, clock, definition, log, report } = options;
    this.name = options.name;
    this.address = address;
    this.params = options.params;
    this.limits = definition.limits;
    this.log = log;
    this.#definition = definition;
    this.#options = options;
    this.#clock = clock;
    this.#scope = new ServiceScope(this);
    this.actor = new Actor<Mail>(this, { ...this.limits, clock });
    const { recorder } = options;
    this.members = new Members(options.edge, (client) => {
      recorder?.left(client);
      this.presence?.left(client);
    });
    this.presence =
      definition.presence === undefined
        ? undefined
        : new Presence({
            definition: definition.presence,
            address,
            clock,
            members: this.members,
            seq: () => log.seq,
            send: (out) => this.#committer.send(out),
            report,
          });
    this.#states = new StateCodec((id) => this.members.get(id) ?? this.#goneClient(id));
    const timeoutMs = this.limits.callbackTimeoutMs;
    this.sources = new LogSources({ address, timeoutMs, clock, report });
    this.#reporter = new Reporter(options.name, address, report);
    this.#committer = new Committer({
      clock,
      log,
      members: this.members,
      sources: this.sources,
      recorder,
      presence: this.presence,
      poster: new Poster({ address, timeoutMs, clock, report }),
      message: (out) => ({
        type: "commit",
        address,
        epoch: log.epoch,
        generation: this.actor.generation,
        out,
      }),
      hasRoom: () => this.actor.mailbox.hasRoom,
      closedAway: (client, code, reason) =>
        void this.actor.force({
          type: "leave",
          bytes: 0,
          client,
          reason: { type: "closed", code, reason },
        }),
      due: (timer) => void this.actor.force({ type: "timer", bytes: 0, timer }),
    });
    this.#timeout = new NoreplyTimeout(
      clock,
      (token) => void this.actor.force({ type: "timeout", bytes: 0, token }),
    );
    this.channels = new Channels({
      address,
      limits: this.limits,
      clock,
      log,
      members: this.members,
      sources: this.sources,
      committer: this.#committer,
      recorder,
      presence: this.presence,
      hasSnapshot: definition.snapshot !== undefined,
      force: (mail) => void this.actor.force(mail),
    });
    this.#idleWatch = new IdleWatch({
      clock,
      idleTimeoutMs: this.limits.idleTimeoutMs,
      isIdle: () =>
        this.members.size === 0 &&
        this.actor.isIdle &&
        this.#scope.timers.size === 0 &&
        !this.#timeout.isSet,
      end: () => this.end({ type: "normal" }),
    });
    this.#turns = new TurnRunner({
      actor: this,
      clock,
      commit: (turn) => {
        this.encoder.forget();
        if (this.#hasBegun) this.#saveState();
        return this.#committer.commit(turn);
      },
      committed: (outcome) => this.#committed(outcome),
    });
    this.#callbacks = new Callbacks({
      actor: this,
      definition,
      turns: this.#turns,
      committer: this.#committer,
      channels: this.channels,
      recorder,
      clock,
    });
    if (options.restored !== undefined) this.#restore(options.restored);
  }

  /** Members that were stored: their sockets died with the process, so their grace begins. */
  #restore({ members }: RestoredActor): void {
    for (const member of members) {
      const client = new ServiceClient(this, member.data, member.delivery);
      client.line = undefined;
      client.membership = "joined";
      client.user = member.user;
      client.subscriptions.restore(member.topics, member.leavesOwnLog);
      this.members.add(client);
      this.presence?.joined(client);
      if (member.delivery !== undefined) this.channels.giveGrace(client);
      else this.actor.mailbox.force({ type: "leave", bytes: 0, client, reason: { type: "lost" } });
    }
  }

  /** A client that a saved state knows and that is gone. */
  #goneClient(mid: string): ServiceClient {
    const request = { url: "http://localhost/", rawHeaders: [], remoteAddress: "" };
    const data = {
      mid,
      edge: "",
      sessionId: "",
      protocol: "",
      request,
      user: undefined,
      params: this.params,
    };
    const client = new ServiceClient(this, data);
    client.membership = "gone";
    return client;
  }

  #saveState(): void {
    const { recorder } = this.#options;
    const { durable, save } = this.#definition.state;
    if (recorder === undefined || !durable) return;
    const { state } = this.#turns;
    recorder.stateIs(this.#states.save(save === undefined ? state : save(state), this.address));
  }

  /** The state as of the last commit, if that was saved. */
  #loadState(): boolean {
    const bytes = this.#options.recorder?.lastState;
    if (bytes === undefined || !this.#definition.state.durable) return false;
    const { load } = this.#definition.state;
    const saved = this.#states.load(bytes);
    this.#turns.state = load === undefined ? saved : load(saved);
    return true;
  }

  /** What was committed last could not be stored: this actor is given up. Gives the lines that its clients are on. */
  abandon(): Line[] {
    const lines = this.members.all().flatMap(({ line }) => line ?? []);
    this.channels.clear();
    this.actor.stop();
    return lines;
  }

  /** What the callbacks of the present incarnation get as `service`. */
  get scope(): ServiceScope {
    return this.#scope;
  }

  /** The addresses of the actors whose answers the running turn awaits. */
  waitsFor(): readonly string[] {
    return this.#turns.turn?.awaited ?? [];
  }

  /** Which earlier entry this message replaces, if the service says that. */
  latestKey(message: unknown): string | undefined {
    return latestKeyOf(this.#definition, message);
  }

  get isKeyed(): boolean {
    return this.#definition.params.length > 0;
  }

  // ---------- from the host ----------

  /** A membership begins to wait for its `handleJoin`. False: the mailbox is full. */
  join(client: ServiceClient): boolean {
    if (!this.actor.offer({ type: "join", bytes: 0, client })) return false;
    this.#enrol(client);
    return true;
  }

  /** As `join`, for one that was admitted already. */
  rejoin(client: ServiceClient): void {
    if (this.actor.force({ type: "join", bytes: 0, client })) this.#enrol(client);
  }

  /** As from another incarnation's mailbox: it was taken already, so it enters. */
  takeOver(mail: Mail): void {
    this.actor.force(mail);
  }

  #enrol(client: ServiceClient): void {
    this.#idleWatch.cancel();
    this.members.add(client);
    if (this.actor.wasFull) this.members.hold(this.address);
  }

  /** A `v1` client that was here before. False: it must join anew. */
  resume(line: Line, data: ResumeData, user: unknown): boolean {
    if (!this.channels.resume(line, data, user)) return false;
    this.#idleWatch.cancel();
    if (this.actor.wasFull) this.members.hold(this.address);
    return true;
  }

  /** The socket of a `v1` client broke. */
  disconnected(mid: string): void {
    const client = this.members.at(mid);
    if (client !== undefined && !this.channels.dropped(client)) this.leave(mid, { type: "lost" });
  }

  leave(mid: string, reason: CloseReason): void {
    const client = this.members.at(mid);
    if (client === undefined) return;
    if (client.membership === "joining") {
      // Its join is still in the mailbox and will be skipped: no callback hears of this client.
      this.members.remove(client);
      return;
    }
    client.isEnding = true;
    this.actor.force({ type: "leave", bytes: 0, client, reason });
  }

  incoming({ mid, n, wireBytes, payload, fault }: Extract<EdgeToActor, { type: "in" }>): void {
    const client = this.members.at(mid);
    if (client === undefined || !this.channels.take(client, n, wireBytes)) return;
    if (fault !== undefined) {
      this.actor.force({ type: "fault", bytes: 0, client, n, fault });
      return;
    }
    // Forced: it was on its way before the edge could hear that the mailbox is full.
    this.actor.force({ type: "incoming", bytes: payload.bytes.length, client, n, payload });
  }

  /** A call of a `v1` client. */
  callFrom({
    mid,
    n,
    name,
    timeoutMs,
    wireBytes,
    payload,
  }: Extract<EdgeToActor, { type: "call" }>): void {
    const client = this.members.at(mid);
    if (client === undefined || !this.channels.take(client, n, wireBytes)) return;
    const deadline = this.#clock.now() + timeoutMs;
    const bytes = payload.bytes.length;
    this.actor.force({ type: "clientCall", bytes, client, n, name, payload, deadline });
  }

  /** Another user for this session: the same one with a new token, or it joins anew. */
  reauthorized(mid: string, user: unknown): void {
    const client = this.members.at(mid);
    if (client === undefined) return;
    client.user = user;
    this.#options.recorder?.changed(client);
    this.#committer.send([{ type: "reauthed", mid }]);
  }

  end(reason: TerminateReason): void {
    if (this.actor.state === "down" || this.actor.state === "new") this.actor.stop();
    else this.actor.force({ type: "end", bytes: 0, reason });
  }

  // ---------- what code does ----------

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
    if (state.length > 0) this.#turns.state = state[0];
    await this.#committer.commit(turn);
  }

  // ---------- the behaviour ----------

  async start(generation: number): Promise<void> {
    this.#scope = new ServiceScope(this);
    const isNew = generation === 1 && this.#options.restored === undefined;
    if (this.#options.recorder?.lastState !== undefined && this.#definition.state.durable) {
      // `init` sets up what is no state: logs, timers. Its state gives way to the saved one.
      await this.#callbacks.init();
      this.#loadState();
      this.#hasBegun = true;
      return;
    }
    if (!isNew)
      this.#committer.send([
        { type: "restarted", seq: this.log.appendRestarted(this.#clock.now()) },
      ]);
    for (let pass = 1; ; pass++) {
      this.#turns.state = undefined;
      await this.#callbacks.init();
      this.#hasBegun = true;
      this.#saveState();
      const lost = await this.#replay();
      if (lost === undefined) {
        // Who applies changes would take the new state's for the old one's.
        const reached = [...this.members.joined()].filter(({ delivery }) => delivery !== undefined);
        if (!isNew && reached.length > 0) await this.#callbacks.snapshot(reached);
        return;
      }
      if (pass === maxReplayPasses)
        throw new WindsockError(
          `Expected \`handleJoin\` to take the members of ${this.address} back, got ${pass} replays that lost some.`,
          { cause: lost.error },
        );
      // The state may have seen half of a join: it is given up, as after a crash.
      await this.#terminate({ type: "error", error: lost.error });
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

  async crashed(error: unknown, mail: Mail | undefined): Promise<void> {
    this.#reporter.crash(error, this.#turns.callback, mail, true);
    // First: to `terminate`, a client whose join failed is none.
    if (error !== this.#stopError && mail !== undefined) this.#afterCrash(mail);
    this.#stopError = undefined;
    await this.#terminate({ type: "error", error });
    this.#scope.end();
    this.#timeout.set(undefined);
  }

  /** `onCrash: "keep"`: the turn is dropped, the state before it stays. */
  #kept(error: unknown, mail: Mail): void | Promise<void> {
    if (error === this.#stopError) throw error;
    this.#reporter.crash(error, this.#turns.callback, mail, false);
    const end = this.#afterCrash(mail);
    // The state that stays knows the client: it has to hear of its end.
    return end === undefined ? undefined : this.handle(end);
  }

  down(retryAfterMs: number, items: readonly Mail[]): void {
    this.#reporter.down(retryAfterMs);
    const members = this.members.all();
    this.#committer.send(
      members.flatMap(({ line }) =>
        line === undefined
          ? []
          : [
              {
                type: "close",
                mid: line.mid,
                code: closeCode.internalError,
                reason: "the service is down",
                comeBack: "retry",
              },
            ],
      ),
    );
    for (const client of members) this.#remove(client);
    const error = new ServiceDownError(
      `${this.address} is down: it restarted too often.`,
      retryAfterMs,
    );
    for (const item of items) refuse(item, error);
    this.#reporter.lost(items, "the service is down");
    // A key that cannot start is not tried for ever when nobody comes any more.
    if (this.isKeyed) this.#idleWatch.watch();
  }

  stopped(items: readonly Mail[]): void {
    this.channels.clear();
    this.presence?.clear();
    this.#idleWatch.cancel();
    this.#timeout.set(undefined);
    this.#scope.end();
    this.#options.stopped(items, this.#wasIdle);
  }

  idle(): void {
    if (this.isKeyed && this.members.size === 0) this.#idleWatch.touch();
  }

  full(): void {
    this.members.hold(this.address);
  }

  ready(): void {
    this.members.release(this.address);
    this.channels.grantAll();
  }

  // ---------- from the mailbox to the callbacks ----------

  #dispatch(mail: Mail): void | Promise<void> {
    const callbacks = this.#callbacks;
    switch (mail.type) {
      case "join":
        return callbacks.join(mail.client);
      case "leave":
        this.channels.forget(mail.client);
        return callbacks.leave(mail.client, mail.reason);
      case "incoming":
        return callbacks.incoming(mail.client, mail.n, mail.payload);
      case "clientCall":
        return callbacks.clientCall(mail);
      case "fault":
        this.#committer.dispose(mail.client, mail.n, mail.fault);
        return undefined;
      case "drop":
        return callbacks.drop(mail.client);
      case "resume":
        return callbacks.resume(mail.client);
      case "snapshot":
        return callbacks.snapshot(mail.clients);
      case "broadcast":
        return callbacks.broadcast(mail);
      case "publish":
        return callbacks.publish(mail);
      case "info":
        return callbacks.info(mail.info);
      case "call":
        return callbacks.call(mail);
      case "timeout":
        return this.#timeout.take(mail.token) ? callbacks.info({ type: "timeout" }) : undefined;
      case "timer":
        return mail.timer.take() ? callbacks.info(mail.timer.info) : undefined;
      case "effects":
        return callbacks.effects(mail.effects);
      case "end":
        return this.#end(mail.reason);
    }
  }

  /** Joins the members again. What it gives: one threw, is gone, and may have left half of its join in the state. */
  async #replay(): Promise<{ readonly error: unknown } | undefined> {
    let lost: { readonly error: unknown } | undefined;
    for (const client of this.members.all()) {
      if (client.membership !== "joined") continue;
      try {
        this.#committer.beginReplay(client);
        await this.#callbacks.joinAgain(client);
        this.#committer.endReplay(client);
      } catch (error) {
        if (this.#definition.onCrash !== "keep") lost = { error };
        this.#reporter.failure(error, "handleJoin", client);
        this.#closeAndRemove(client, closeCode.internalError, "joining again failed");
      }
    }
    return lost;
  }

  // ---------- after a turn ----------

  #committed(outcome: OutcomeValue | undefined): void | Promise<void> {
    if (outcome?.kind === "stop") {
      const reason = outcome.reason ?? "normal";
      if (reason instanceof Error) {
        this.#stopError = reason;
        throw reason;
      }
      return this.#end({ type: "stop", reason });
    }
    this.#timeout.set(outcome?.timeoutMs);
    return undefined;
  }

  // ---------- ends ----------

  async #end(reason: TerminateReason): Promise<void> {
    await this.#terminate(reason);
    this.#scope.end();
    if (reason.type === "stop" || reason.type === "normal") {
      // Those who are joining stay in the mailbox and join the next incarnation.
      for (const client of this.members.all())
        if (client.membership === "joined")
          this.#closeAndRemove(client, closeCode.goingAway, "the service has stopped");
    }
    this.#wasIdle = reason.type === "normal";
    this.actor.stop();
  }

  async #terminate(reason: TerminateReason): Promise<void> {
    if (!this.#hasBegun) return;
    this.#hasBegun = false;
    try {
      await this.#callbacks.terminate(reason);
    } catch (error) {
      this.#reporter.failure(error, "terminate");
    }
  }

  /** What a crash means for whoever sent the item. Gives the end of a client that has caused too many. */
  #afterCrash(mail: Mail): Extract<Mail, { type: "leave" }> | undefined {
    refuse(mail, new CallFailedError(`${this.address} crashed while it handled this.`));
    if (mail.type === "join")
      this.#closeAndRemove(mail.client, closeCode.internalError, "joining failed");
    if (mail.type !== "incoming" && mail.type !== "clientCall") return undefined;
    const { client, n } = mail;
    const message = `${this.address} crashed while it handled this.`;
    this.#committer.dispose(client, n, { code: "crashed", message });
    if (!client.crashed(this.#clock.now())) return undefined;
    const code = closeCode.policyViolation;
    const reason = "its messages crashed the service three times in a minute";
    if (this.#definition.onCrash !== "keep") this.#closeAndRemove(client, code, reason);
    else if (client.line !== undefined)
      this.#committer.send([
        { type: "close", mid: client.line.mid, code, reason, comeBack: "end" },
      ]);
    return { type: "leave", bytes: 0, client, reason: { type: "closed", code, reason } };
  }

  #closeAndRemove(client: ServiceClient, code: number, reason: string): void {
    if (client.membership === "gone") return;
    if (client.line !== undefined)
      this.#committer.send([
        {
          type: "close",
          mid: client.line.mid,
          code,
          reason,
          comeBack: code === closeCode.policyViolation ? "end" : "retry",
        },
      ]);
    this.#remove(client);
  }

  #remove(client: ServiceClient): void {
    this.channels.forget(client);
    this.members.remove(client);
  }
}
