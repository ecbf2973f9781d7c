import type { Clock } from "../actor/clock.ts";
import { HistoryError, ServiceDownError } from "../errors.ts";
import type { HistoryStore, StoredActor } from "../log/history-store.ts";
import type { LogStore } from "../log/log-store.ts";
import { Log, type LogEntry, type RestoredLog } from "../log/log.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { ActorToEdge, Out, Outlet } from "../protocol/port.ts";
import type { ErasedDefinition } from "./definition.ts";
import { HistoryGate } from "./history-gate.ts";
import type { PrivateBudget } from "./private-budget.ts";
import { Recorder } from "./recorder.ts";
import type { Report } from "./report.ts";
import type { RestoredActor, ServiceActor } from "./service-actor.ts";
import type { Line } from "./service-client.ts";

export interface DurableActorsOptions {
  readonly store: HistoryStore;
  readonly clock: Clock;
  readonly logs: LogStore;
  /** The way to one edge; undefined when that edge is gone. */
  readonly edge: (id: string) => Outlet<ActorToEdge> | undefined;
  /** The longest message that edges hand on. */
  readonly maxMessageBytes: number;
  readonly privateBudget: PrivateBudget;
  readonly report: (report: Report) => void;
}

/** When somebody who was refused because a history could not be read may try again. */
const unreadableRetryMs = 5000;
/** Each is a transaction of its own. */
const forgottenPerSweep = 100;

/** What an actor of a durable service starts with. */
export interface DurableActor {
  readonly log: Log;
  readonly recorder: Recorder;
  /** Absent: nothing was stored of it. */
  readonly restored?: RestoredActor;
}

/** What is stored of the actors of durable services, and what becomes of one that cannot be stored. */
export class DurableActors {
  readonly #options: DurableActorsOptions;
  readonly #gate: HistoryGate;

  constructor(options: DurableActorsOptions) {
    this.#options = options;
    this.#gate = new HistoryGate(options.store);
  }

  /** Those that have members: they start with the server, to give grace. */
  addressesWithMembers(): readonly string[] {
    return this.#gate.store.addressesWithMembers();
  }

  /**
   * What is stored of an actor that starts, and who stores what comes. `running`: that actor, once it runs.
   *
   * @throws ServiceDownError when it cannot be read, which is reported.
   */
  open(
    address: string,
    definition: ErasedDefinition,
    running: () => ServiceActor | undefined,
  ): DurableActor {
    try {
      return this.#load(address, definition, running);
    } catch (error) {
      this.#options.report({ type: "failure", where: `the history of ${address}`, error });
      throw new ServiceDownError(
        `${address} is down: its history could not be read (${String(error)}).`,
        unreadableRetryMs,
      );
    }
  }

  #load(
    address: string,
    definition: ErasedDefinition,
    running: () => ServiceActor | undefined,
  ): DurableActor {
    const { clock, logs, maxMessageBytes, privateBudget } = this.#options;
    const gate = this.#gate;
    gate.flush();
    const stored = gate.store.load(address);
    const now = clock.now();
    logs.forget(address);
    const log = logs.open(address, definition.history, () =>
      stored === undefined ? undefined : Log.restore(restoredLog(stored, now), definition.history),
    );
    const recorder = new Recorder({
      address,
      gate,
      log: () => log,
      withPlainMembers: definition.state.durable,
      failed: (error) => this.#unstored(address, error, running()),
    });
    log.observer = recorder;
    if (stored === undefined) return { log, recorder };
    const limits = { ...definition.limits, maxMessageBytes };
    const members = recorder.restore(stored, limits, privateBudget);
    return { log, recorder, restored: { members } };
  }

  /** Its actor has ended: what is stored of it is kept for a while longer, in case somebody comes. */
  ended(address: string, { keepMs }: ErasedDefinition): void {
    this.#quietly(() => this.#gate.store.retire(address, Date.now() + keepMs));
  }

  /** At a start: those that a process left behind when it died count as ended now. */
  adopt(definitionOf: (address: string) => ErasedDefinition | undefined): void {
    for (const address of this.#gate.store.unretired()) {
      const definition = definitionOf(address);
      if (definition !== undefined) this.ended(address, definition);
    }
  }

  /** Called every few seconds: forgets those that have ended long ago, some at a time. */
  sweep(isRunning: (address: string) => boolean): void {
    const { store } = this.#gate;
    this.#quietly(() => {
      for (const address of store.retired(Date.now(), forgottenPerSweep)) {
        // It was started and has not committed yet. Its end says anew for how long.
        if (isRunning(address)) store.retire(address, Infinity);
        else store.forget(address);
      }
    });
  }

  /** What cannot be written now is found again later, and a full disk is reported by those who commit. */
  #quietly(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof HistoryError)) throw error;
    }
  }

  /** Stores what there is, now. */
  flush(): void {
    this.#gate.flush();
  }

  /** As `flush`, for the last time. */
  end(): void {
    this.#gate.flush();
    this.#gate.store.close();
  }

  /** An actor is ahead of what is stored: it goes, and comes back as it was. */
  #unstored(address: string, error: HistoryError, actor: ServiceActor | undefined): void {
    const { logs, report } = this.#options;
    report({ type: "failure", where: `the history of ${address}`, error });
    logs.forget(address);
    if (actor !== undefined) this.close(actor, actor.abandon(), "its history could not be stored");
  }

  /** Closes clients of an actor that is over: past its recorder, which lets nothing out any more. */
  close(actor: ServiceActor, lines: readonly Line[], reason: string): void {
    const { address, log } = actor;
    const { generation } = actor.actor;
    for (const { edge, mid } of lines) {
      const out: Out = {
        type: "close",
        mid,
        code: closeCode.internalError,
        reason,
        comeBack: "retry",
      };
      const commit = { type: "commit", address, epoch: log.epoch, generation, out: [out] } as const;
      this.#options.edge(edge)?.post(commit);
    }
  }
}

/** Stored times are of the wall clock, those of a log of the clock it lives by. */
function restoredLog(stored: StoredActor, now: number): RestoredLog {
  const wallNow = Date.now();
  const entries = stored.entries.map(({ seq, type, topic, kind, bytes, atMs }): LogEntry => {
    const at = now - Math.max(0, wallNow - atMs);
    return type === "restarted"
      ? { type, seq, at }
      : { type, seq, topic, payload: { kind, bytes }, at };
  });
  return { epoch: stored.epoch, seq: stored.seq, entries, evicted: stored.evicted };
}
