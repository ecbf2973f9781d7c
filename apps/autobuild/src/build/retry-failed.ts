import type { Build } from "./build.ts";
import type { Builds } from "./builds.ts";
import type { BranchRow } from "./overview.ts";

/** Which branches to build again; all that are there unless it names some. */
export interface RetryFilter {
  readonly repositoryId?: number | undefined;
  readonly branch?: string | undefined;
}

/** The branches whose last build did not pass and that have none on its way. */
export function branchesToRetry(
  branches: readonly BranchRow[],
  queued: readonly Build[],
  { repositoryId, branch }: RetryFilter,
): BranchRow[] {
  return branches.filter(
    (row) =>
      (row.build.state === "failed" || row.build.state === "lost") &&
      (repositoryId === undefined || row.repositoryId === repositoryId) &&
      (branch === undefined || row.branch === branch) &&
      !queued.some((one) => one.repositoryId === row.repositoryId && one.branch === row.branch),
  );
}

/** Builds the newest commit of each branch again whose last build did not pass; gives the new builds. */
export function retryFailed(
  branches: readonly BranchRow[],
  builds: Pick<Builds, "rebuild" | "queued">,
  filter: RetryFilter,
  by: string,
): Build[] {
  return branchesToRetry(branches, builds.queued(), filter).map(({ build }) =>
    builds.rebuild(build.id, by),
  );
}
