import path from "node:path";
import { WindsockError, type Server } from "windsock";
import { createAutobuild, type Autobuild } from "../autobuild.ts";
import { AutobuildError, messageOf, systemCodeOf } from "../errors.ts";
import { expectRepository } from "../git/expect-repository.ts";
import { parseSource } from "../git/source.ts";
import { IdleMemory } from "../idle-memory.ts";
import { startServer } from "../server.ts";
import { addressesOf, sayAddresses } from "./addresses.ts";
import { exitCode, type Invocation } from "./command.ts";
import { help, readCommandLine } from "./serve-options.ts";
import type { ServeMode } from "./serve.ts";
import { writeServerFile } from "./server-file.ts";

/** Of the console, read and printed at a time. */
const chunkBytes = 64 * 1024;

/** Ctrl-C reaches us from the terminal, and npm and pnpm hand it on once more: within this time it is one press of a key. */
const sameKeyMs = 100;

/** Starts a server as a command line says. Gives no exit code: it ends the process by itself. */
export async function startServing(
  { argv, environment, cwd, terminal }: Invocation,
  { watchTrees }: ServeMode,
): Promise<number | undefined> {
  const command = await readCommandLine(argv, environment, cwd);
  if (command.type === "help") {
    await terminal.write(help);
    return exitCode.done;
  }
  for (const repository of command.repositories) await expectRepository(parseSource(repository));
  const autobuild = createAutobuild({
    ...command,
    watchTrees,
    hookSecret: environment["AUTOBUILD_HOOK_SECRET"],
    repositoryRoots: readRoots(environment["AUTOBUILD_REPOSITORY_ROOTS"]),
  });
  autobuild.on("problem", ({ message }) => console.error(`autobuild: ${message}`));
  autobuild.on("repositoryChanged", ({ label, state }) => {
    if (state.type === "unreachable") console.error(`autobuild: ${label}: ${state.message}`);
  });
  // A taken port is found out before anything is built.
  const server = await startServer(autobuild, command).catch(async (error: unknown) => {
    await autobuild.stop();
    if (!(error instanceof WindsockError)) throw error;
    throw new AutobuildError("AUTOBUILD_STOPPED", whyNot(error, command), { cause: error });
  });
  const labels = autobuild.builds.repositories().map(({ label }) => label);
  const addresses = addressesOf(server.url, command.publicUrl);
  const forget = writeServerFile(command.dataDir, {
    url: addresses.local,
    token: autobuild.auth.localToken,
    pid: process.pid,
    repositories: labels,
  });
  process.once("exit", forget);
  stopOnSignal(autobuild, server, command.stopBuilds);
  await autobuild.start();
  follow(autobuild);
  IdleMemory.start();
  console.log(`AutoBuild builds ${labels.join(", ")} and keeps its data in ${command.dataDir}`);
  for (const line of sayAddresses(addresses, autobuild.auth.roleWithoutLogin)) console.log(line);
  return undefined;
}

function whyNot(error: WindsockError, { host, port }: { host: string; port: number }): string {
  if (systemCodeOf(error.cause) === "EADDRINUSE")
    return (
      `Expected port ${port} of ${host} to be free, got it taken by another program. Choose another one ` +
      "(`--port`, AUTOBUILD_PORT; 0 takes a free one). If an AutoBuild runs there, `autobuild add <path or URL>` has that one build more."
    );
  // Windsock's sentences are for people, too.
  return error.message;
}

/** Folders as in `PATH`, with colons between. */
function readRoots(text: string | undefined): string[] | undefined {
  const roots = text?.split(path.delimiter).filter((root) => path.isAbsolute(root));
  return roots === undefined || text === "" ? undefined : roots;
}

/**
 * The first signal ends the server; a second one does not wait.
 *
 * Ctrl-C ends what is built, too: a person in a terminal means all of it. A service manager that sends SIGTERM, and a
 * terminal that goes away, leave builds to their runners.
 */
function stopOnSignal(autobuild: Autobuild, server: Server, stopBuilds: boolean): void {
  let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined;
  const handleSignal = (signal: NodeJS.Signals): void => {
    if (first !== undefined) {
      const isSameKey =
        signal === "SIGINT" &&
        first.signal === "SIGINT" &&
        performance.now() - first.atMs < sameKeyMs;
      if (isSameKey) return;
      process.exit(1);
    }
    first = { signal, atMs: performance.now() };
    // Pages first: what they ask for needs the store, and they come back by themselves.
    server
      .stop()
      .then(async ({ timedOut }) => {
        const left = autobuild.builds.running();
        await autobuild.stop(signal === "SIGINT" ? true : undefined);
        if (signal !== "SIGINT" && !stopBuilds && left.length > 0)
          console.log(
            `AutoBuild ends, and ${left.map(({ id }) => `build ${id}`).join(", ")} ${left.length === 1 ? "goes" : "go"} on: start it again to see it.`,
          );
        return timedOut;
      })
      .then(
        (timedOut) => process.exit(timedOut ? 1 : 0),
        (error: unknown) => {
          console.error(`autobuild: ${messageOf(error)}`);
          process.exit(1);
        },
      );
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, handleSignal);
}

/** Prints the console's lines from now on, for the person who started AutoBuild in this terminal: those that the pages show. */
function follow(autobuild: Autobuild): void {
  const log = autobuild.console;
  let next = log.head();
  let isReading = false;
  // Whoever read our output has gone; builds go on.
  process.stdout.on("error", () => process.stdout.destroy());
  const print = async (): Promise<void> => {
    if (isReading || process.stdout.destroyed) return;
    isReading = true;
    try {
      while (next < log.head() && !process.stdout.destroyed) {
        const slice = await log.read(next, chunkBytes);
        next = slice.next;
        await new Promise<void>((resolve) => process.stdout.write(slice.text, () => resolve()));
      }
    } catch (error) {
      // The pages have it; from here on these lines come again.
      next = log.head();
      console.error(`autobuild: Lines of builds could not be shown here: ${messageOf(error)}`);
    } finally {
      isReading = false;
    }
  };
  autobuild.on("logAdvanced", () => void print());
}
