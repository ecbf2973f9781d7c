import { backupCommand, backupHelp, restoreCommand, type CommandOutput } from "./backup-command.ts";
import type { Command } from "./command.ts";
import type { Terminal } from "./terminal.ts";

export const backup: Command = {
  name: "backup",
  summary: "copies everything into a new folder, while the server runs",
  help: backupHelp,
  run: ({ argv, environment, cwd, terminal }) =>
    backupCommand(argv, environment, cwd, outputOf(terminal)),
};

export const restore: Command = {
  name: "restore",
  summary: "puts such a copy into a data folder",
  help: backupHelp,
  run: ({ argv, environment, cwd, terminal }) =>
    restoreCommand(argv, environment, cwd, outputOf(terminal)),
};

function outputOf(terminal: Terminal): CommandOutput {
  return {
    write: (text) => void terminal.write(text),
    status: (text) => terminal.status(text),
  };
}
