import os from "node:os";
import { heldLogs } from "../console/console.ts";
import { AutobuildError, messageOf, noSuchBuild } from "../errors.ts";
import type { Workspaces } from "../git/workspaces.ts";
import type { LogReader } from "../log/log-reader.ts";
import type { DiskRoom } from "../store/disk-room.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { StartedStore } from "../store/started-store.ts";
import type { BuildQuery } from "../store/store.ts";
import type { BuildOutcome } from "./build-execution.ts";
import { hasEnded, repeatOf, type Build, type NewBuild } from "./build.ts";
import type { BuildOrigin } from "./origin.ts";
import { RunningBuilds, type RunningParts } from "./running-builds.ts";
import type { Trigger } from "./trigger.ts";
import { WaitingBuilds, type WaitingParts } from "./waiting-builds.ts";

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
export interface SchedulerParts extends WaitingParts, RunningParts {
  readonly started: Pick<StartedStore, "newest">;
  readonly workspaces: Workspaces;
  readonly origins: OriginStore;
  readonly room: DiskRoom;
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
  readonly #waiting: WaitingBuilds;
  readonly #running: RunningBuilds;
  #phase: "new" | "running" | "stopping" = "new";
  #cleaning: Promise<void> = Promise.resolve();
  #cancelRetry = (): void => {};
  /** Whether the disk had no room when it was last looked at. */
  #isShort = false;

  constructor(parts: SchedulerParts, options: SchedulerOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#waiting = new WaitingBuilds(parts, options.concurrency, options.maxQueuedBuilds);
    this.#running = new RunningBuilds(parts, options.requeueLost, () => {
      this.#cleanWorkspaces();
      this.#assign();
    });
  }

  /**
   * Takes on the builds that an earlier server left running: they go on, or have ended meanwhile, or their
   * runner has died and they are lost. Resolves when it is known which. Call it once, first.
   */
  async recover(): Promise<void> {
    const { store, console, folders } = this.#parts;
    const running = new Map(store.buildsIn("running").map((build) => [build.id, build]));
    const known: Promise<void>[] = [];
    const { bytesBefore, logs } = this.#parts.started.newest(heldLogs);
    console.skip(bytesBefore);
    for (const { buildId, bytes } of logs) {
      const build = running.get(buildId);
      if (build === undefined) {
        console.add(buildId);
        console.complete(buildId, folders.console(buildId, bytes));
      } else known.push(this.#running.adopt(build));
    }
    await Promise.all(known);
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
    await this.#running.stop(stopBuilds ? stoppedOutcome : undefined);
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
    return this.#waiting.turns(this.running()).map(({ build, reason }) => ({
      ...build,
      reason: reason ?? "starts as soon as it can",
    }));
  }

  running(): Build[] {
    return this.#running.all();
  }

  log(id: number): LogReader | undefined {
    const active = this.#running.get(id);
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
    this.#waiting.cancelAllOf(repositoryId, reason);
  }

  async cancel(id: number, by = "somebody"): Promise<Build> {
    const build = this.#expect(id);
    if (hasEnded(build)) {
      throw new AutobuildError(
        "AUTOBUILD_BUILD_ENDED",
        `Expected build ${id} to be queued or running, got one that has ${build.state}. Nothing is left to cancel.`,
      );
    }
    const active = this.#running.get(id);
    if (active === undefined)
      return this.#waiting.cancel(build, `cancelled by ${by} before it started`);
    active.link.cancel({ state: "cancelled", reason: `cancelled by ${by}` });
    await active.ended;
    return this.#expect(id);
  }

  /**
   * Puts a build into the queue, and cancels what it makes pointless. Undefined when the queue is full and
   * holds nothing that a newer commit has overtaken.
   */
  queue(newBuild: NewBuild, origin?: BuildOrigin, trigger?: Trigger): Build | undefined {
    const added = this.#waiting.add(newBuild, origin, trigger);
    if (added === undefined) return undefined;
    const { build, overtaken } = added;
    if (overtaken !== undefined)
      this.#supersede(
        overtaken,
        build,
        "the queue was full, and a newer commit of its branch waits",
      );
    this.#parts.events.emit("buildChanged", build);
    for (const older of this.#waiting.supersededBy(build, this.running()))
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
      for (const { build, reason } of this.#waiting.turns(this.running()))
        if (reason === null) this.#running.start(build);
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

  #assignLater(): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#parts.clock.after(storeRetryMs, () => this.#assign());
  }

  /** Cancels an older build for a newer one of its branch, whether it waits or runs. */
  #supersede(older: Build, newer: Build, reason: string): void {
    this.#parts.origins.supersede(older.id, newer.id);
    const active = this.#running.get(older.id);
    if (active === undefined) this.#waiting.cancel(older, reason);
    else active.link.cancel({ state: "cancelled", reason });
  }

  // One after the other, beside the builds: removing a large workspace takes seconds.
  #cleanWorkspaces(): void {
    const { workspaces } = this.#parts;
    this.#cleaning = this.#cleaning
      .then(() => workspaces.clean(this.#options.keptWorkspaces, this.#running.ids()))
      .catch((error: unknown) =>
        this.#report(`Old workspaces could not be removed: ${messageOf(error)}`, error),
      );
  }

  #expect(id: number): Build {
    const build = this.get(id);
    if (build !== undefined) return build;
    throw noSuchBuild(id);
  }

  #report(message: string, error: unknown): void {
    this.#parts.events.emit("problem", { message, error });
  }
}
