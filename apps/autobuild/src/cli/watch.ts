import type { Command } from "./command.ts";
import { runServer } from "./serve.ts";

export const watch: Command = {
  name: "watch",
  summary: "builds what is not committed too, each time you save",
  help: `Usage: autobuild watch [repository ...] [options]

Like autobuild without a command, and builds the files of a work tree as they are, each time one of them
changes: what is tracked, and what is neither tracked nor ignored. A newer state cancels the
build of an older one. Nothing of the repository is touched.

The options are those of serve: autobuild serve --help
`,
  run: (invocation) => runServer(invocation, { watchTrees: true }),
};
