// A build's own process: it outlives the server that started it. Its working folder is the build's.
import { writeFile, rename } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { executeBuild, resultLine, type BuildOutcome } from "../build/build-execution.ts";
import { systemClock } from "../clock.ts";
import { AutobuildError, messageOf, systemCodeOf } from "../errors.ts";
import { Workspaces } from "../git/workspaces.ts";
import type { Plan } from "../plan/plan.ts";
import { PlanningProcess } from "../plan/planner.ts";
import type { GrantedSecrets } from "../secrets/secrets.ts";
import { BuildRecord } from "./build-record.ts";
import { identify } from "./process-identity.ts";
import { ProcessRunner } from "./process-runner.ts";
import { sweepCookie } from "./process-tree.ts";
import { RunnerDoor } from "./runner-door.ts";
import type { RunnerFile, RunnerOrder } from "./runner-protocol.ts";

/** A longer launch is a clock that was set meanwhile. */
const maxLaunchMs = 60_000;

const order = JSON.parse(await text(process.stdin)) as RunnerOrder;
const { build, cookie } = order;
const clock = systemClock;
// Counted from when the build started, as its times are: that it took us a while to be there is part of it.
const sinceStartMs = clock.epochMs() - (build.startedMs ?? clock.epochMs());
const isPlausible = sinceStartMs >= 0 && sinceStartMs <= maxLaunchMs;
const startedMs = clock.monotonicMs() - (isPlausible ? sinceStartMs : 0);
const abort = new AbortController();
const end = (outcome: BuildOutcome): void => abort.abort(outcome);

// A service manager that ends a whole group, or a machine that goes down.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  process.on(signal, () => end({ state: "lost", reason: `its runner was ended by ${signal}` }));

const door = new RunnerDoor(clock, (command) => end(command.outcome));
await door.open();
const identity = await identify(process.pid);
await writeFile(
  "runner.json.new",
  JSON.stringify({
    pid: process.pid,
    startTime: identity?.startTime ?? null,
    bootId: identity?.bootId ?? null,
    cookie,
  } satisfies RunnerFile),
  { mode: 0o600 },
);
await rename("runner.json.new", "runner.json");

const record = await BuildRecord.open(process.cwd(), order.recordOptions, clock, {
  handleJournalGrown: () => door.handleJournalGrown(),
  handleConsoleGrown: (length) => door.handleConsoleGrown(length),
  handleLogGrown: (position, attempt) => door.handleLogGrown(position, attempt),
  handleFailure: (error) => end({ state: "failed", reason: logFailure(error) }),
});
// A mistake of ours that is thrown where nobody waits ends the build with a sentence, and not its runner.
let isExecuting = true;
const handleMistake = (error: unknown): void => {
  console.error(error);
  if (!isExecuting) process.exit(1);
  end({ state: "failed", reason: `AutoBuild made a mistake: ${messageOf(error)}` });
};
process.on("uncaughtException", handleMistake);
process.on("unhandledRejection", handleMistake);
const planner = new PlanningProcess();
abort.signal.addEventListener("abort", () => void planner.end(), { once: true });
let outcome: BuildOutcome;
try {
  outcome = await executeBuild(build, cookie, record, abort.signal, {
    workspaces: new Workspaces(order.workspacesFolder),
    mirrorFolder: order.mirrorFolder,
    source: order.source,
    origin: order.origin,
    runner: new ProcessRunner({ clock, niceness: order.niceness }),
    planner,
    clock,
    passEnv: order.passEnv,
    end,
    secretsFor,
  });
} catch (error) {
  console.error(error);
  outcome = { state: "failed", reason: `AutoBuild made a mistake: ${messageOf(error)}` };
}
isExecuting = false;
await planner.end();
// It was ended in the midst of its work, and so what evaluates a configuration for it was not.
await sweepCookie(cookie);
await record.flush();
// The disk may have refused the very last lines of a build that passed.
if (abort.signal.aborted) outcome = abort.signal.reason as BuildOutcome;
const durationMs = clock.monotonicMs() - startedMs;
record.lastLine(resultLine(build, outcome, durationMs));
await record.end(outcome.state, outcome.reason, durationMs);
await door.close();
process.exit(0);

function secretsFor(plan: Plan): GrantedSecrets {
  const values: Record<string, string> = {};
  const missing: string[] = [];
  for (const name of new Set(plan.steps.flatMap(({ secrets }) => secrets))) {
    const unopened = order.unopenedSecrets[name];
    if (unopened !== undefined) throw new AutobuildError("AUTOBUILD_NO_SECRET", unopened);
    const value = order.secrets[name];
    if (value === undefined) missing.push(name);
    else values[name] = value;
  }
  return { values, missing };
}

function logFailure(error: unknown): string {
  const advice =
    systemCodeOf(error) === "ENOSPC"
      ? "Make room on the disk that holds the data folder, then rebuild."
      : "Look at the data folder, then rebuild.";
  return `AutoBuild could not write the build's log: ${messageOf(error)}. ${advice}`;
}
