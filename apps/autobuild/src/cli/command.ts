import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { messageOf, show, systemCodeOf, type AutobuildError } from "../errors.ts";
import { nearestName } from "../nearest-name.ts";
import type { Terminal } from "./terminal.ts";

/** What a command ended with. */
export const exitCode = {
  done: 0,
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The build that was waited for did not pass. */
  notPassed: 3,
  /** By Ctrl-C. */
  interrupted: 130,
} as const;

/** What a command ends with that could not do its work. */
export function failureCode({ code }: AutobuildError): number {
  return code === "AUTOBUILD_BAD_OPTION" ? exitCode.usage : exitCode.failed;
}

/** What a command is given. */
export interface Invocation {
  /** After its name. */
  readonly argv: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly terminal: Terminal;
  /** Whether nothing else uses this process, so that the command may put another program in its place. @default false */
  readonly isWholeProcess?: boolean;
}

/** One of `autobuild`'s commands: a file of its own, and a row in the table of `commands.ts`. */
export interface Command {
  readonly name: string;
  /** For the list of all commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /** Gives the exit code; undefined: what it started goes on, and ends the process by itself. */
  run(invocation: Invocation): Promise<number | undefined>;
}

/** The command line is wrong: exit code 2, and where to read what is right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What every command takes; `runCommandLine` answers it. */
const common = {
  help: { type: "boolean", short: "h" },
} as const satisfies ParseArgsOptionsConfig;

/** Where commands that work on a data folder find it. */
export const dataDirOption = {
  "data-dir": { type: "string" },
} as const satisfies ParseArgsOptionsConfig;

export const dataDirHelp =
  "  --data-dir <path>  AUTOBUILD_DATA_DIR  (default: that of the repository you are in)";

/** Where commands that talk to a server find it. */
export const whereOptions = {
  ...dataDirOption,
  url: { type: "string" },
} as const satisfies ParseArgsOptionsConfig;

export const whereHelp = `  --data-dir <path>  AUTOBUILD_DATA_DIR  the data folder of the AutoBuild that is meant
  --url <url>        AUTOBUILD_URL       its address, with a token in AUTOBUILD_TOKEN
                                         (neither: the one that runs on this machine)`;

/** Reads a command's arguments. Throws `UsageError` for an option that there is not. */
export function readArguments<const Options extends ParseArgsOptionsConfig>(
  argv: readonly string[],
  options: Options,
) {
  const known = { ...common, ...options };
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options: known });
  } catch (error) {
    throw new UsageError(wrongOption(error, Object.keys(known)), { cause: error });
  }
}

/** What is wrong with an option, which `parseArgs` tells programmers. */
function wrongOption(error: unknown, known: readonly string[]): string {
  const message = messageOf(error);
  const given = /'(-[^' ,]*)/.exec(message)?.[1] ?? "";
  switch (systemCodeOf(error)) {
    case "ERR_PARSE_ARGS_UNKNOWN_OPTION": {
      const nearest = nearestName(given.replace(/^-+/, ""), known);
      return `Expected an option that there is, got ${show(given)}.${nearest === undefined ? "" : ` Did you mean --${nearest}?`}`;
    }
    case "ERR_PARSE_ARGS_INVALID_OPTION_VALUE": {
      const name = /--[a-z-]+/.exec(message)?.[0] ?? given;
      return message.includes("does not take")
        ? `Expected no value after ${name}, which takes none.`
        : `Expected a value after ${name}, got none. One that starts with a hyphen is written ${name}=-x.`;
    }
    default:
      return message;
  }
}

/** The one argument that a command takes; `what` as in "Expected one folder, got 2." */
export function onlyOne(positionals: readonly string[], what: string): string {
  const [only, ...more] = positionals;
  if (only !== undefined && more.length === 0) return only;
  throw new UsageError(`Expected ${what}, got ${positionals.length}.`);
}

/** The number of a build, as people write it: `12` or `#12`. */
export function readBuildId(text: string | undefined): number {
  const id = /^#?([1-9]\d{0,14})$/.exec(text ?? "")?.[1];
  if (id !== undefined) return Number(id);
  throw new UsageError(`Expected the number of a build, such as 12, got ${text ?? "nothing"}.`);
}
