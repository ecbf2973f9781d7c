import { AutobuildError } from "../errors.ts";
import { RefusedError } from "./api-client.ts";
import { exitCode, failureCode, UsageError, type Command } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** Says why a command could not do its work, and gives the exit code. Throws what is nobody's to put right but ours. */
export function sayFailure(
  error: unknown,
  { help }: Pick<Command, "help">,
  terminal: Terminal,
): number {
  if (error instanceof UsageError) {
    // The whole of it would push the sentence off the screen.
    terminal.say(`${error.message}\n\n${usageOf(help)}\n--help says more.`);
    return exitCode.usage;
  }
  if (error instanceof RefusedError) {
    terminal.say(error.message);
    return exitCode.failed;
  }
  if (!(error instanceof AutobuildError)) throw error;
  terminal.say(error.message);
  return failureCode(error);
}

/** The first paragraph: how the command is written. */
function usageOf(help: string): string {
  return help.split("\n\n", 1).join("");
}
