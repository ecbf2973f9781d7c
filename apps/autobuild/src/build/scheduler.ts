import { randomBytes } from "node:crypto";
import os from "node:os";
import type { BuildConsole } from "../console/console.ts";
import { AutobuildError, messageOf, systemCodeOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { LogReader } from "../log/log-reader.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import { BuildRecord, type RecordOptions } from "../run/build-record.ts";
import type { JournalEntry } from "../run/journal.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { BuildQuery, Store } from "../store/store.ts";
import { ActiveBuild } from "./active-build.ts";
import {
  executeBuild,
  resultLine,
  type BuildOutcome,
  type ExecutionTools,
} from "./build-execution.ts";
import { hasEnded, repeatOf, type Build, type NewBuild } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";
import { writeEvent } from "./event-writer.ts";
import type { BuildOrigin } from "./origin.ts";
import { supersededBy, turnsOf, type QueueEntry, type Turn } from "./queue.ts";
import { recoverBuilds } from "./recovery.ts";

/** Bounds of the scheduler. */
export interface SchedulerOptions {
  /**
   * Builds at the same time, of which each branch has one. The console shows them one after the other all the same.
   *
   * @default as many as there are cores, at most 4
   */
  readonly concurrency: number;
  /** A commit that comes when so many wait takes the place of an older one of its branch, or waits outside. @default 200 */
  readonly maxQueuedBuilds: number;
  /** Workspaces of ended builds that are kept to look into. @default 3 */
  readonly keptWorkspaces: number;
  /** Whether a build that AutoBuild died under is queued again, once. @default true */
  readonly requeueLost: boolean;
}

export const schedulerDefaults: SchedulerOptions = {
  concurrency: Math.min(4, os.availableParallelism()),
  maxQueuedBuilds: 200,
  keptWorkspaces: 3,
  requeueLost: true,
};

/** What the scheduler works with. */
export interface SchedulerParts extends ExecutionTools {
  readonly store: Store;
  readonly origins: OriginStore;
  readonly console: BuildConsole;
  readonly events: Emitter<AutobuildEvents>;
  readonly folders: BuildFolders;
  readonly recordOptions: RecordOptions;
  /** Takes what a build reported and made out of its workspace, as soon as nothing of it runs any more. */
  collect(build: Build): Promise<void>;
}

const storeRetryMs = 5000;

const stoppedOutcome: BuildOutcome = {
  state: "cancelled",
  reason: "AutoBuild was stopped; it builds this commit again at its next start",
};

/**
 * The rules by which builds move: queue -> assign -> start -> finished, and round again.
 *
 * Each of the four writes the store and then tells. Nothing that a build does, and no failure of the disk,
 * escapes as an exception: it ends in the build's state or in a `problem` event.
 */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #options: SchedulerOptions;
  readonly #active = new Map<number, ActiveBuild>();
  #phase: "new" | "running" | "stopping" = "new";
  #cleaning: Promise<void> = Promise.resolve();
  #cancelRetry = (): void => {};

  constructor(parts: SchedulerParts, options: SchedulerOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Settles what a killed server left: its builds are lost, their processes killed, their logs completed. Call it once, first. */
  async recover(): Promise<void> {
    const { store, console, folders } = this.#parts;
    await recoverBuilds(this.#parts, this.#options.requeueLost);
    for (const { buildId, bytes } of store.startedLogs()) {
      console.add(buildId);
      console.complete(buildId, folders.console(buildId, bytes));
    }
    this.#cleanWorkspaces();
  }

  /** Lets builds start. */
  start(): void {
    this.#phase = "running";
    this.#assign();
  }

  /** Ends what runs; it is queued again for the next start. What waits stays queued. */
  async stop(): Promise<void> {
    this.#phase = "stopping";
    this.#cancelRetry();
    for (const { abort } of this.#active.values()) abort.abort(stoppedOutcome);
    await Promise.all([...this.#active.values()].map(({ ended }) => ended));
    await this.#cleaning;
  }

  list(query?: BuildQuery): Build[] {
    return this.#parts.store.builds(query);
  }

  get(id: number): Build | undefined {
    return this.#parts.store.build(id);
  }

  /** In the order in which they will start, each with the reason why it waits. */
  queued(): Build[] {
    return this.#turns().map(({ build, reason }) => ({
      ...build,
      reason: reason ?? "starts as soon as it can",
    }));
  }

  running(): Build[] {
    return [...this.#active.keys()].flatMap((id) => this.get(id) ?? []);
  }

  log(id: number): LogReader | undefined {
    const active = this.#active.get(id);
    if (active !== undefined) return active;
    const build = this.get(id);
    if (build === undefined || build.startedMs === null) return undefined;
    return this.#parts.folders.console(id, build.logBytes);
  }

  rebuild(id: number): Build {
    const repeated = this.#expect(id);
    if (this.#phase === "stopping") {
      throw new AutobuildError(
        "AUTOBUILD_STOPPED",
        "AutoBuild is stopping and takes no more builds. Start it again.",
      );
    }
    const build = this.queue(repeatOf(repeated, "rebuild", this.#parts.clock.epochMs()));
    if (build !== undefined) return build;
    throw new AutobuildError(
      "AUTOBUILD_QUEUE_FULL",
      `Expected fewer than ${this.#options.maxQueuedBuilds} builds in the queue, and it is full. Cancel some, or try again when some have run.`,
    );
  }

  async cancel(id: number, by = "somebody"): Promise<Build> {
    const build = this.#expect(id);
    if (hasEnded(build)) {
      throw new AutobuildError(
        "AUTOBUILD_BUILD_ENDED",
        `Expected build ${id} to be queued or running, got one that has ${build.state}. Nothing is left to cancel.`,
      );
    }
    const active = this.#active.get(id);
    if (active === undefined)
      return this.#cancelQueued(build, `cancelled by ${by} before it started`);
    active.abort.abort({ state: "cancelled", reason: `cancelled by ${by}` } satisfies BuildOutcome);
    await active.ended;
    return this.#expect(id);
  }

  /**
   * Puts a build into the queue, and cancels what it makes pointless. Undefined when the queue is full and
   * holds nothing that a newer commit has overtaken.
   */
  queue(newBuild: NewBuild, origin?: BuildOrigin): Build | undefined {
    const { store, origins, events } = this.#parts;
    const waiting = store.buildsIn("queued");
    const isFull = waiting.length >= this.#options.maxQueuedBuilds;
    const overtaken = isFull ? findOvertaken([...waiting, newBuild]) : undefined;
    if (isFull && overtaken === undefined) return undefined;
    const build = store.transaction(() => {
      const inserted = store.insertBuild(newBuild);
      if (origin !== undefined) origins.save(inserted.id, origin);
      return inserted;
    });
    if (overtaken !== undefined)
      this.#supersede(
        overtaken,
        build,
        "the queue was full, and a newer commit of its branch waits",
      );
    events.emit("buildChanged", build);
    const others = [...store.buildsIn("queued"), ...this.running()].map((other) =>
      this.#entry(other),
    );
    for (const older of supersededBy(this.#entry(build), others))
      this.#supersede(
        older,
        build,
        `superseded by build ${build.id}, a newer commit of its branch`,
      );
    this.#assign();
    return build;
  }

  /** Starts queued builds while there is room for them. */
  #assign(): void {
    if (this.#phase !== "running") return;
    for (const { build, reason } of this.#turns()) if (reason === null) this.#start(build);
  }

  #turns(): Turn[] {
    const waiting = this.#parts.store.buildsIn("queued").map((build) => this.#entry(build));
    return turnsOf(waiting, this.running(), this.#options.concurrency);
  }

  #entry(build: Build): QueueEntry {
    const { origins } = this.#parts;
    return { build, origin: origins.of(build.id), overtakes: origins.overtakes(build.id) };
  }

  /** Cancels an older build for a newer one of its branch, whether it waits or runs. */
  #supersede(older: Build, newer: Build, reason: string): void {
    this.#parts.origins.supersede(older.id, newer.id);
    const active = this.#active.get(older.id);
    if (active === undefined) this.#cancelQueued(older, reason);
    else active.abort.abort({ state: "cancelled", reason } satisfies BuildOutcome);
  }

  #start(queued: Build): void {
    const { store, events, clock, console } = this.#parts;
    const cookie = randomBytes(16).toString("hex");
    let build: Build;
    try {
      build = store.startBuild(queued.id, cookie, clock.epochMs());
    } catch (error) {
      this.#report(`Build ${queued.id} could not be started: ${messageOf(error)}`, error);
      this.#cancelRetry();
      this.#cancelRetry = clock.after(storeRetryMs, () => this.#assign());
      return;
    }
    const active = new ActiveBuild(this.#parts.folders.of(build.id));
    this.#active.set(build.id, active);
    console.add(build.id, active);
    events.emit("buildChanged", build);
    this.#run(build, cookie, active)
      .catch((error: unknown) =>
        this.#report(`Build ${build.id} could not be ended: ${messageOf(error)}`, error),
      )
      .finally(() => active.end());
  }

  async #run(build: Build, cookie: string, active: ActiveBuild): Promise<void> {
    const { clock, events, folders, recordOptions } = this.#parts;
    const startedMs = clock.monotonicMs();
    const fail = (error: unknown): BuildOutcome => ({ state: "failed", reason: logFailure(error) });
    let record: BuildRecord;
    try {
      record = await BuildRecord.open(folders.of(build.id).path, recordOptions, clock, {
        handleEntry: (entry) => this.#handleEntry(build.id, entry),
        handleConsoleGrown(length) {
          active.length = length;
          events.emit("logAdvanced", { buildId: build.id, position: null, attempt: 0 });
        },
        handleLogGrown: (position, attempt) =>
          events.emit("logAdvanced", { buildId: build.id, position, attempt }),
        handleFailure: (error) => active.abort.abort(fail(error)),
      });
    } catch (error) {
      return this.#finished(build, fail(error), clock.monotonicMs() - startedMs, 0);
    }

    let outcome: BuildOutcome;
    try {
      outcome = await executeBuild(build, cookie, record, active.abort.signal, this.#parts);
    } catch (error) {
      outcome = { state: "failed", reason: `AutoBuild made a mistake: ${messageOf(error)}` };
      this.#report(`Build ${build.id} ended by a fault of AutoBuild: ${messageOf(error)}`, error);
    }
    await record.flush();
    await this.#collect(build);
    // The disk may have refused the very last lines of a build that passed.
    if (active.abort.signal.aborted) outcome = active.abort.signal.reason as BuildOutcome;
    const durationMs = clock.monotonicMs() - startedMs;
    record.line(resultLine(build, outcome, durationMs));
    await record.end(outcome.state, outcome.reason, durationMs);
    await this.#finished(build, outcome, durationMs, record.consoleLength);
  }

  async #finished(
    build: Build,
    outcome: BuildOutcome,
    durationMs: number,
    logBytes: number,
  ): Promise<void> {
    const { store, console, events, clock } = this.#parts;
    const ended = await this.#untilStored(() =>
      store.transaction(() => {
        if (outcome === stoppedOutcome)
          store.insertBuild(repeatOf(build, "requeue", clock.epochMs()));
        return store.endBuild(build.id, {
          ...outcome,
          finishedMs: clock.epochMs(),
          durationMs: Math.round(durationMs),
          logBytes,
        });
      }),
    );
    this.#active.delete(build.id);
    console.complete(build.id, this.#parts.folders.console(build.id, logBytes));
    if (ended !== undefined) events.emit("buildChanged", ended);
    this.#cleanWorkspaces();
    this.#assign();
  }

  async #collect({ id }: Build): Promise<void> {
    try {
      await this.#parts.collect(this.#expect(id));
    } catch (error) {
      this.#report(`The results of build ${id} could not be kept: ${messageOf(error)}`, error);
    }
  }

  #cancelQueued(build: Build, reason: string): Build {
    const { store, events, clock } = this.#parts;
    const cancelled = store.endBuild(build.id, {
      state: "cancelled",
      reason,
      finishedMs: clock.epochMs(),
      durationMs: null,
      logBytes: 0,
    });
    events.emit("buildChanged", cancelled);
    return cancelled;
  }

  #handleEntry(buildId: number, entry: JournalEntry): void {
    const { store, events } = this.#parts;
    try {
      const build = writeEvent(store, buildId, entry);
      if (build !== undefined) events.emit("buildChanged", build);
    } catch (error) {
      this.#report(
        `A step of build ${buildId} could not be written down: ${messageOf(error)}`,
        error,
      );
    }
  }

  /** Tries until the store takes it: a full disk may have room again. Gives up when stopping; the next start finds the build lost. */
  async #untilStored(write: () => Build): Promise<Build | undefined> {
    for (;;) {
      try {
        return write();
      } catch (error) {
        this.#report(`The end of a build could not be written down: ${messageOf(error)}`, error);
        if (this.#phase === "stopping") return undefined;
      }
      await new Promise<void>((resolve) => this.#parts.clock.after(storeRetryMs, resolve));
    }
  }

  // One after the other, beside the builds: removing a large workspace takes seconds.
  #cleanWorkspaces(): void {
    const { workspaces } = this.#parts;
    this.#cleaning = this.#cleaning
      .then(() => workspaces.clean(this.#options.keptWorkspaces, new Set(this.#active.keys())))
      .catch((error: unknown) =>
        this.#report(`Old workspaces could not be removed: ${messageOf(error)}`, error),
      );
  }

  #expect(id: number): Build {
    const build = this.get(id);
    if (build !== undefined) return build;
    throw new AutobuildError(
      "AUTOBUILD_NO_SUCH_BUILD",
      `Expected the number of a build, got ${id}, which no build has.`,
    );
  }

  #report(message: string, error: unknown): void {
    this.#parts.events.emit("problem", { message, error });
  }
}

/** The oldest queued commit behind which a newer commit of the same branch waits. What people asked for is never overtaken. */
function findOvertaken(waiting: readonly (Build | NewBuild)[]): Build | undefined {
  return waiting.find((older, index): older is Build => {
    if (older.cause !== "commit" || !("id" in older)) return false;
    return waiting
      .slice(index + 1)
      .some(
        (newer) =>
          newer.cause === "commit" &&
          newer.repositoryId === older.repositoryId &&
          newer.branch === older.branch,
      );
  });
}

function logFailure(error: unknown): string {
  const advice =
    systemCodeOf(error) === "ENOSPC"
      ? "Make room on the disk that holds the data folder, then rebuild."
      : "Look at the data folder, then rebuild.";
  return `AutoBuild could not write the build's log: ${messageOf(error)}. ${advice}`;
}
