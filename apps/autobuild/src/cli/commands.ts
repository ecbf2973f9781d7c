import { existsSync } from "node:fs";
import path from "node:path";
import { show } from "../errors.ts";
import { nearestName } from "../nearest-name.ts";
import { add } from "./add.ts";
import { backup, restore } from "./backup.ts";
import { cancel } from "./cancel.ts";
import { exitCode, UsageError, type Command, type Invocation } from "./command.ts";
import { sayFailure } from "./failure.ts";
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
    if (named === undefined) expectRepositoryName(name, invocation.cwd);
    return await command.run({ ...invocation, argv: named === undefined ? argv : rest });
  } catch (error) {
    return sayFailure(error, command, terminal);
  } finally {
    terminal.status("");
  }
}

/** A bare word that is neither a command nor a folder is a command that somebody has mistyped. */
function expectRepositoryName(name: string, cwd: string): void {
  if (!/^[a-z][a-z-]*$/i.test(name) || existsSync(path.resolve(cwd, name))) return;
  const nearest = nearestName(
    name,
    commands.map((each) => each.name),
  );
  throw new UsageError(
    `Expected a command, or a repository as a path or a URL, got ${show(name)}: neither is called so. ` +
      (nearest === undefined
        ? "`autobuild --help` lists the commands."
        : `Did you mean \`autobuild ${nearest}\`?`),
  );
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
