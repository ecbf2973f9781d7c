import { AutobuildError } from "../errors.ts";
import { branchesToRetry, type RetryFilter } from "./branches-to-retry.ts";
import type { Build } from "./build.ts";
import type { Builds } from "./builds.ts";
import type { BranchRow } from "./overview.ts";

/** What became of "retry failed". Plain JSON. */
export interface Retried {
  /** The new builds. */
  readonly builds: readonly Build[];
  /** Whether the queue had no room for more, and branches that failed are left. */
  readonly isQueueFull: boolean;
}

/**
 * Builds the newest commit of each branch again whose last build did not pass, as far as the queue has room.
 *
 * Throws `AUTOBUILD_QUEUE_FULL` when it has none.
 *
 * @param pages the branches, some at a time
 */
export function retryFailed(
  pages: Iterable<readonly BranchRow[]>,
  builds: Pick<Builds, "rebuild" | "queued">,
  filter: RetryFilter,
  by: string,
): Retried {
  const retried: Build[] = [];
  for (const branches of pages) {
    for (const { build } of branchesToRetry(branches, builds.queued(), filter)) {
      try {
        retried.push(builds.rebuild(build.id, by));
      } catch (error) {
        const isFull = error instanceof AutobuildError && error.code === "AUTOBUILD_QUEUE_FULL";
        if (!isFull || retried.length === 0) throw error;
        return { builds: retried, isQueueFull: true };
      }
    }
  }
  return { builds: retried, isQueueFull: false };
}
