import { formatDuration, type Clock } from "../clock.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import { addExtras } from "../git/checkout-extras.ts";
import type { RepositorySource } from "../git/source.ts";
import type { Workspaces } from "../git/workspaces.ts";
import type { BuildLog } from "../log/build-log.ts";
import type { Plan } from "../plan/plan.ts";
import type { Tools } from "../plan/tools.ts";
import { buildEnvironment } from "../run/environment.ts";
import type { Runner, StepEnd } from "../run/runner.ts";
import type { OriginStore } from "../store/origin-store.ts";
import { planBuild } from "./build-plan.ts";
import type { Build, EndState, StepState } from "./build.ts";
import { tagOf } from "./origin.ts";

/** How a build ended. Also the reason that its signal is aborted with. */
export interface BuildOutcome {
  readonly state: Exclude<EndState, "lost">;
  readonly reason: string | null;
}

/** What the execution tells about steps, for the store and the pages. */
export interface StepListener {
  handlePlan(plan: Plan): void;
  handleStepStart(position: number): void;
  handleStepEnd(
    position: number,
    end: { state: StepState; reason: string | null; durationMs: number },
  ): void;
}

/** What an execution works with. */
export interface ExecutionTools {
  readonly workspaces: Workspaces;
  readonly origins: OriginStore;
  readonly runner: Runner;
  readonly tools: Tools;
  readonly clock: Clock;
  readonly passEnv: readonly string[];
  mirrorFolderOf(repositoryId: number): string;
  /** Undefined for one that is built no more. */
  sourceOf(repositoryId: number): RepositorySource | undefined;
}

/**
 * Does one build: check out, find the plan, run its steps; all of it told in the log.
 *
 * Resolves when nothing of the build runs any more. Aborting `signal` with a `BuildOutcome` ends it with
 * that outcome.
 */
export async function executeBuild(
  build: Build,
  cookie: string,
  log: BuildLog,
  signal: AbortSignal,
  listener: StepListener,
  tools: ExecutionTools,
): Promise<BuildOutcome> {
  const { workspaces, runner, passEnv } = tools;
  log.line(
    `=== build ${build.id} of ${build.repository} ${build.branch} ${build.sha.slice(0, 7)} ${build.subject}`,
  );
  try {
    const workspace = await workspaces.checkout(
      build.id,
      tools.mirrorFolderOf(build.repositoryId),
      build.sha,
      signal,
    );
    const origin = tools.origins.of(build.id);
    const mirrorFolder = tools.mirrorFolderOf(build.repositoryId);
    const plan = await planBuild(build, origin, workspace, mirrorFolder, tools.tools, signal);
    const source = tools.sourceOf(build.repositoryId);
    if (plan.checkout !== undefined && source !== undefined)
      await addExtras(workspace, plan.checkout, source, signal);
    log.line(`=== plan: ${plan.reason}`);
    listener.handlePlan(plan);

    const { id: buildId, sha, branch } = build;
    const end = await runner.run({
      cookie,
      workspace,
      environment: buildEnvironment({
        buildId,
        sha,
        branch,
        event: origin.event,
        tag: tagOf(branch),
        cookie,
        configured: plan.environment,
        // What a person passes on may be a secret; a fork's code gets none.
        passEnv: origin.isTrusted ? passEnv : [],
      }),
      steps: plan.steps,
      openOutput: () => log.stream(),
      signal,
      handleStepStart(position) {
        const step = plan.steps[position];
        log.line(`=== step ${step?.name}: ${step?.command}`);
        listener.handleStepStart(position);
      },
      handleStepEnd(position, stepEnd, durationMs) {
        const said = sayEnd(stepEnd);
        if (said !== "passed")
          log.line(
            `=== step ${plan.steps[position]?.name} ${said} after ${formatDuration(durationMs)}`,
          );
        listener.handleStepEnd(position, {
          state: stateOf(stepEnd),
          reason: said === "passed" ? null : said,
          durationMs,
        });
      },
    });
    switch (end.type) {
      case "passed":
        return { state: "passed", reason: null };
      case "failed":
        return {
          state: "failed",
          reason: `step ${plan.steps[end.position]?.name} ${sayEnd(end.end)}`,
        };
      case "aborted":
        return outcomeOf(signal);
    }
  } catch (error) {
    if (signal.aborted) return outcomeOf(signal);
    if (error instanceof AutobuildError && error.code === "AUTOBUILD_GIT_FAILED") {
      return { state: "failed", reason: `the commit could not be checked out: ${error.message}` };
    }
    return { state: "failed", reason: messageOf(error) };
  }
}

/** The result line that ends a build's log. */
export function resultLine(
  build: Build,
  outcome: { state: EndState; reason: string | null },
  durationMs: number,
): string {
  const preposition = outcome.state === "cancelled" ? "after" : "in";
  const reason = outcome.reason === null ? "" : `: ${outcome.reason}`;
  return `=== build ${build.id} ${outcome.state} ${preposition} ${formatDuration(durationMs)}${reason}`;
}

function outcomeOf(signal: AbortSignal): BuildOutcome {
  return signal.reason as BuildOutcome;
}

function stateOf(end: StepEnd): StepState {
  if (end.type === "passed") return "passed";
  return end.type === "aborted" ? "cancelled" : "failed";
}

function sayEnd(end: StepEnd): string {
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
