import type { Command, Invocation } from "./command.ts";
import { help } from "./serve-options.ts";
import { becomeServer } from "./server-process.ts";

/** What `autobuild` does unless it is told otherwise. */
export const serve: Command = {
  name: "serve",
  summary: "builds repositories and shows the builds (also without `serve`)",
  help,
  run: (invocation) => runServer(invocation, { watchTrees: false }),
};

/** What a server is told besides its command line. */
export interface ServeMode {
  /** Whether what is not committed is built too. */
  readonly watchTrees: boolean;
}

/** Runs a server as a command line says. Gives no exit code: it ends the process by itself. */
export async function runServer(
  invocation: Invocation,
  mode: ServeMode,
): Promise<number | undefined> {
  if (invocation.isWholeProcess === true) becomeServer(mode, invocation.argv);
  return (await import("./server.ts")).startServing(invocation, mode);
}
