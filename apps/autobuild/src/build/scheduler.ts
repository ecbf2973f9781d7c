import { randomBytes } from "node:crypto";
import os from "node:os";
import type { Clock } from "../clock.ts";
import { heldLogs, type BuildConsole } from "../console/console.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { Workspaces } from "../git/workspaces.ts";
import type { LogReader } from "../log/log-reader.ts";
import { consoleLogName } from "../run/build-folder.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import type { RecordOptions } from "../run/build-record.ts";
import { launchRunner } from "../run/runner-launcher.ts";
import type { RunnerOrder } from "../run/runner-protocol.ts";
import type { DetailStore } from "../store/detail-store.ts";
import type { DiskRoom } from "../store/disk-room.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { StartedStore } from "../store/started-store.ts";
import type { BuildQuery, Store } from "../store/store.ts";
import { ActiveBuild } from "./active-build.ts";
import type { BuildOutcome } from "./build-execution.ts";
import { BuildLedger, type BuildEnd } from "./build-ledger.ts";
import { hasEnded, repeatOf, type Build, type NewBuild } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";
import type { BuildOrigin } from "./origin.ts";
import { supersededBy, turnsOf, type QueueEntry, type Turn } from "./queue.ts";
import { endLost } from "./recovery.ts";
import type { Trigger } from "./trigger.ts";

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
  /** Whether a build whose runner died is queued again, once. @default true */
  readonly requeueLost: boolean;
  /** Whether `stop` ends what runs and queues it again, rather than let it go on. @default false */
  readonly stopBuilds: boolean;
}

export const schedulerDefaults: SchedulerOptions = {
  concurrency: Math.min(4, os.availableParallelism()),
  maxQueuedBuilds: 200,
  keptWorkspaces: 3,
  requeueLost: true,
  stopBuilds: false,
};

/** What the scheduler works with. */
export interface SchedulerParts {
  readonly store: Store;
  readonly started: Pick<StartedStore, "newest">;
  readonly clock: Clock;
  readonly workspaces: Workspaces;
  readonly origins: OriginStore;
  readonly details: Pick<DetailStore, "saveTrigger">;
  readonly console: BuildConsole;
  readonly events: Emitter<AutobuildEvents>;
  readonly folders: BuildFolders;
  readonly recordOptions: RecordOptions;
  readonly room: DiskRoom;
  /** What the runner of a build needs to know of it, besides its cookie. */
  orderOf(build: Build): Omit<RunnerOrder, "build" | "cookie" | "origin" | "recordOptions">;
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
  readonly #ledger: BuildLedger;
  readonly #active = new Map<number, ActiveBuild>();
  #phase: "new" | "running" | "stopping" = "new";
  #cleaning: Promise<void> = Promise.resolve();
  #cancelRetry = (): void => {};
  /** Whether the disk had no room when it was last looked at. */
  #isShort = false;

  constructor(parts: SchedulerParts, options: SchedulerOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#ledger = new BuildLedger(parts);
  }

  /**
   * Takes on the builds that an earlier server left running: they go on, or have ended meanwhile, or their
   * runner has died and they are lost. Resolves when it is known which. Call it once, first.
   */
  async recover(): Promise<void> {
    const { store, console, folders } = this.#parts;
    const running = new Map(store.buildsIn("running").map((build) => [build.id, build]));
    const settled: Promise<void>[] = [];
    const { bytesBefore, logs } = this.#parts.started.newest(heldLogs);
    console.skip(bytesBefore);
    for (const { buildId, bytes } of logs) {
      const build = running.get(buildId);
      if (build === undefined) {
        console.add(buildId);
        console.complete(buildId, folders.console(buildId, bytes));
      } else {
        const active = this.#activate(build, store.cookieOf(buildId) ?? "");
        const isKnown = Promise.race([active.known, active.ended]);
        settled.push(isKnown);
        this.#follow(build, active);
      }
    }
    await Promise.all(settled);
    this.#cleanWorkspaces();
  }

  /** Lets builds start. */
  start(): void {
    this.#phase = "running";
    this.#assign();
  }

  /**
   * What runs goes on without us, for the next start to take on; with `stopBuilds`, or when told so, it is ended
   * and queued again. What waits stays queued.
   */
  async stop(stopBuilds: boolean = this.#options.stopBuilds): Promise<void> {
    this.#phase = "stopping";
    this.#cancelRetry();
    this.#ledger.stop();
    for (const active of this.#active.values()) {
      if (stopBuilds) {
        active.isRequeued = true;
        active.link.cancel(stoppedOutcome);
      } else active.link.close();
    }
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

  rebuild(id: number, by = "somebody"): Build {
    const repeated = this.#expect(id);
    if (this.#phase === "stopping") {
      throw new AutobuildError(
        "AUTOBUILD_STOPPED",
        "AutoBuild is stopping and takes no more builds. Start it again.",
      );
    }
    const repeat = repeatOf(repeated, "rebuild", this.#parts.clock.epochMs());
    const build = this.queue(repeat, undefined, { type: "person", by });
    if (build !== undefined) return build;
    throw new AutobuildError(
      "AUTOBUILD_QUEUE_FULL",
      `Expected fewer than ${this.#options.maxQueuedBuilds} builds in the queue, and it is full. Cancel some, or try again when some have run.`,
    );
  }

  /** Cancels what waits of a repository that is built no more. What runs of it runs to its end. */
  cancelWaiting(repositoryId: number, reason: string): void {
    for (const build of this.#parts.store.buildsIn("queued"))
      if (build.repositoryId === repositoryId) this.#cancelQueued(build, reason);
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
    active.link.cancel({ state: "cancelled", reason: `cancelled by ${by}` });
    await active.ended;
    return this.#expect(id);
  }

  /**
   * Puts a build into the queue, and cancels what it makes pointless. Undefined when the queue is full and
   * holds nothing that a newer commit has overtaken.
   */
  queue(newBuild: NewBuild, origin?: BuildOrigin, trigger?: Trigger): Build | undefined {
    const { store, origins, details, events } = this.#parts;
    const waiting = store.buildsIn("queued");
    const isFull = waiting.length >= this.#options.maxQueuedBuilds;
    const overtaken = isFull ? findOvertaken([...waiting, newBuild]) : undefined;
    if (isFull && overtaken === undefined) return undefined;
    const build = store.transaction(() => {
      const inserted = store.insertBuild(newBuild);
      if (origin !== undefined) origins.save(inserted.id, origin);
      if (trigger !== undefined) details.saveTrigger(inserted.id, trigger);
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
    const { room } = this.#parts;
    try {
      room.refill();
      for (const { build, reason } of this.#turns()) if (reason === null) this.#start(build);
    } catch (error) {
      this.#report(`Queued builds could not be started: ${messageOf(error)}`, error);
      this.#assignLater();
    }
    const shortage = room.shortage();
    if (shortage !== null) {
      if (!this.#isShort) this.#report(`No build starts now: ${shortage}.`, undefined);
      this.#assignLater();
    }
    this.#isShort = shortage !== null;
  }

  #turns(): Turn[] {
    const waiting = this.#parts.store.buildsIn("queued").map((build) => this.#entry(build));
    const turns = turnsOf(waiting, this.running(), this.#options.concurrency);
    // One that starts without room fails, and so would all of them.
    const shortage = this.#parts.room.shortage();
    return turns.map((turn) => ({ ...turn, reason: turn.reason ?? shortage }));
  }

  #assignLater(): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#parts.clock.after(storeRetryMs, () => this.#assign());
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
    else active.link.cancel({ state: "cancelled", reason });
  }

  #start(queued: Build): void {
    const { store, events, clock } = this.#parts;
    const cookie = randomBytes(16).toString("hex");
    const build = store.startBuild(queued.id, cookie, clock.epochMs());
    const active = this.#activate(build, cookie);
    events.emit("buildChanged", build);
    this.#launch(build, cookie).then(
      () => this.#follow(build, active),
      (error: unknown) => {
        const reason = `its runner could not be started: ${messageOf(error)}`;
        this.#finished(build, active, { state: "failed", reason, durationMs: 0, logBytes: 0 })
          .catch((late: unknown) => this.#reportEnd(build, late))
          .finally(() => active.end());
      },
    );
  }

  async #launch(build: Build, cookie: string): Promise<void> {
    const { origins, folders, recordOptions } = this.#parts;
    await launchRunner(folders.of(build.id), {
      ...this.#parts.orderOf(build),
      build,
      cookie,
      origin: origins.of(build.id),
      recordOptions: recordBounds(recordOptions),
    });
  }

  #activate(build: Build, cookie: string): ActiveBuild {
    const { console, events, folders } = this.#parts;
    const { id: buildId } = build;
    const bytes = folders.file(buildId, consoleLogName);
    const active: ActiveBuild = new ActiveBuild(folders.of(buildId), bytes, cookie, {
      handleEntries: (entries) => this.#ledger.write(buildId, entries),
      handleConsoleGrown: () => events.emit("logAdvanced", { buildId, position: null, attempt: 0 }),
      handleLogGrown: (position, attempt) =>
        events.emit("logAdvanced", { buildId, position, attempt }),
    });
    this.#active.set(buildId, active);
    console.add(buildId, active);
    return active;
  }

  #follow(build: Build, active: ActiveBuild): void {
    this.#untilEnd(build, active)
      .catch((error: unknown) => this.#reportEnd(build, error))
      .finally(() => active.end());
  }

  async #untilEnd(build: Build, active: ActiveBuild): Promise<void> {
    const end = await active.link.follow();
    switch (end.type) {
      case "closed":
        return;
      case "ended": {
        const { state, reason, durationMs, length } = end.entry;
        await this.#collect(build);
        return this.#finished(build, active, { state, reason, durationMs, logBytes: length });
      }
      case "lost": {
        const { reason, logBytes } = await endLost(build, end.message, this.#parts);
        return this.#finished(build, active, { state: "lost", reason, durationMs: null, logBytes });
      }
    }
  }

  async #finished(
    build: Build,
    active: ActiveBuild,
    end: Omit<BuildEnd, "isRequeued">,
  ): Promise<void> {
    // A build that takes its runner down with it must not do so for ever.
    const isLost = end.state === "lost" && this.#options.requeueLost && build.cause !== "requeue";
    await this.#ledger.end(build, { ...end, isRequeued: active.isRequeued || isLost });
    this.#settled(build.id, end.logBytes);
    active.end();
  }

  /** A build has ended, and the store knows it. */
  #settled(buildId: number, logBytes: number): void {
    const { console, events, folders } = this.#parts;
    this.#active.delete(buildId);
    console.complete(buildId, folders.console(buildId, logBytes));
    const ended = this.get(buildId);
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

  #reportEnd({ id }: Build, error: unknown): void {
    this.#report(`Build ${id} could not be ended: ${messageOf(error)}`, error);
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

/** Of the settings those that a runner needs: they go to it as JSON. */
function recordBounds(settings: RecordOptions): RecordOptions {
  const { maxLineBytes, maxLogBytes, highWaterBytes, maxStepLogBytes, keptTailBytes } = settings;
  return { maxLineBytes, maxLogBytes, highWaterBytes, maxStepLogBytes, keptTailBytes };
}
