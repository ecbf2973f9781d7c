import { Actor, type Behaviour } from "../actor/actor.ts";
import type { Clock } from "../actor/clock.ts";
import { OptionError, ServiceDownError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { ServiceLimits } from "../protocol/limits.ts";
import type { ActorToEdge, Out, Outlet } from "../protocol/port.ts";
import { Callbacks } from "./callbacks.ts";
import { Channels } from "./channels.ts";
import { Closings } from "./closings.ts";
import { Committer } from "./commit.ts";
import { CrashAftermath } from "./crash-aftermath.ts";
import { latestKeyOf, type ErasedDefinition } from "./define-service.ts";
import { Encoder } from "./encode.ts";
import { IdleWatch } from "./idle-watch.ts";
import { Incarnation } from "./incarnation.ts";
import { Intake } from "./intake.ts";
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
import { restoreMembers, SavedState } from "./saved-state.ts";
import type { Line } from "./service-client.ts";
import type { ServiceScope } from "./service-scope.ts";
import { TurnRunner } from "./turn-runner.ts";
import { turnStorage, type Turn } from "./turn.ts";
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
  readonly intake: Intake;
  readonly #definition: ErasedDefinition;
  readonly #options: ServiceActorOptions;
  readonly #reporter: Reporter;
  readonly #committer: Committer;
  readonly #closings: Closings;
  readonly #aftermath: CrashAftermath;
  readonly #turns: TurnRunner;
  readonly #callbacks: Callbacks;
  readonly #timeout: NoreplyTimeout;
  /** Of a durable state. */
  readonly #saved: SavedState | undefined;
  readonly #incarnation: Incarnation;
  readonly #idleWatch: IdleWatch;
  #wasIdle = false;
  /** The error of a `stop(error)`: no crash of the turn that returned it. */
  #stopError: Error | undefined;

  constructor(options: ServiceActorOptions) {
    const { address, clock, definition, log, recorder, report, restored } = options;
    const { limits, onCrash, presence, snapshot, state } = definition;
    const timeoutMs = limits.callbackTimeoutMs;
    const keepsState = onCrash === "keep";
    const force = (mail: Mail): void => void this.actor.force(mail);
    this.name = options.name;
    this.address = address;
    this.params = options.params;
    this.limits = limits;
    this.log = log;
    this.#definition = definition;
    this.#options = options;
    this.actor = new Actor<Mail>(this, { ...limits, clock });

    // What there is of it: members, logs, a state that was saved.
    const members = new Members(options.edge, (client) => {
      recorder?.left(client);
      this.presence?.left(client);
    });
    this.members = members;
    const send = (out: readonly Out[]): void => this.#committer.send(out);
    this.presence =
      presence &&
      new Presence({
        definition: presence,
        address,
        clock,
        members,
        seq: () => log.seq,
        send,
        report,
      });
    const sources = new LogSources({ address, timeoutMs, clock, report });
    this.sources = sources;
    if (recorder !== undefined && state.durable)
      this.#saved = new SavedState({ actor: this, state, recorder });

    // What leaves.
    const reporter = new Reporter(options.name, address, report);
    this.#reporter = reporter;
    const committer = new Committer({
      clock,
      log,
      members,
      sources,
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
        force({ type: "leave", bytes: 0, client, reason: { type: "closed", code, reason } }),
      due: (timer) => force({ type: "timer", bytes: 0, timer }),
    });
    this.#committer = committer;
    const channels = new Channels({
      limits,
      clock,
      log,
      members,
      sources,
      committer,
      recorder,
      presence: this.presence,
      hasSnapshot: snapshot !== undefined,
      force,
    });
    this.channels = channels;
    const closings = new Closings({ members, channels, committer });
    this.#closings = closings;
    this.#aftermath = new CrashAftermath({
      address,
      clock,
      committer,
      channels,
      closings,
      keepsState,
      loadsState: this.#saved !== undefined,
    });

    // What runs.
    const turns = new TurnRunner({
      actor: this,
      clock,
      commit: (turn) => {
        this.encoder.forget();
        return this.#commit(turn);
      },
      committed: (outcome) => this.#committed(outcome),
    });
    this.#turns = turns;
    const callbacks = new Callbacks({
      actor: this,
      definition,
      turns,
      committer,
      channels,
      recorder,
      clock,
    });
    this.#callbacks = callbacks;
    this.#incarnation = new Incarnation({
      actor: this,
      clock,
      turns,
      callbacks,
      committer,
      closings,
      reporter,
      saved: this.#saved,
      keepsState,
    });

    // What enters.
    this.#timeout = new NoreplyTimeout(clock, (token) =>
      force({ type: "timeout", bytes: 0, token }),
    );
    const idleWatch = new IdleWatch({
      clock,
      idleTimeoutMs: limits.idleTimeoutMs,
      isIdle: () =>
        members.size === 0 &&
        this.actor.isIdle &&
        this.scope.timers.size === 0 &&
        !this.#timeout.isSet,
      end: () => this.end({ type: "normal" }),
    });
    this.#idleWatch = idleWatch;
    this.intake = new Intake({ actor: this, clock, committer, idleWatch, recorder });
    if (restored !== undefined) restoreMembers(this, restored.members);
  }

  /**
   * What was committed last could not be stored: this actor is given up, with its members.
   * Gives the lines that they are on. Those who are joining go on to the next incarnation.
   */
  abandon(): Line[] {
    const joined = [...this.members.joined()];
    const lines = joined.flatMap(({ line }) => line ?? []);
    // Its turn may still run, and nobody resumes into that.
    for (const client of joined) this.members.remove(client);
    this.channels.clear();
    this.actor.stop();
    return lines;
  }

  /** What the callbacks of the present incarnation get as `service`. */
  get scope(): ServiceScope {
    return this.#incarnation.scope;
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

  /** As from another incarnation's mailbox: it was taken already, so it enters. */
  takeOver(mail: Mail): void {
    this.actor.force(mail);
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
    await this.#commit(turn);
  }

  // ---------- the behaviour ----------

  start(generation: number): Promise<void> {
    return this.#incarnation.begin(generation === 1 && this.#options.restored === undefined);
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
    if (error !== this.#stopError && mail !== undefined) this.#aftermath.follow(mail);
    this.#stopError = undefined;
    await this.#incarnation.end({ type: "error", error });
    this.#timeout.set(undefined);
  }

  /** `onCrash: "keep"`: the turn is dropped, the state before it stays. */
  #kept(error: unknown, mail: Mail): void | Promise<void> {
    if (error === this.#stopError) throw error;
    this.#reporter.crash(error, this.#turns.callback, mail, false);
    const end = this.#aftermath.follow(mail);
    // The state that stays knows the client: it has to hear of its end.
    return end === undefined ? undefined : this.handle(end);
  }

  down(retryAfterMs: number, items: readonly Mail[]): void {
    this.#reporter.down(retryAfterMs);
    this.#closings.close(this.members.all(), closeCode.internalError, "the service is down");
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
    this.scope.end();
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

  // ---------- the end of a turn ----------

  #commit(turn: Turn): void | Promise<void> {
    if (this.#saved !== undefined && this.#incarnation.hasBegun)
      this.#saved.save(this.#turns.state);
    return this.#committer.commit(turn);
  }

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
    await this.#incarnation.end(reason);
    if (reason.type === "stop" || reason.type === "normal") {
      // Those who are joining stay in the mailbox and join the next incarnation.
      const joined = [...this.members.joined()];
      this.#closings.close(joined, closeCode.goingAway, "the service has stopped");
    }
    this.#wasIdle = reason.type === "normal";
    this.actor.stop();
  }
}
