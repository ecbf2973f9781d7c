/**
 * A build's life:
 *
 *                 +--> passed
 *     queued --> running --> failed
 *       |         | +--> lost        (AutoBuild died under it)
 *       |         v
 *       +--> cancelled
 *
 * The four on the right and below are ends: nothing leaves them.
 */
export type BuildState = "queued" | "running" | "passed" | "failed" | "cancelled" | "lost";

/** How a build that has ended, ended. */
export type EndState = Exclude<BuildState, "queued" | "running">;

/**
 * Why a build was queued: a commit came, somebody asked for it or for it once more, its time had come, or
 * AutoBuild stopped under the first try.
 */
export type BuildCause = "commit" | "manual" | "rebuild" | "cron" | "requeue";

/** One build of one commit, as the store has it and pages show it. Plain JSON. */
export interface Build {
  readonly id: number;
  readonly repositoryId: number;
  /** The repository's short name, such as `windsock`. */
  readonly repository: string;
  readonly branch: string;
  readonly sha: string;
  readonly author: string;
  /** First line of the commit message. */
  readonly subject: string;
  readonly committedMs: number;
  readonly cause: BuildCause;
  /** The build that this one repeats. */
  readonly causeBuildId: number | null;
  readonly state: BuildState;
  /** A sentence for people; null while there is nothing to say. */
  readonly reason: string | null;
  readonly queuedMs: number;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  /** Measured on the monotonic clock, so not always `finishedMs - startedMs`. */
  readonly durationMs: number | null;
  /** Size of the log once the build has ended; while it runs, ask the log. */
  readonly logBytes: number;
  readonly steps: readonly Step[];
}

/** `skipped`: an earlier step failed, or the build was cancelled before its turn. */
export type StepState = "waiting" | "running" | "passed" | "failed" | "cancelled" | "skipped";

/** One step of a build. Plain JSON. */
export interface Step {
  readonly position: number;
  readonly name: string;
  /** The command as a person would type it. */
  readonly command: string;
  readonly state: StepState;
  readonly reason: string | null;
  readonly startedMs: number | null;
  readonly durationMs: number | null;
  /** Names of the steps that must pass before it; null where that was not kept: the one before it. */
  readonly needs: readonly string[] | null;
  /** In order. A step that passed after more than one is flaky. */
  readonly attempts: readonly Attempt[];
}

/** Whether a step passed, and not at once. */
export function isFlaky({ state, attempts }: Pick<Step, "state" | "attempts">): boolean {
  return state === "passed" && attempts.length > 1;
}

/** One try of a step, with a log of its own. Plain JSON. */
export interface Attempt {
  /** Counted from 1. */
  readonly attempt: number;
  /** Never `waiting` or `skipped`. */
  readonly state: StepState;
  readonly reason: string | null;
  readonly startedMs: number;
  readonly durationMs: number | null;
  /** Of its log; null while it grows. */
  readonly logBytes: number | null;
  /** Of its whole log, in hexadecimal; null while it grows. */
  readonly sha256: string | null;
}

/** Whether a build has ended. */
export function hasEnded(build: Build): boolean {
  return build.state !== "queued" && build.state !== "running";
}

/** What a new build is made of. */
export interface NewBuild {
  readonly repositoryId: number;
  readonly branch: string;
  readonly sha: string;
  readonly author: string;
  readonly subject: string;
  readonly committedMs: number;
  readonly cause: BuildCause;
  readonly causeBuildId: number | null;
  readonly queuedMs: number;
}

/** The same commit of the same branch once more. */
export function repeatOf(build: Build, cause: BuildCause, queuedMs: number): NewBuild {
  const { id, repositoryId, branch, sha, author, subject, committedMs } = build;
  return {
    repositoryId,
    branch,
    sha,
    author,
    subject,
    committedMs,
    cause,
    causeBuildId: id,
    queuedMs,
  };
}
