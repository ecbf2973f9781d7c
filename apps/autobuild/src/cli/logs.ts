import { parseDuration } from "../duration.ts";
import { instantOf } from "../instant.ts";
import { exitCodeOf } from "./build-line.ts";
import { exitCode, readBuildId, UsageError, type Command } from "./command.ts";
import { followBuild } from "./follow-build.ts";
import { serverCommand } from "./server-command.ts";
import { resetColour, terminalText } from "./terminal-text.ts";

export const logs: Command = serverCommand({
  name: "logs",
  summary: "prints a build's log, also while it grows",
  help: `Usage: autobuild logs [build] [-f] [options]

Prints the log of a build; without one, of the newest. Of what a build prints only colours reach the terminal:
other sequences could set its title, read its clipboard or type in your place.

  -f, --follow                           go on until the build has ended; exits with 3 if it did not pass.
                                         A connection that breaks is made again, and no line is lost.
  --since <time>                         only what was printed then or later: 90s, 10m or 12h ago, or a time such
                                         as 2026-11-24T10:00
  --raw                                  everything as it was printed`,
  options: {
    follow: { type: "boolean", short: "f" },
    raw: { type: "boolean" },
    since: { type: "string" },
  },
  async run({ values, positionals, terminal, findServer }) {
    if (positionals.length > 1) throw new UsageError("Expected one build, got several.");
    const api = await findServer();
    const { id } = await api.build(
      positionals[0] === undefined ? undefined : readBuildId(positionals[0]),
    );
    const raw = values.raw === true;
    const log = `/api/builds/${id}/log${values.since === undefined ? "" : `?since=${encodeURIComponent(since(values.since))}`}`;
    if (values.follow === true) {
      const from =
        values.since === undefined ? 0 : Number((await api.headers(log)).get("log-offset"));
      return exitCodeOf(await followBuild(api, id, terminal, { raw, from }));
    }
    let rest = "";
    let isEmpty = true;
    for await (const text of api.text(log)) {
      isEmpty = false;
      // Whole lines, so that no sequence is cut in two.
      const end = (rest + text).lastIndexOf("\n") + 1;
      const lines = (rest + text).slice(0, end);
      rest = (rest + text).slice(end);
      await terminal.write(raw ? lines : terminalText(lines));
    }
    if (isEmpty && values.since !== undefined)
      terminal.say(`Build ${id} has printed nothing since then.`);
    if (terminal.isInteractive) await terminal.write(resetColour);
    return exitCode.done;
  },
});

/** A time as the server reads it: how long ago by its own clock, and a time of day in the zone of this machine. */
function since(text: string): string {
  const ms = instantOf(text, 0);
  if (ms === undefined)
    throw new UsageError(
      `Expected a time such as 10m or 2026-11-24T10:00, got ${JSON.stringify(text)}.`,
    );
  return parseDuration(text) === undefined ? new Date(ms).toISOString() : text;
}
