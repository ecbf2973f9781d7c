import type { Clock } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import { addExtras } from "../git/checkout-extras.ts";
import type { RepositorySource } from "../git/source.ts";
import type { Workspaces } from "../git/workspaces.ts";
import type { Plan } from "../plan/plan.ts";
import type { Planner } from "../plan/planner.ts";
import type { BuildRecord } from "../run/build-record.ts";
import { buildEnvironment } from "../run/environment.ts";
import { describeMachine, toolsOf, versionsOf } from "../run/machine.ts";
import { sayEnd, type Runner } from "../run/runner.ts";
import type { GrantedSecrets } from "../secrets/secrets.ts";
import { planBuild } from "./build-plan.ts";
import type { Build, EndState } from "./build.ts";
import { tagOf, type BuildOrigin } from "./origin.ts";

/** How a build ended. Also the reason that its signal is aborted with. */
export interface BuildOutcome {
  readonly state: EndState;
  readonly reason: string | null;
}

/** What an execution works with. */
export interface ExecutionTools {
  readonly workspaces: Workspaces;
  /** The copy of the build's repository. */
  readonly mirrorFolder: string;
  /** Where that repository is; undefined for one that is built no more. */
  readonly source: RepositorySource | undefined;
  readonly origin: BuildOrigin;
  readonly runner: Runner;
  readonly planner: Planner;
  readonly clock: Clock;
  readonly passEnv: readonly string[];
  /** Aborts the build's signal with that outcome. */
  end(outcome: BuildOutcome): void;
  /** The secrets that a plan's steps name, as far as this build may have them. */
  secretsFor(plan: Plan): GrantedSecrets;
}

/**
 * Does one build: check out, find the plan, run its steps; all of it written down in its record.
 *
 * Resolves when nothing of the build runs any more. Aborting `signal` with a `BuildOutcome` ends it with
 * that outcome.
 */
export async function executeBuild(
  build: Build,
  cookie: string,
  record: BuildRecord,
  signal: AbortSignal,
  tools: ExecutionTools,
): Promise<BuildOutcome> {
  const { workspaces, mirrorFolder, source, origin, runner, passEnv, clock } = tools;
  const startedMs = clock.monotonicMs();
  let stopTimer = (): void => {};
  let endFacts = async (): Promise<void> => {};
  record.line(
    `build ${build.id} of ${build.repository} ${build.branch} ${build.sha.slice(0, 7)} ${build.subject}`,
  );
  try {
    const workspace = await workspaces.checkout(build.id, mirrorFolder, build.sha, signal);
    const plan = await planBuild(build, origin, workspace, mirrorFolder, tools.planner, signal);
    if (plan.checkout !== undefined && source !== undefined)
      await addExtras(workspace, plan.checkout, source, signal);
    record.plan(plan);
    const leftMs = Math.max(0, plan.timeoutMs - (clock.monotonicMs() - startedMs));
    stopTimer = clock.after(leftMs, () =>
      tools.end({
        state: "failed",
        reason: `the build ran out of its time of ${formatDuration(plan.timeoutMs)}`,
      }),
    );
    const { values: secrets, missing } = tools.secretsFor(plan);
    for (const name of missing)
      record.line(
        `the secret ${name} is not set: steps go without it (autobuild secret set ${name})`,
      );
    await record.endSetup();

    const { id: buildId, sha, branch } = build;
    const environment = {
      buildId,
      sha,
      branch,
      event: origin.event,
      tag: tagOf(branch),
      cookie,
      configured: {},
      // What a person passes on may be a secret; a fork's code gets none.
      passEnv: origin.isTrusted ? passEnv : [],
    };
    endFacts = recordFacts(record, plan.steps, buildEnvironment(environment));
    const end = await runner.run({
      cookie,
      workspace,
      secrets,
      environmentOf: (step, hasTerminals) =>
        buildEnvironment({
          ...environment,
          isTerminal: step.tty && hasTerminals,
          configured: { ...plan.environment, ...step.environment, ...only(secrets, step.secrets) },
        }),
      steps: plan.steps,
      signal,
      handleStepStart: (position) => record.startStep(position),
      startAttempt: (position, attempt) => record.startAttempt(position, attempt),
      handleStepEnd: ({ position, state, end: stepEnd, durationMs, attempts }) =>
        record.endStep(position, state, stepEnd, durationMs, attempts),
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
  } finally {
    stopTimer();
    await endFacts();
  }
}

/** Writes down where a build runs, and beside its steps the versions of their tools. Gives what ends the asking. */
function recordFacts(
  record: BuildRecord,
  steps: Plan["steps"],
  environment: Readonly<Record<string, string>>,
): () => Promise<void> {
  const asking = new AbortController();
  const facts = (async () => {
    record.facts({ type: "machine", machine: await describeMachine(Object.keys(environment)) });
    const versions = await versionsOf(toolsOf(steps), environment, asking.signal);
    record.facts({ type: "tools", versions });
  })();
  return () => {
    asking.abort();
    return facts;
  };
}

function only(
  secrets: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = secrets[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The result line that ends a build's console log. */
export function resultLine(
  build: Build,
  outcome: { state: EndState; reason: string | null },
  durationMs: number,
): string {
  const preposition = outcome.state === "cancelled" ? "after" : "in";
  const reason = outcome.reason === null ? "" : `: ${outcome.reason}`;
  return `build ${build.id} ${outcome.state} ${preposition} ${formatDuration(durationMs)}${reason}`;
}

function outcomeOf(signal: AbortSignal): BuildOutcome {
  return signal.reason as BuildOutcome;
}
