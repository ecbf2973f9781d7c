import type { LogReader } from "../log/log-reader.ts";
import type { BuildQuery } from "../store/store.ts";
import type { WantedRef } from "../triggers/triggers.ts";
import type { Build } from "./build.ts";
import type { Repository } from "./repository.ts";

/**
 * The builds, as services and pages use them. Reading is synchronous and cheap; snapshots are plain JSON.
 *
 * Each change is in the store before its event goes out, so that whoever reads upon an event sees it.
 */
export interface Builds {
  /** Newest first; 50 unless the query says otherwise. */
  list(query?: BuildQuery): readonly Build[];
  get(id: number): Build | undefined;
  /** In the order in which they will start, each with the reason why it waits. */
  queued(): readonly Build[];
  /** In the order in which they started. */
  running(): readonly Build[];
  repositories(): readonly Repository[];
  /** A build's log, growing while it runs; undefined for a build that never started. */
  log(id: number): LogReader | undefined;
  /**
   * Queues the same commit of the same branch once more, as a new build.
   *
   * `by` says who asked, as in "by Ann". Throws `AUTOBUILD_NO_SUCH_BUILD`, `AUTOBUILD_QUEUE_FULL` or
   * `AUTOBUILD_STOPPED`.
   */
  rebuild(id: number, by?: string): Build;
  /**
   * Builds a branch or a tag as it is now, the default branch unless one is named.
   *
   * Rejects with `AUTOBUILD_NO_SUCH_BRANCH`, `AUTOBUILD_BAD_SOURCE`, `AUTOBUILD_QUEUE_FULL`, or what git says
   * when the repository is out of reach.
   */
  build(repositoryId: number, wanted?: WantedRef, by?: string): Promise<Build>;
  /**
   * Cancels a queued or a running build. Resolves when no process of it is left.
   *
   * `by` ends the reason, as in "cancelled by Ann". Rejects with `AUTOBUILD_NO_SUCH_BUILD` or `AUTOBUILD_BUILD_ENDED`.
   */
  cancel(id: number, by?: string): Promise<Build>;
}

/** What AutoBuild tells while it runs: each event's name, and the value that listeners get. */
export type AutobuildEvents = {
  /** A build was queued, started, ended, or a step of it began or ended. */
  buildChanged: Build;
  /** The outcome of a look at a repository was another than the time before. */
  repositoryChanged: Repository;
  /** A branch or a tag is there no more. A build of it may still run. */
  branchGone: { readonly repositoryId: number; readonly branch: string };
  /** It is built no more. */
  repositoryRemoved: Repository;
  /**
   * One of a build's logs has grown: that of an attempt of a step, counted from 1. `position` is null for
   * the build's own: attempt 1 is its setup log, 0 its console log, by which the console has new lines.
   */
  logAdvanced: {
    readonly buildId: number;
    readonly position: number | null;
    readonly attempt: number;
  };
  /** Something went wrong that belongs to no build; AutoBuild goes on. */
  problem: { readonly message: string; readonly error: unknown };
};
