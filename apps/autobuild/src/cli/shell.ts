import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { AutobuildError } from "../errors.ts";
import { environmentOf, planOf } from "./build-environment.ts";
import { exitCode, onlyOne, readBuildId, type Command } from "./command.ts";
import { serverCommand } from "./server-command.ts";

export const shell: Command = serverCommand({
  name: "shell",
  summary: "opens a shell where a build ran",
  help: `Usage: autobuild shell <build> [options]

Opens your shell in the workspace of a build, with the variables that its steps had, but for secrets. The
workspaces of the last three builds are kept, on the machine that AutoBuild runs on.
`,
  options: {},
  async run({ positionals, environment, terminal, findServer }) {
    const id = readBuildId(onlyOne(positionals, "the number of one build"));
    const api = await findServer();
    const plan = await planOf(api, await api.build(id));
    const { workspace } = plan;
    if (workspace === null || !existsSync(workspace)) {
      throw new AutobuildError(
        "AUTOBUILD_NOTHING_TO_BUILD",
        `Expected the workspace of build ${plan.buildId} on this machine, and it is not here${workspace === null ? " any more" : `: ${workspace}`}. ` +
          `Build it again (autobuild retry ${plan.buildId}), or run it here: autobuild reproduce ${plan.buildId} --run`,
      );
    }
    const program = environment["SHELL"] ?? "/bin/sh";
    terminal.say(`${workspace}: what you change here, no build sees. Leave with exit.`);
    const child = spawn(program, [], {
      cwd: workspace,
      env: {
        ...environmentOf(plan, environment),
        TERM: environment["TERM"] ?? "dumb",
        ...(environment["DISPLAY"] === undefined ? {} : { DISPLAY: environment["DISPLAY"] }),
      },
      stdio: "inherit",
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => resolve(code ?? exitCode.failed));
    });
  },
});
