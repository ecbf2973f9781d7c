import type { BuildEvent } from "../plan/when.ts";

/** Where a build comes from, as far as queue, plan and secrets need to know. */
export interface BuildOrigin {
  readonly event: BuildEvent;
  /** The commit that was built before on that branch: what changed is counted from there. Null when unknown. */
  readonly baseSha: string | null;
  /** Whether its branch was the one that HEAD is on. */
  readonly isDefault: boolean;
  /** Whether what is built may see secrets: false for pull requests of forks. */
  readonly isTrusted: boolean;
  /** Whether a newer commit of the branch cancels it. */
  readonly isSupersedable: boolean;
}

/** What a build is of which nothing else is known: asked for by hand. */
export const manualOrigin: BuildOrigin = {
  event: "manual",
  baseSha: null,
  isDefault: false,
  isTrusted: true,
  isSupersedable: false,
};

// No branch can be called like these: a branch's name holds no space.
const tagPrefix = "tag ";
const pullRequestPrefix = "pull request ";

/** What a build of a tag has in the place of a branch. */
export function branchOfTag(tag: string): string {
  return tagPrefix + tag;
}

/** What a build of a pull request has in the place of a branch. */
export function branchOfPullRequest(number: number): string {
  return pullRequestPrefix + number;
}

/** The tag that a build is of, if it is of one. */
export function tagOf(branch: string): string | undefined {
  return branch.startsWith(tagPrefix) ? branch.slice(tagPrefix.length) : undefined;
}

/** Whether it is a branch of the repository, and no tag, pull request, HEAD on no branch or work tree. */
export function isBranch(branch: string): boolean {
  return !branch.includes(" ");
}
