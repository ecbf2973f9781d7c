import type { Build } from "../build/build.ts";
import { buildLine, exitCodeOf } from "./build-line.ts";
import { exitCode, UsageError, type Command } from "./command.ts";
import { followBuild } from "./follow-build.ts";
import { repositoryMeant } from "./repository-meant.ts";
import { jsonOption, serverCommand } from "./server-command.ts";

export const run: Command = serverCommand({
  name: "run",
  summary: "builds a branch or a tag now",
  help: `Usage: autobuild run [branch] [options]

Builds a branch as it is at its source; without one, the one that HEAD is on there.

  --branch <name>                        the same as a branch without --branch
  --tag <name>                           a tag in the place of a branch
  --repository <path, URL or name>       which one, if several are built (the one you are in)
  -f, --follow                           print the log until it has ended; exits with 3 if it did not pass`,
  options: {
    ...jsonOption,
    branch: { type: "string" },
    tag: { type: "string" },
    repository: { type: "string" },
    follow: { type: "boolean", short: "f" },
  },
  async run({ values, positionals, cwd, terminal, findServer }) {
    const given = [...positionals, ...(values.branch === undefined ? [] : [values.branch])];
    const [branch, ...more] = given;
    if (more.length > 0)
      throw new UsageError(`Expected one branch, got ${given.length}: ${given.join(", ")}.`);
    if (branch !== undefined && values.tag !== undefined)
      throw new UsageError("Expected a branch or --tag, got both.");
    const api = await findServer();
    const build = await api.post<Build>("/api/builds", {
      ...(branch === undefined ? {} : { branch }),
      ...(values.tag === undefined ? {} : { tag: values.tag }),
      repository: await repositoryMeant(api, values.repository, cwd),
    });
    if (values.follow === true) {
      terminal.say(buildLine(build));
      return exitCodeOf(await followBuild(api, build.id, terminal));
    }
    if (values.json === true) await terminal.json(build);
    else await terminal.print(buildLine(build));
    return exitCode.done;
  },
});
