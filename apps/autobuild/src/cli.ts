import { enableCompileCache } from "node:module";
import os from "node:os";
import path from "node:path";
import { Terminal } from "./cli/terminal.ts";

// What was read, stripped of its types and compiled once need not be again: a start takes a third of the time, and
// the server holds less memory. For this user alone: it is code that runs.
const named = process.env["XDG_CACHE_HOME"] ?? "";
const cache = path.isAbsolute(named) ? named : path.join(os.homedir(), ".cache");
enableCompileCache(path.join(cache, "autobuild", "code"));
const { runCommandLine } = await import("./cli/commands.ts");

const code = await runCommandLine({
  argv: process.argv.slice(2),
  environment: process.env,
  cwd: process.cwd(),
  terminal: new Terminal(),
});
// Without one a server runs: it ends the process by itself.
if (code !== undefined) process.exitCode = code;
