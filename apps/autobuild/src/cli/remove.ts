import { parseSource } from "../git/source.ts";
import { AddedStore } from "../store/added-store.ts";
import { ApiClient } from "./api-client.ts";
import {
  exitCode,
  onlyOne,
  readArguments,
  whereHelp,
  whereOptions,
  type Command,
} from "./command.ts";
import { findDataDir } from "./find-server.ts";
import { readServerFile } from "./server-file.ts";
import { withDatabase } from "./with-database.ts";

export const remove: Command = {
  name: "remove",
  summary: "takes back `add`",
  help: `Usage: autobuild remove <path or URL> [options]

It is looked at no more, and what waits of it is cancelled; also beside a server that does not run. What was built
stays.

${whereHelp}
`,
  async run({ argv, environment, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, whereOptions);
    const { location } = parseSource(onlyOne(positionals, "one repository"), cwd);
    const done = (): number => {
      terminal.say(`${location} is built no more.`);
      return exitCode.done;
    };
    const isElsewhere = values.url !== undefined || (environment["AUTOBUILD_URL"] ?? "") !== "";
    const dataDir = isElsewhere ? undefined : await findDataDir(values, environment, cwd);
    const server = dataDir === undefined ? undefined : readServerFile(dataDir);
    if (dataDir === undefined || server !== undefined) {
      const api =
        server === undefined
          ? await ApiClient.find(values, environment, cwd)
          : new ApiClient({ ...server, dataDir });
      await api.post("/api/repositories/remove", { source: location });
      return done();
    }
    return withDatabase({ "data-dir": dataDir }, environment, cwd, async ({ database }) => {
      const added = new AddedStore(database);
      if (added.remove(location)) return done();
      const all = added.all();
      terminal.say(
        `Expected a repository that was added, got ${location}; there ${all.length === 0 ? "is none" : `are: ${all.join(", ")}`}.`,
      );
      return exitCode.failed;
    });
  },
};
