import type { Build, BuildState } from "./build.ts";
import type { Forecast } from "./forecast.ts";

/** A build as a bar of a trend. Plain JSON. */
export interface RecentBuild {
  readonly id: number;
  readonly state: BuildState;
  readonly durationMs: number | null;
}

/** How a branch stands. Plain JSON. */
export interface BranchRow {
  readonly repositoryId: number;
  readonly repository: string;
  readonly branch: string;
  /** What runs; else what ended last; else what waits. */
  readonly build: Build;
  /** How the last build that passed, failed or was lost ended; null before the first. */
  readonly verdict: "passed" | "failed" | "lost" | null;
  /** How many of the builds in `recent`, from the newest on, ended as `verdict` says. */
  readonly streak: number;
  /** The first build that failed since the last that passed. */
  readonly failingSince: { readonly buildId: number; readonly finishedMs: number } | null;
  /** What has ended, newest first, at most `recentBuilds`. */
  readonly recent: readonly RecentBuild[];
  /** The usual times of the steps while `build` runs. */
  readonly forecast: Forecast | null;
}

/** A build that waits. Plain JSON. */
export interface QueuedBuild {
  readonly build: Build;
  /** Why it does not run yet: a sentence for people. */
  readonly reason: string;
}

/** What waits. Plain JSON. */
export interface Queue {
  readonly count: number;
  /** In the order in which they will start, at most `maxQueuedShown`. */
  readonly first: readonly QueuedBuild[];
}

/** How everything stands. Plain JSON. */
export interface Overview {
  /** The branches that are still there, the one built last first, at most `maxBranches`. */
  readonly branches: readonly BranchRow[];
  readonly queue: Queue;
}

export const recentBuilds = 20;
export const maxBranches = 100;
export const maxQueuedShown = 20;
