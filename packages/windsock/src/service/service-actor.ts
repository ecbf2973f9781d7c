import { Actor, type Behaviour } from "../actor/actor.ts";
import type { Clock } from "../actor/clock.ts";
import { OptionError, ServiceDownError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { ServiceLimits } from "../protocol/limits.ts";
import type { ActorToEdge, Outlet } from "../protocol/port.ts";
import { ActorParts } from "./actor-parts.ts";
import type { Channels } from "./channels.ts";
import { latestKeyOf, type ErasedDefinition } from "./definition.ts";
import { Door } from "./door.ts";
import type { DroppedClients } from "./dropped-clients.ts";
import { Encoder } from "./encode.ts";
import type { Intake } from "./intake.ts";
import type { LogSources } from "./log-sources.ts";
import { refuse, type Mail } from "./mail.ts";
import type { Members } from "./members.ts";
import type { OutcomeValue } from "./outcome.ts";
import type { Post } from "./post.ts";
import type { Presence } from "./presence.ts";
import type { Recorder, RestoredMember } from "./recorder.ts";
import type { Report } from "./report.ts";
import { restoreMembers } from "./saved-state.ts";
import type { Line } from "./service-client.ts";
import type { ServiceScope } from "./service-scope.ts";
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
  readonly dropped: DroppedClients;
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

/** Told to who comes while the door is closed. */
export const joinsFail = "joining failed too often";

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
  readonly door: Door;
  readonly #definition: ErasedDefinition;
  readonly #options: ServiceActorOptions;
  readonly #parts: ActorParts;
  #wasIdle = false;
  /** The error of a `stop(error)`: no crash of the turn that returned it. */
  #stopError: Error | undefined;

  constructor(options: ServiceActorOptions) {
    const { clock, definition, restored } = options;
    this.name = options.name;
    this.address = options.address;
    this.params = options.params;
    this.limits = definition.limits;
    this.log = options.log;
    this.#definition = definition;
    this.#options = options;
    this.actor = new Actor<Mail>(this, this.limits, clock);
    this.door = new Door(this.limits, clock);

    const parts = new ActorParts(this, options);
    this.#parts = parts;
    this.members = parts.members;
    this.sources = parts.sources;
    this.presence = parts.presence;
    this.channels = parts.channels;
    this.intake = parts.intake;
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
    return this.#parts.incarnation.scope;
  }

  /** The addresses of the actors whose answers the running turn awaits. */
  waitsFor(): readonly string[] {
    return this.#parts.turns.turn?.awaited ?? [];
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
        if (this.actor.state === "down") throw downError(this.address, this.actor.retryAfterMs);
        if (this.actor.state === "stopped")
          throw new ServiceDownError(
            `${this.address} has stopped. It starts again when a client joins it.`,
            0,
          );
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
    if (state.length > 0) this.#parts.turns.state = state[0];
    await this.commit(turn);
  }

  // ---------- the behaviour ----------

  async start(generation: number): Promise<void> {
    await this.#parts.incarnation.begin(generation === 1 && this.#options.restored === undefined);
    this.sources.complete();
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

  /** A join that throws is that client's: the door bounds how many there are. */
  isForgiven(error: unknown, mail: Mail | undefined): boolean {
    return mail?.type === "join" && error !== this.#stopError;
  }

  async crashed(error: unknown, mail: Mail | undefined): Promise<void> {
    this.#parts.reporter.crash(error, this.#parts.turns.callback, mail, true);
    // First: to `terminate`, a client whose join failed is none.
    if (error !== this.#stopError && mail !== undefined) {
      this.#parts.aftermath.follow(mail);
      if (mail.type === "join") this.#joinFailed();
    }
    this.#stopError = undefined;
    await this.#parts.incarnation.end({ type: "error", error });
    this.#parts.timeout.set(undefined);
  }

  #joinFailed(): void {
    const waitMs = this.door.failed();
    if (waitMs !== undefined) this.#parts.reporter.doorClosed(this.limits.maxRestarts + 1, waitMs);
  }

  /** `onCrash: "keep"`: the turn is dropped, the state before it stays. */
  #kept(error: unknown, mail: Mail): void | Promise<void> {
    if (error === this.#stopError) throw error;
    this.#parts.reporter.crash(error, this.#parts.turns.callback, mail, false);
    const end = this.#parts.aftermath.follow(mail);
    // The state that stays knows the client: it has to hear of its end.
    return end === undefined ? undefined : this.handle(end);
  }

  down(retryAfterMs: number, items: readonly Mail[]): void {
    this.#parts.reporter.down(retryAfterMs);
    this.channels.snapshotTaken();
    this.#parts.closings.close(this.members.all(), closeCode.internalError, "the service is down");
    const error = downError(this.address, retryAfterMs);
    for (const item of items) refuse(item, error);
    this.#parts.reporter.lost(items, "the service is down");
    // A key that cannot start is not tried for ever when nobody comes any more.
    if (this.isKeyed) this.#parts.idleWatch.watch();
  }

  stopped(items: readonly Mail[]): void {
    this.channels.clear();
    this.presence?.clear();
    this.#parts.idleWatch.cancel();
    this.#parts.timeout.set(undefined);
    this.scope.end();
    this.#options.stopped(items, this.#wasIdle);
  }

  idle(): void {
    if (this.isKeyed && this.members.size === 0) this.#parts.idleWatch.touch();
  }

  full(): void {
    this.members.hold(this.address);
  }

  ready(): void {
    this.members.release(this.address);
  }

  // ---------- from the mailbox to the callbacks ----------

  #dispatch(mail: Mail): void | Promise<void> {
    const callbacks = this.#parts.callbacks;
    this.channels.settleCredit();
    switch (mail.type) {
      case "join":
        if (this.door.retryAfterMs === 0) return callbacks.join(mail.client);
        this.#parts.closings.close([mail.client], closeCode.tryAgainLater, joinsFail);
        return undefined;
      case "leave":
        this.channels.forget(mail.client);
        return callbacks.leave(mail.client, mail.reason);
      case "incoming":
        return callbacks.incoming(mail.client, mail.n, mail.payload);
      case "clientCall":
        return callbacks.clientCall(mail);
      case "fault":
        this.#parts.committer.dispose(mail.client, mail.n, mail.fault);
        return undefined;
      case "drop":
        return callbacks.drop(mail.client);
      case "resume":
        return callbacks.resume(mail.client);
      case "snapshot":
        this.channels.snapshotTaken();
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
        return this.#parts.timeout.take(mail.token)
          ? callbacks.info({ type: "timeout" })
          : undefined;
      case "timer":
        return mail.timer.take() ? callbacks.info(mail.timer.info) : undefined;
      case "effects":
        return callbacks.effects(mail.effects);
      case "end":
        return this.#end(mail.reason);
    }
  }

  // ---------- the end of a turn ----------

  /** Lets out what a turn has done so far. */
  commit(turn: Turn): void | Promise<void> {
    const { committer, incarnation, saved, turns } = this.#parts;
    if (saved !== undefined && incarnation.hasBegun) saved.save(turns.state);
    return committer.commit(turn);
  }

  /** A callback has committed; this is what it returned beside a state. */
  committed(outcome: OutcomeValue | undefined): void | Promise<void> {
    if (outcome?.kind === "stop") {
      const reason = outcome.reason ?? "normal";
      if (reason instanceof Error) {
        this.#stopError = reason;
        throw reason;
      }
      return this.#end({ type: "stop", reason });
    }
    this.#parts.timeout.set(outcome?.timeoutMs);
    return undefined;
  }

  // ---------- ends ----------

  async #end(reason: TerminateReason): Promise<void> {
    await this.#parts.incarnation.end(reason);
    if (reason.type === "stop" || reason.type === "normal") {
      // Those who are joining stay in the mailbox and join the next incarnation.
      const joined = [...this.members.joined()];
      this.#parts.closings.close(joined, closeCode.goingAway, "the service has stopped");
    }
    this.#wasIdle = reason.type === "normal";
    this.actor.stop();
  }
}

function downError(address: string, retryAfterMs: number): ServiceDownError {
  const seconds = Math.ceil(retryAfterMs / 1000);
  return new ServiceDownError(
    `${address} is down: it restarted too often. Try again in ${seconds} s (\`retryAfterMs\`); what made it crash was reported.`,
    retryAfterMs,
  );
}
