import type { Build } from "../build/build.ts";
import { ApiClient } from "./api-client.ts";
import { buildLine } from "./build-line.ts";
import {
  exitCode,
  readArguments,
  readBuildId,
  UsageError,
  whereHelp,
  whereOptions,
  type Command,
} from "./command.ts";

export const cancel: Command = {
  name: "cancel",
  summary: "ends builds",
  help: `Usage: autobuild cancel <build> [...] [options]

Ends builds that wait or run, and returns when no process of them is left.

  --json
${whereHelp}
`,
  async run({ argv, environment, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, {
      json: { type: "boolean" },
      ...whereOptions,
    });
    if (positionals.length === 0) throw new UsageError("Expected the number of a build, got none.");
    const ids = positionals.map((text) => readBuildId(text));
    const api = await ApiClient.find(values, environment, cwd);
    terminal.status("ending processes");
    const ended = await Promise.all(ids.map((id) => api.post<Build>(`/api/builds/${id}/cancel`)));
    terminal.status("");
    if (values.json === true) await terminal.json(ended);
    else for (const build of ended) await terminal.print(buildLine(build));
    return exitCode.done;
  },
};
