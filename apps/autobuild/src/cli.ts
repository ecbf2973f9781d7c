import { WindsockError, type Server } from "windsock";
import { createAutobuild, type Autobuild } from "./autobuild.ts";
import { planCommand } from "./cli/plan-command.ts";
import { schemaCommand } from "./cli/schema-command.ts";
import { AutobuildError, messageOf } from "./errors.ts";
import { expectRepository } from "./git/expect-repository.ts";
import { parseSource } from "./git/source.ts";
import { help, readCommandLine } from "./options.ts";
import { startServer } from "./server.ts";

// Builds are told to a person in the terminal they started AutoBuild in; the pages show the same lines.
const chunkBytes = 64 * 1024;

/** Ctrl-C reaches us from the terminal, and npm and pnpm hand it on once more: within this time it is one press of a key. */
const sameKeyMs = 100;

try {
  await main();
} catch (error) {
  console.error(
    error instanceof AutobuildError || error instanceof WindsockError ? error.message : error,
  );
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const [name, ...rest] = process.argv.slice(2).filter((argument) => argument !== "--");
  const write = (text: string): void => void process.stdout.write(text);
  if (name === "plan") {
    process.exitCode = await planCommand(rest, process.cwd(), write);
    return;
  }
  if (name === "schema") {
    process.exitCode = schemaCommand(write);
    return;
  }
  const command = await readCommandLine(process.argv.slice(2), process.env, process.cwd());
  if (command.type === "help") {
    console.log(help);
    return;
  }
  for (const repository of command.repositories) await expectRepository(parseSource(repository));
  const autobuild = createAutobuild({
    ...command,
    hookSecret: process.env["AUTOBUILD_HOOK_SECRET"],
  });
  autobuild.on("problem", ({ message }) => console.error(`autobuild: ${message}`));
  autobuild.on("repositoryChanged", ({ label, state }) => {
    if (state.type === "unreachable") console.error(`autobuild: ${label}: ${state.message}`);
  });
  // A taken port is found out before anything is built.
  const server = await startServer(autobuild, command).catch(async (error: unknown) => {
    await autobuild.stop();
    throw error;
  });
  stopOnSignal(autobuild, server);
  await autobuild.start();
  follow(autobuild);
  const labels = autobuild.builds.repositories().map(({ label }) => label);
  console.log(`AutoBuild builds ${labels.join(", ")} and keeps its data in ${command.dataDir}`);
  console.log(`AutoBuild is at ${server.url.replace("127.0.0.1", "localhost")}`);
}

/** The first signal ends builds and then the process; a second one does not wait. */
function stopOnSignal(autobuild: Autobuild, server: Server): void {
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
        await autobuild.stop();
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

/** Prints the console's lines from now on. */
function follow(autobuild: Autobuild): void {
  const log = autobuild.console;
  let next = log.head();
  let isReading = false;
  // Whoever read our output has gone; builds go on.
  process.stdout.on("error", () => process.stdout.destroy());
  const print = async (): Promise<void> => {
    if (isReading || process.stdout.destroyed) return;
    isReading = true;
    while (next < log.head() && !process.stdout.destroyed) {
      const slice = await log.read(next, chunkBytes);
      next = slice.next;
      await new Promise<void>((resolve) => process.stdout.write(slice.text, () => resolve()));
    }
    isReading = false;
  };
  autobuild.on("logAdvanced", () => void print());
}
