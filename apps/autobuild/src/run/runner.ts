import type { StepState } from "../build/build.ts";
import { formatDuration } from "../duration.ts";
import type { PlannedStep } from "../plan/plan.ts";
import type { AttemptRecord } from "./build-record.ts";

/** Everything a runner needs to know about one build. */
export interface RunOrder {
  /** Marks every process of the build: it is in `environment.AUTOBUILD_COOKIE`, whatever else is there. */
  readonly cookie: string;
  /** The folder the steps run in. */
  readonly workspace: string;
  /** The whole environment of a step; nothing is added to it. `hasTerminals`: whether a step that wants one gets a terminal. */
  environmentOf(step: PlannedStep, hasTerminals: boolean): Readonly<Record<string, string>>;
  /** By name: what the logs must not show. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly steps: readonly PlannedStep[];
  handleStepStart(position: number): void;
  /** Begins the record of an attempt, which takes its output: stdout and stderr merged in the order they were written. */
  startAttempt(position: number, attempt: number): Promise<AttemptRecord>;
  /** Also of a step that will never start: it is `skipped`. */
  handleStepEnd(ended: EndedStep): void;
  /** Ends the build when aborted. */
  readonly signal: AbortSignal;
}

/** A step that is over. */
export interface EndedStep {
  readonly position: number;
  readonly state: StepState;
  /** Of the last attempt; null where there was none. */
  readonly end: StepEnd | null;
  /** From the first attempt on. */
  readonly durationMs: number;
  readonly attempts: number;
}

/** How one attempt of a step ended. */
export type StepEnd =
  | { readonly type: "passed" }
  | { readonly type: "exited"; readonly code: number }
  | { readonly type: "killed"; readonly signal: string }
  | { readonly type: "timedOut"; readonly timeoutMs: number }
  | { readonly type: "silent"; readonly silenceMs: number }
  | { readonly type: "notStarted"; readonly message: string }
  | { readonly type: "aborted" };

/** How the steps of a build ended, all together: `failed` names the first that did. */
export type RunEnd =
  | { readonly type: "passed" }
  | { readonly type: "failed"; readonly position: number; readonly end: StepEnd }
  | { readonly type: "aborted" };

/**
 * Runs the steps of builds, as processes of this machine.
 *
 * AutoBuild calls `run` once per build and awaits it; builds may overlap. A runner MUST start a step
 * only when all that it needs have passed, try it again as its `retry` says, report each step's start before
 * its end and every step's end, and resolve only when no process of the build is left. It MUST NOT reject for
 * what a step does.
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
    case "silent":
      return `printed nothing for ${formatDuration(end.silenceMs)}`;
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
