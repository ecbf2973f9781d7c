import type { Command } from "./command.ts";
import { findServer } from "./find-server.ts";
import { hookCommand, hookHelp } from "./hook-command.ts";

export const hook: Command = {
  name: "hook",
  summary: "has git tell AutoBuild of commits: hook install, hook remove",
  help: hookHelp,
  run({ argv, cwd, environment, terminal }) {
    const findUrl = async (folder: string): Promise<string> =>
      (await findServer({}, environment, folder)).url;
    return hookCommand(argv, cwd, (text) => void terminal.write(text), findUrl);
  },
};
