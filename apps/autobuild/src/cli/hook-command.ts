import path from "node:path";
import { parseArgs } from "node:util";
import { AutobuildError, messageOf, show } from "../errors.ts";
import { installHooks, removeHooks } from "../triggers/local-hook.ts";

export const hookHelp = `Usage: autobuild hook install [repository] [--url <url>]
       autobuild hook remove [repository]

Has git tell AutoBuild of each commit (or, in a bare repository, of each push) to a repository on
this machine. AutoBuild finds them by itself as well; this helps where files are not watched well,
such as on a network drive.

  --url <url>   where AutoBuild is (the one that runs here, else http://localhost:8001)
  --help
`;

/**
 * `autobuild hook install|remove [repository]`. Returns the exit code.
 *
 * @param findUrl where the AutoBuild is that builds a folder, when no address is given
 */
export async function hookCommand(
  argv: readonly string[],
  cwd: string,
  write: (text: string) => void,
  findUrl: (folder: string) => Promise<string> = () => Promise.resolve("http://localhost:8001"),
): Promise<number> {
  const { values, positionals } = parse(argv);
  const [verb, folder = ".", ...more] = positionals;
  if (values.help === true) {
    write(hookHelp);
    return 0;
  }
  if ((verb !== "install" && verb !== "remove") || more.length > 0)
    throw badOption(
      `Expected install or remove, and one repository, got ${show(positionals.join(" "))}.`,
    );
  const repository = path.resolve(cwd, folder);
  const url = values.url ?? (await findUrl(repository));
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw badOption(`Expected --url to be an http or https URL, got ${show(url)}.`);
  const changes =
    verb === "install" ? await installHooks(repository, url) : await removeHooks(repository);
  write(changes.map(({ file, change }) => `${change} ${file}\n`).join(""));
  return 0;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { url: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    throw badOption(messageOf(error));
  }
}

function badOption(message: string): AutobuildError {
  return new AutobuildError("AUTOBUILD_BAD_OPTION", `${message}\n\n${hookHelp}`);
}
