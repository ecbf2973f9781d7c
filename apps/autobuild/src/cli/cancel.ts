import type { Build } from "../build/build.ts";
import { buildLine } from "./build-line.ts";
import { exitCode, readBuildId, UsageError, type Command } from "./command.ts";
import { jsonOption, serverCommand } from "./server-command.ts";

export const cancel: Command = serverCommand({
  name: "cancel",
  summary: "ends builds",
  help: `Usage: autobuild cancel <build> [...] [options]

Ends builds that wait or run, and returns when no process of them is left.
`,
  options: jsonOption,
  async run({ values, positionals, terminal, findServer }) {
    if (positionals.length === 0) throw new UsageError("Expected the number of a build, got none.");
    const ids = positionals.map((text) => readBuildId(text));
    const api = await findServer();
    terminal.status("ending processes");
    const ended = await Promise.all(ids.map((id) => api.post<Build>(`/api/builds/${id}/cancel`)));
    terminal.status("");
    if (values.json === true) await terminal.json(ended);
    else for (const build of ended) await terminal.print(buildLine(build));
    return exitCode.done;
  },
});
