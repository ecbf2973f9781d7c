import type { Command } from "./command.ts";
import { hookCommand, hookHelp } from "./hook-command.ts";

export const hook: Command = {
  name: "hook",
  summary: "has git tell AutoBuild of commits: hook install, hook remove",
  help: hookHelp,
  run: ({ argv, cwd, terminal }) => hookCommand(argv, cwd, (text) => void terminal.write(text)),
};
