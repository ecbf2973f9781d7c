import type { OutputStream } from "../log/build-log.ts";
import type { PlannedStep } from "../plan/plan.ts";

/** Everything a runner needs to know about one build. */
export interface RunOrder {
  /** Marks every process of the build: it is in `environment.AUTOBUILD_COOKIE`, whatever else is there. */
  readonly cookie: string;
  /** The folder the steps run in. */
  readonly workspace: string;
  /** The whole environment of each step; nothing is added to it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly PlannedStep[];
  /** Opens a stream for one step's output, stdout and stderr merged in the order they were written. */
  openOutput(): OutputStream;
  handleStepStart(position: number): void;
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
