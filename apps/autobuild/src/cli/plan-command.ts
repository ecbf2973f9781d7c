import { stat } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { formatDuration } from "../clock.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import { plainText } from "../plain-text.ts";
import { Checkout } from "../plan/checkout.ts";
import { findPlan } from "../plan/find-plan.ts";
import { stepDefaults, type Plan, type PlannedStep } from "../plan/plan.ts";
import { systemTools, type Tools } from "../plan/tools.ts";
import { eventNames, isBuildEvent, type BuildContext } from "../plan/when.ts";
import { readRules } from "../triggers/rules.ts";

export const planHelp = `Usage: autobuild plan [folder] [options]

Prints how AutoBuild would build a folder, and runs nothing.

  --branch <name>   as if this branch were built
  --tag <name>      as if this tag were built
  --event <event>   as if that had happened: ${eventNames.join(", ")} (manual)
  --json            the plan as the runner gets it
  --help
`;

/** `autobuild plan [folder]`: what would be run, from the folder as it lies there. Returns the exit code. */
export async function planCommand(
  argv: readonly string[],
  cwd: string,
  write: (text: string) => void,
  tools: Tools = systemTools,
): Promise<number> {
  const { values, positionals } = parse(argv);
  if (values.help === true) {
    write(planHelp);
    return 0;
  }
  const folder = path.resolve(cwd, positionals[0] ?? ".");
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory() || positionals.length > 1)
    throw new AutobuildError(
      "AUTOBUILD_BAD_OPTION",
      `Expected one folder that is there, got ${positionals.length > 1 ? positionals.length : folder}.\n\n${planHelp}`,
    );
  const event = values.event ?? (values.tag === undefined ? "manual" : "tag");
  if (!isBuildEvent(event))
    throw new AutobuildError(
      "AUTOBUILD_BAD_OPTION",
      `Expected --event to be one of ${eventNames.join(", ")}, got ${JSON.stringify(event)}.`,
    );
  const context: BuildContext = { event, branch: values.branch, tag: values.tag };
  const plan = await findPlan(folder, tools, context);
  if (values.json === true) {
    write(`${JSON.stringify(plan, null, 2)}\n`);
    return 0;
  }
  write(planText(plan));
  // What the commit changed is not known here.
  const rules = await readRules(new Checkout(folder));
  if (!(await rules.wants(context, async () => undefined)))
    write(`not built by itself: the configuration's \`when\` does not name it. Asked for, it is\n`);
  return 0;
}

/** A plan for people: why, and then each step with what is particular about it. */
export function planText(plan: Plan): string {
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

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        branch: { type: "string" },
        tag: { type: "string" },
        event: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new AutobuildError("AUTOBUILD_BAD_OPTION", `${messageOf(error)}\n\n${planHelp}`, {
      cause: error,
    });
  }
}
