import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { expect } from "vitest";
import type { Command } from "../../src/cli/command.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { temporaryFolder } from "./temporary.ts";

const cache = process.env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache");
const cli = path.join(import.meta.dirname, "../../src/cli.ts");

/** What a command printed, and its exit code. */
export interface CommandResult {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** @default a temporary folder */
  readonly cwd?: string;
}

/** Runs `autobuild` with these arguments, in a process of its own, with a home of its own. */
export function runCommand(
  args: readonly string[],
  { input = "", environment = {}, cwd = temporaryFolder() }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(
    process.execPath,
    ["--conditions=@windsock/source", "--disable-warning=ExperimentalWarning", cli, ...args],
    {
      cwd,
      // A home of its own would have it compile all of the program anew each time.
      env: { PATH: process.env["PATH"], HOME: cwd, XDG_CACHE_HOME: cache, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  let output = "";
  let errors = "";
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  child.on("close", (code) => resolve({ code, output, errors }));
  return promise;
}

/** Runs a command in this process, in a home where no server runs. Resolves with what it printed; rejects as it does. */
export async function outputOf(
  command: Command,
  argv: readonly string[],
  cwd: string,
): Promise<string> {
  let output = "";
  const stream = new Writable({
    write(bytes: Buffer, _encoding, done) {
      output += bytes.toString();
      done();
    },
  }) as unknown as NodeJS.WriteStream;
  const environment = { XDG_DATA_HOME: temporaryFolder() };
  const terminal = new Terminal(process.stdin, stream, stream);
  expect(await command.run({ argv, environment, cwd, terminal })).toBe(0);
  return output;
}
