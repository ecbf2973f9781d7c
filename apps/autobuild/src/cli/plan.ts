import { stat } from "node:fs/promises";
import path from "node:path";
import { formatDuration } from "../duration.ts";
import { plainText } from "../plain-text.ts";
import { Checkout } from "../plan/checkout.ts";
import { findPlan } from "../plan/find-plan.ts";
import { stepDefaults, type Plan, type PlannedStep } from "../plan/plan.ts";
import { systemTools } from "../plan/tools.ts";
import { eventNames, isBuildEvent, type BuildContext } from "../plan/when.ts";
import { readRules } from "../triggers/rules.ts";
import { exitCode, readArguments, UsageError, type Command } from "./command.ts";

export const plan: Command = {
  name: "plan",
  summary: "prints how a folder would be built, and runs nothing",
  help: `Usage: autobuild plan [folder] [options]

Prints how AutoBuild would build a folder, and runs nothing.

  --branch <name>   as if this branch were built
  --tag <name>      as if this tag were built
  --event <event>   as if that had happened: ${eventNames.join(", ")} (manual)
  --json            the plan as the runner gets it
  --help
`,
  async run({ argv, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, {
      branch: { type: "string" },
      tag: { type: "string" },
      event: { type: "string" },
      json: { type: "boolean" },
    });
    const folder = path.resolve(cwd, positionals[0] ?? ".");
    const found = await stat(folder).catch(() => undefined);
    if (!found?.isDirectory() || positionals.length > 1)
      throw new UsageError(
        `Expected one folder that is there, got ${positionals.length > 1 ? positionals.length : folder}.`,
      );
    const event = values.event ?? (values.tag === undefined ? "manual" : "tag");
    if (!isBuildEvent(event))
      throw new UsageError(
        `Expected --event to be one of ${eventNames.join(", ")}, got ${JSON.stringify(event)}.`,
      );
    const context: BuildContext = { event, branch: values.branch, tag: values.tag };
    const planned = await findPlan(folder, systemTools, context);
    if (values.json === true) {
      await terminal.json(planned);
      return exitCode.done;
    }
    await terminal.write(planText(planned));
    // What the commit changed is not known here.
    const rules = await readRules(new Checkout(folder));
    if (!(await rules.wants(context, async () => undefined)))
      await terminal.print(
        "not built by itself: the configuration's `when` does not name it. Asked for, it is",
      );
    return exitCode.done;
  },
};

/** A plan for people: why, and then each step with what is particular about it. */
function planText(plan: Plan): string {
  const lines = [`plan: ${plan.reason}`];
  const width = Math.min(30, Math.max(...plan.steps.map(({ name }) => name.length)));
  for (const [index, step] of plan.steps.entries()) {
    const before = plan.steps[index - 1];
    const [command = "", ...rest] = step.command.split("\n");
    const number = String(index + 1).padStart(3);
    lines.push(`${number}. ${step.name.padEnd(width)}  ${command}${rest.length > 0 ? " …" : ""}`);
    const particulars = particularsOf(step, before);
    if (particulars.length > 0) lines.push(`${" ".repeat(width + 7)}${particulars.join("; ")}`);
  }
  const names = Object.keys(plan.environment);
  if (names.length > 0) lines.push(`variables: ${names.join(", ")}`);
  lines.push(`time: ${formatDuration(plan.timeoutMs)} for the build`);
  return `${lines.map(plainText).join("\n")}\n`;
}

function particularsOf(step: PlannedStep, before: PlannedStep | undefined): string[] {
  const said: string[] = [];
  const isAfterBefore = step.needs.length === 1 && step.needs[0] === before?.name;
  if (step.needs.length === 0 && before !== undefined) said.push("starts at once");
  else if (step.needs.length > 0 && !isAfterBefore) said.push(`after ${step.needs.join(", ")}`);
  if (step.timeoutMs !== stepDefaults.timeoutMs)
    said.push(`at most ${formatDuration(step.timeoutMs)}`);
  if (step.silenceTimeoutMs !== null)
    said.push(`at most ${formatDuration(step.silenceTimeoutMs)} silent`);
  if (step.retry.times > 0)
    said.push(`up to ${step.retry.times} more attempts after ${step.retry.on.join(" or ")}`);
  if (!step.tty) said.push("no terminal");
  if (step.image !== null) said.push(`in ${step.image}`);
  if (step.secrets.length > 0) said.push(`with secrets ${step.secrets.join(", ")}`);
  if (step.artifacts.length > 0) said.push(`keeps ${step.artifacts.join(", ")}`);
  if (step.reports.length > 0) said.push(`reads ${step.reports.join(", ")}`);
  return said;
}
