import type { Build } from "./build.ts";
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
