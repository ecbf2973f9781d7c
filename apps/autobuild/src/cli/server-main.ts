// The server's process, for `becomeServer`.
import { AutobuildError } from "../errors.ts";
import { failureCode } from "./command.ts";
import type { ServeMode } from "./serve.ts";
import { startServing } from "./server.ts";
import { Terminal } from "./terminal.ts";

const [mode = "", ...argv] = process.argv.slice(2);
const terminal = new Terminal();
let code: number | undefined;
try {
  code = await startServing(
    { argv, environment: process.env, cwd: process.cwd(), terminal },
    JSON.parse(mode) as ServeMode,
  );
} catch (error) {
  if (!(error instanceof AutobuildError)) throw error;
  terminal.say(error.message);
  code = failureCode(error);
}
if (code !== undefined) process.exitCode = code;
