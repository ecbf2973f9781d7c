import type { Build, NewBuild } from "../../src/build/build.ts";

/** A build of a commit of `main`, to be put into a store. */
export function newBuildOf(repositoryId: number, some: Partial<NewBuild> = {}): NewBuild {
  return {
    repositoryId,
    branch: "main",
    sha: "a",
    author: "Ann",
    subject: "Subject",
    committedMs: 0,
    cause: "commit",
    causeBuildId: null,
    queuedMs: 0,
    ...some,
  };
}

/** A build that runs and has no steps, as pages get it. */
export function buildWith(some: Partial<Build> = {}): Build {
  return {
    ...newBuildOf(1),
    id: 1,
    repository: "project",
    sha: "a".repeat(40),
    state: "running",
    reason: null,
    startedMs: 1,
    finishedMs: null,
    durationMs: null,
    logBytes: 0,
    steps: [],
    ...some,
  };
}
