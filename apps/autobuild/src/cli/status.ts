import { isFlaky, type Build } from "../build/build.ts";
import type { Queue } from "../build/overview.ts";
import type { Repository } from "../build/repository.ts";
import { plainText } from "../plain-text.ts";
import { buildLine } from "./build-line.ts";
import { exitCode, readBuildId, UsageError, type Command } from "./command.ts";
import { jsonOption, serverCommand } from "./server-command.ts";

const shown = 10;

export const status: Command = serverCommand({
  name: "status",
  summary: "shows what runs, what waits and what was built",
  help: `Usage: autobuild status [build] [options]

Shows the running builds, the queue with the reasons for waiting, the newest builds and repositories out of
reach; or one build with its steps.
`,
  options: jsonOption,
  async run({ values, positionals, terminal, findServer }) {
    if (positionals.length > 1) throw new UsageError("Expected one build, got several.");
    const api = await findServer();
    if (positionals[0] !== undefined) {
      const build = await api.build(readBuildId(positionals[0]));
      if (values.json === true) await terminal.json(build);
      else {
        await terminal.print(buildLine(build));
        for (const step of build.steps) {
          const { name, state, reason, command } = step;
          const word = isFlaky(step) ? "flaky" : state;
          await terminal.print(
            plainText(
              `    ${word.padEnd(9)} ${name}${reason === null ? "" : ` ${reason}`}: ${command}`,
            ),
          );
        }
      }
      return exitCode.done;
    }
    const [{ builds, repositories }, queue] = await Promise.all([
      api.get<{ builds: readonly Build[]; repositories: readonly Repository[] }>("/api/builds"),
      api.get<Queue>("/api/queue"),
    ]);
    if (values.json === true) {
      await terminal.json({ builds, repositories, queue });
      return exitCode.done;
    }
    const started = builds.filter(({ state }) => state !== "queued");
    for (const { build, reason } of queue.first.toReversed())
      await terminal.print(`${buildLine({ ...build, reason: null })}  (${plainText(reason)})`);
    if (queue.count > queue.first.length)
      await terminal.print(`  and ${queue.count - queue.first.length} more in the queue`);
    for (const build of started.slice(0, shown)) await terminal.print(buildLine(build));
    for (const { label, state } of repositories)
      if (state.type === "unreachable")
        terminal.say(plainText(`${label} cannot be reached: ${firstLine(state.message)}`));
    if (builds.length === 0) terminal.say("Nothing has been built yet.");
    return exitCode.done;
  },
});

/** What git says goes on with advice. */
function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
