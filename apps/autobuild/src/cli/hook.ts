import path from "node:path";
import { show } from "../errors.ts";
import { installHooks, removeHooks } from "../triggers/local-hook.ts";
import { exitCode, readArguments, UsageError, whereOptions, type Command } from "./command.ts";
import { findServer } from "./find-server.ts";

export const hook: Command = {
  name: "hook",
  summary: "has git tell AutoBuild of commits: hook install, hook remove",
  help: `Usage: autobuild hook install [repository] [options]
       autobuild hook remove [repository]

Has git tell AutoBuild of each commit (or, in a bare repository, of each push) to a repository on
this machine. AutoBuild finds them by itself as well; this helps where files are not watched well,
such as on a network drive.

  --url <url>        AUTOBUILD_URL       where AutoBuild is (the one that runs here, else http://localhost:8001)
  --data-dir <path>  AUTOBUILD_DATA_DIR  its data folder, in the place of its address
`,
  async run({ argv, environment, cwd, terminal }) {
    const { values, positionals } = readArguments(argv, whereOptions);
    const [verb, folder = ".", ...more] = positionals;
    if ((verb !== "install" && verb !== "remove") || more.length > 0)
      throw new UsageError(
        `Expected install or remove, and one repository, got ${positionals.length === 0 ? "nothing" : show(positionals.join(" "))}.`,
      );
    const repository = path.resolve(cwd, folder);
    const url = values.url ?? (await findServer(values, environment, repository)).url;
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new UsageError(`Expected --url to be an http or https URL, got ${show(url)}.`);
    const changes =
      verb === "install" ? await installHooks(repository, url) : await removeHooks(repository);
    for (const { file, change } of changes) await terminal.print(`${change} ${file}`);
    return exitCode.done;
  },
};
