import type { Build } from "../build/build.ts";
import type { Retried } from "../build/retry-failed.ts";
import { buildLine, exitCodeOf } from "./build-line.ts";
import { exitCode, readBuildId, UsageError, type Command } from "./command.ts";
import { followBuild } from "./follow-build.ts";
import { repositoryMeant } from "./repository-meant.ts";
import { jsonOption, serverCommand } from "./server-command.ts";

export const retry: Command = serverCommand({
  name: "retry",
  summary: "builds commits once more",
  help: `Usage: autobuild retry <build> [...] [options]
       autobuild retry --failed [options]

Builds the commits of these builds once more, from a fresh checkout.

  --failed                               of each branch whose last build did not pass
  --repository <path, URL or name>       with --failed: only of this one
  -f, --follow                           with one build: print its log until it has ended; exits with 3 if it
                                         did not pass`,
  options: {
    ...jsonOption,
    failed: { type: "boolean" },
    repository: { type: "string" },
    follow: { type: "boolean", short: "f" },
  },
  async run({ values, positionals, cwd, terminal, findServer }) {
    const ids = positionals.map((text) => readBuildId(text));
    if (ids.length > 0 === (values.failed === true))
      throw new UsageError(
        `Expected the numbers of builds, or --failed, got ${ids.length > 0 ? "both" : "neither"}.`,
      );
    if (values.repository !== undefined && values.failed !== true)
      throw new UsageError("Expected --repository together with --failed: a number says it all.");
    const api = await findServer();
    const { builds, isQueueFull } =
      values.failed === true
        ? await api.post<Retried>(
            "/api/builds/retry-failed",
            values.repository === undefined
              ? {}
              : { repository: await repositoryMeant(api, values.repository, cwd) },
          )
        : {
            builds: await Promise.all(ids.map((id) => api.post<Build>(`/api/builds/${id}/retry`))),
            isQueueFull: false,
          };
    const [only, ...others] = builds;
    if (values.follow === true && only !== undefined && others.length === 0) {
      terminal.say(buildLine(only));
      return exitCodeOf(await followBuild(api, only.id, terminal));
    }
    if (values.json === true) await terminal.json(builds);
    else for (const build of builds) await terminal.print(buildLine(build));
    if (isQueueFull)
      terminal.say(
        "The queue is full, and branches that failed are left. Try again when some have run.",
      );
    if (builds.length === 0)
      terminal.say("The last build of every branch passed, or has not ended.");
    return exitCode.done;
  },
});
