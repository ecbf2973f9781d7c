import { AutobuildError } from "../errors.ts";
import { add } from "./add.ts";
import { RefusedError } from "./api-client.ts";
import { backup, restore } from "./backup.ts";
import { cancel } from "./cancel.ts";
import { exitCode, failureCode, UsageError, type Command, type Invocation } from "./command.ts";
import { hook } from "./hook.ts";
import { logs } from "./logs.ts";
import { plan } from "./plan.ts";
import { remove } from "./remove.ts";
import { reproduce } from "./reproduce.ts";
import { retry } from "./retry.ts";
import { run } from "./run.ts";
import { schema } from "./schema.ts";
import { secret } from "./secret.ts";
import { serve } from "./serve.ts";
import { shell } from "./shell.ts";
import { status } from "./status.ts";
import { token } from "./token.ts";
import { unseal } from "./unseal.ts";
import { user } from "./user.ts";
import { watch } from "./watch.ts";

/** In the order in which help lists them. */
export const commands: readonly Command[] = [
  serve,
  watch,
  add,
  remove,
  run,
  status,
  logs,
  cancel,
  retry,
  reproduce,
  shell,
  hook,
  plan,
  schema,
  user,
  token,
  secret,
  backup,
  restore,
  unseal,
];

/**
 * Runs what the command line says: the command it names, else `serve` with all of it.
 *
 * A repository that is called like a command is `./status`. Gives the exit code, as `Command.run` does.
 */
export async function runCommandLine(invocation: Invocation): Promise<number | undefined> {
  const { terminal } = invocation;
  // A package manager hands on the `--` that ends its own options.
  const argv = invocation.argv[0] === "--" ? invocation.argv.slice(1) : invocation.argv;
  const [name = "", ...rest] = argv;
  if (name === "help" || name === "--help" || name === "-h") {
    await terminal.write(helpOf(rest[0]));
    return exitCode.done;
  }
  const named = commands.find((each) => each.name === name);
  const command = named ?? serve;
  if (named !== undefined && (rest.includes("--help") || rest.includes("-h"))) {
    await terminal.write(command.help);
    return exitCode.done;
  }
  if (command !== serve) terminal.endWithReader();
  try {
    return await command.run({ ...invocation, argv: named === undefined ? argv : rest });
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.say(`${error.message}\n\n${command.help}`);
      return exitCode.usage;
    }
    if (error instanceof RefusedError) {
      terminal.say(error.message);
      return exitCode.failed;
    }
    if (!(error instanceof AutobuildError)) throw error;
    terminal.say(error.message);
    return failureCode(error);
  } finally {
    terminal.status("");
  }
}

function helpOf(name: string | undefined): string {
  const named = commands.find((each) => each.name === name);
  if (named !== undefined) return named.help;
  const width = Math.max(...commands.map((each) => each.name.length));
  const lines = commands.map((each) => `  ${each.name.padEnd(width)}  ${each.summary}`);
  return `${serve.help}
Commands (autobuild <command> --help):

${lines.join("\n")}

Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3 the build that was waited for did not pass,
130 interrupted.
`;
}
