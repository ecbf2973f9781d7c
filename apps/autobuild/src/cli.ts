import { enableCompileCache } from "node:module";
import { codeCacheFolder } from "./cli/code-cache.ts";
import { Terminal } from "./cli/terminal.ts";

enableCompileCache(codeCacheFolder(process.env));
const { runCommandLine } = await import("./cli/commands.ts");

const code = await runCommandLine({
  argv: process.argv.slice(2),
  environment: process.env,
  cwd: process.cwd(),
  terminal: new Terminal(),
  isWholeProcess: true,
});
// Without one a server runs: it ends the process by itself.
if (code !== undefined) process.exitCode = code;
