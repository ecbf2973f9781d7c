import { runCommandLine } from "./cli/commands.ts";
import { Terminal } from "./cli/terminal.ts";

const code = await runCommandLine({
  argv: process.argv.slice(2),
  environment: process.env,
  cwd: process.cwd(),
  terminal: new Terminal(),
});
// Without one a server runs: it ends the process by itself.
if (code !== undefined) process.exitCode = code;
