import { spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { git } from "../git/git.ts";
import { plainText } from "../plain-text.ts";
import { quoted } from "../shell-word.ts";
import { environmentOf, planOf, type BuildPlan } from "./build-environment.ts";
import { exitCode, onlyOne, readBuildId, type Command } from "./command.ts";
import { jsonOption, serverCommand } from "./server-command.ts";
import type { Terminal } from "./terminal.ts";

export const reproduce: Command = serverCommand({
  name: "reproduce",
  summary: "prints, or runs here, what a build ran",
  help: `Usage: autobuild reproduce <build> [--run] [options]

Prints a shell script: the exact commit, the variables and the commands of a build. Secrets are named, and
their values left to you.

  --run                                  run it here, in a new folder, one step after the other; exits with 3
                                         if a step fails. It runs what the repository says, as you.`,
  options: {
    ...jsonOption,
    run: { type: "boolean" },
  },
  async run({ values, positionals, environment, terminal, findServer }) {
    const id = readBuildId(onlyOne(positionals, "the number of one build"));
    const api = await findServer();
    const plan = await planOf(api, await api.build(id));
    if (values.run === true) return runHere(plan, environment, terminal);
    if (values.json === true) await terminal.json(plan);
    else await terminal.write(scriptOf(plan));
    return exitCode.done;
  },
});

/** The build as a script for a POSIX shell. What comes from the repository is quoted, or in a comment of one line. */
function scriptOf(plan: BuildPlan): string {
  const { buildId, repository, sha, branch, environment } = plan;
  const variables = {
    CI: "1",
    ...environment,
    AUTOBUILD: "1",
    AUTOBUILD_BUILD: String(buildId),
    AUTOBUILD_COMMIT: sha,
    AUTOBUILD_BRANCH: branch,
  };
  const secrets = [...new Set(plan.steps.flatMap((step) => step.secrets))];
  return [
    "#!/bin/sh",
    `# ${plainText(`build ${buildId} of ${repository} ${branch}: ${plan.reason}`)}`,
    "set -eu",
    "folder=$(mktemp -d)",
    `git clone --quiet -- ${quoted(repository)} "$folder"`,
    'cd "$folder"',
    `git checkout --quiet --detach ${quoted(sha)}`,
    ...Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`),
    ...secrets.map((name) => `: "\${${name}:?is a secret of the build: set it}"; export ${name}`),
    ...plan.steps.flatMap((step) => [
      "",
      `# ${plainText(step.name)}${step.image === null ? "" : plainText(` (in the image ${step.image})`)}`,
      [
        ...(Object.keys(step.environment).length === 0 ? [] : ["env"]),
        ...Object.entries(step.environment).map(([name, value]) => quoted(`${name}=${value}`)),
        ...step.argv.map(quoted),
      ].join(" "),
    ]),
    "",
  ].join("\n");
}

async function runHere(
  plan: BuildPlan,
  own: NodeJS.ProcessEnv,
  terminal: Terminal,
): Promise<number> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `autobuild-${plan.buildId}-`));
  terminal.say(`In ${folder}:`);
  terminal.status("git clone");
  await git(["clone", "--quiet", "--no-checkout", "--", plan.repository, folder], {
    timeoutMs: 10 * 60_000,
  });
  await git(["-C", folder, "checkout", "--quiet", "--detach", plan.sha, "--"], {
    timeoutMs: 10 * 60_000,
  });
  terminal.status("");
  const common = environmentOf(plan, own);
  for (const step of plan.steps) {
    terminal.say(plainText(`=== step ${step.name}: ${step.command}`));
    if (step.image !== null)
      terminal.say(plainText(`=== it ran in the image ${step.image}, and runs here without it`));
    const secrets: Record<string, string> = {};
    for (const name of step.secrets) {
      const value = own[name];
      if (value === undefined) terminal.say(`=== the secret ${name} is not set here`);
      else secrets[name] = value;
    }
    const [program = "", ...args] = step.argv;
    const code = await new Promise<number | null>((resolve) => {
      const child = spawn(program, args, {
        cwd: folder,
        env: { ...common, ...step.environment, ...secrets },
        stdio: "inherit",
      });
      child.on("error", (error) => {
        terminal.say(error.message);
        resolve(null);
      });
      child.on("exit", resolve);
    });
    if (code !== 0) {
      terminal.say(plainText(`=== step ${step.name} exited with ${code ?? "a signal"}`));
      return exitCode.notPassed;
    }
  }
  return exitCode.done;
}
