import { Callbacks } from "./callbacks.ts";
import { Channels } from "./channels.ts";
import { Closings } from "./closings.ts";
import { Committer } from "./commit.ts";
import { CrashAftermath } from "./crash-aftermath.ts";
import { IdleWatch } from "./idle-watch.ts";
import { Incarnation } from "./incarnation.ts";
import { Intake } from "./intake.ts";
import { LogSources } from "./log-sources.ts";
import type { Mail } from "./mail.ts";
import { Members } from "./members.ts";
import { NoreplyTimeout } from "./noreply-timeout.ts";
import { Poster } from "./post.ts";
import { Presence } from "./presence.ts";
import { Reporter } from "./reporter.ts";
import { SavedState } from "./saved-state.ts";
import type { ServiceActor, ServiceActorOptions } from "./service-actor.ts";
import { TurnRunner } from "./turn-runner.ts";

/** What a service's actor is made of, and how the parts hang together. */
export class ActorParts {
  readonly members: Members;
  readonly sources: LogSources;
  /** Of a service that tells who is there. */
  readonly presence: Presence | undefined;
  /** Of a durable state. */
  readonly saved: SavedState | undefined;
  readonly reporter: Reporter;
  readonly committer: Committer;
  readonly channels: Channels;
  readonly closings: Closings;
  readonly aftermath: CrashAftermath;
  readonly turns: TurnRunner;
  readonly callbacks: Callbacks;
  readonly incarnation: Incarnation;
  readonly timeout: NoreplyTimeout;
  readonly idleWatch: IdleWatch;
  readonly intake: Intake;

  /** The actor is still being built: of it, only what `new ServiceActor` has set already may be used here. */
  constructor(actor: ServiceActor, options: ServiceActorOptions) {
    const { name, address, clock, definition, dropped, edge, log, recorder, report } = options;
    const { limits, onCrash, presence, snapshot, state } = definition;
    const timeoutMs = limits.callbackTimeoutMs;
    const keepsState = onCrash === "keep";
    const force = (mail: Mail): void => void actor.actor.force(mail);

    // What there is of it: members, logs, a state that was saved.
    const members = new Members(edge, (client) => {
      recorder?.left(client);
      this.presence?.left(client);
    });
    this.members = members;
    this.presence =
      presence &&
      new Presence({
        definition: presence,
        address,
        clock,
        members,
        seq: () => log.seq,
        send: (out) => this.committer.send(out),
        report,
      });
    const { maxLogs } = limits;
    const sources = new LogSources({ address, timeoutMs, maxLogs, clock, report });
    this.sources = sources;
    if (recorder !== undefined && state.durable)
      this.saved = new SavedState({ actor, state, recorder });

    // What leaves.
    const reporter = new Reporter(name, address, report);
    this.reporter = reporter;
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
        generation: actor.actor.generation,
        out,
      }),
      creditFor: (client) => this.channels.creditFor(client),
      closedAway: (client, code, reason) =>
        force({ type: "leave", bytes: 0, client, reason: { type: "closed", code, reason } }),
      due: (timer) => force({ type: "timer", bytes: 0, timer }),
    });
    this.committer = committer;
    const channels = new Channels({
      limits,
      clock,
      log,
      members,
      committer,
      dropped,
      recorder,
      presence: this.presence,
      hasSnapshot: snapshot !== undefined,
      hasRoom: () => actor.actor.mailbox.hasRoom,
      force,
    });
    this.channels = channels;
    const closings = new Closings({ members, channels, committer });
    this.closings = closings;
    this.aftermath = new CrashAftermath({
      address,
      clock,
      committer,
      channels,
      closings,
      keepsState,
      loadsState: this.saved !== undefined,
    });

    // What runs.
    const turns = new TurnRunner({
      actor,
      clock,
      commit: (turn) => {
        actor.encoder.forget();
        return actor.commit(turn);
      },
      committed: (outcome) => actor.committed(outcome),
    });
    this.turns = turns;
    const callbacks = new Callbacks({
      actor,
      definition,
      turns,
      committer,
      channels,
      recorder,
      clock,
    });
    this.callbacks = callbacks;
    this.incarnation = new Incarnation({
      actor,
      clock,
      turns,
      callbacks,
      committer,
      closings,
      reporter,
      saved: this.saved,
      keepsState,
    });

    // What enters.
    this.timeout = new NoreplyTimeout(clock, (token) =>
      force({ type: "timeout", bytes: 0, token }),
    );
    const idleWatch = new IdleWatch({
      clock,
      idleTimeoutMs: limits.idleTimeoutMs,
      isIdle: () =>
        members.size === 0 &&
        actor.actor.isIdle &&
        this.incarnation.scope.timers.size === 0 &&
        !this.timeout.isSet,
      end: () => actor.end({ type: "normal" }),
    });
    this.idleWatch = idleWatch;
    this.intake = new Intake({ actor, clock, committer, idleWatch, recorder });
  }
}
