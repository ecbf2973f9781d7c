import { parseSource } from "../git/source.ts";
import { AddedStore } from "../store/added-store.ts";
import { exitCode, readArguments, UsageError, type Command } from "./command.ts";
import { withDatabase } from "./with-database.ts";

export const remove: Command = {
  name: "remove",
  summary: "takes back `add`, from the next start on",
  help: `Usage: autobuild remove <path or URL> [options]

The server builds it no more from its next start on; what was built stays.

  --data-dir <path>  AUTOBUILD_DATA_DIR  (default: that of the repository you are in)
`,
  async run({ argv, environment, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, { "data-dir": { type: "string" } });
    const [source, ...more] = positionals;
    if (source === undefined || more.length > 0)
      throw new UsageError(`Expected one repository, got ${positionals.length}.`);
    const { location } = parseSource(source, cwd);
    return withDatabase(values, environment, cwd, async ({ database }) => {
      const added = new AddedStore(database);
      if (added.remove(location)) {
        terminal.say(`${location} is built no more from the next start on.`);
        return exitCode.done;
      }
      const all = added.all();
      terminal.say(
        `Expected a repository that was added, got ${location}; there ${all.length === 0 ? "is none" : `are: ${all.join(", ")}`}.`,
      );
      return exitCode.failed;
    });
  },
};
