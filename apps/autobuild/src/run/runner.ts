import type { StepState } from "../build/build.ts";
import { formatDuration } from "../clock.ts";
import type { PlannedStep } from "../plan/plan.ts";
import type { AttemptRecord } from "./build-record.ts";

/** Everything a runner needs to know about one build. */
export interface RunOrder {
  /** Marks every process of the build: it is in `environment.AUTOBUILD_COOKIE`, whatever else is there. */
  readonly cookie: string;
  /** The folder the steps run in. */
  readonly workspace: string;
  /** The whole environment of each step; nothing is added to it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly PlannedStep[];
  handleStepStart(position: number): void;
  /** Begins the record of an attempt, which takes its output: stdout and stderr merged in the order they were written. */
  startAttempt(position: number, attempt: number): Promise<AttemptRecord>;
  handleStepEnd(position: number, end: StepEnd, durationMs: number): void;
  /** Ends the build when aborted. */
  readonly signal: AbortSignal;
}

/** How one step ended. */
export type StepEnd =
  | { readonly type: "passed" }
  | { readonly type: "exited"; readonly code: number }
  | { readonly type: "killed"; readonly signal: string }
  | { readonly type: "timedOut"; readonly timeoutMs: number }
  | { readonly type: "notStarted"; readonly message: string }
  | { readonly type: "aborted" };

/** How the steps of a build ended, all together. */
export type RunEnd =
  | { readonly type: "passed" }
  | { readonly type: "failed"; readonly position: number; readonly end: StepEnd }
  | { readonly type: "aborted" };

/**
 * Runs the steps of builds, as processes of this machine.
 *
 * AutoBuild calls `run` once per build and awaits it; builds may overlap. A runner MUST run the steps in
 * order, stop at the first that does not pass, report each step's start before its end, and resolve only
 * when no process of the build is left. It MUST NOT reject for what a step does.
 */
export interface Runner {
  run(order: RunOrder): Promise<RunEnd>;
  /** Kills what is left of a build whose server died, found by its cookie. Returns how many processes that were. */
  sweep(cookie: string): Promise<number>;
}

/** How a step ended, as the end of a sentence that begins with its name. */
export function sayEnd(end: StepEnd): string {
  switch (end.type) {
    case "passed":
      return "passed";
    case "exited":
      return `exited with ${end.code}`;
    case "killed":
      return `was killed by ${end.signal}`;
    case "timedOut":
      return `ran out of its time of ${formatDuration(end.timeoutMs)}`;
    case "notStarted":
      return `could not be started: ${end.message}`;
    case "aborted":
      return "was cancelled";
  }
}

/** The state of a step, or of an attempt, that ended so. */
export function stateOf(end: StepEnd): StepState {
  if (end.type === "passed") return "passed";
  return end.type === "aborted" ? "cancelled" : "failed";
}
