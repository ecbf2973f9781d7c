import type { Command } from "./command.ts";
import { planCommand, planHelp } from "./plan-command.ts";

export const plan: Command = {
  name: "plan",
  summary: "prints how a folder would be built, and runs nothing",
  help: planHelp,
  run: ({ argv, cwd, terminal }) => planCommand(argv, cwd, (text) => void terminal.write(text)),
};
