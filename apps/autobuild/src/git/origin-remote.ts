import { AutobuildError } from "../errors.ts";
import { git } from "./git.ts";
import { parseSource } from "./source.ts";

const timeoutMs = 5000;

/**
 * The remote `origin` of a repository on this machine, as people may see it: without user name and password.
 *
 * Undefined where it has none, or where that is not known to have the commit: a link would lead nowhere.
 */
export async function originWith(folder: string, sha: string): Promise<string | undefined> {
  const ask = (...args: string[]): Promise<string> =>
    git(["-C", folder, ...args], { timeoutMs }).then((answer) => answer.trim());
  try {
    const { label } = parseSource(await ask("remote", "get-url", "origin"), folder);
    // A bare repository keeps no track of what its origin has: it is a copy of it.
    if ((await ask("rev-parse", "--is-bare-repository")) === "true") return label;
    const tracked = await ask(
      "for-each-ref",
      "--count=1",
      `--contains=${sha}`,
      "--format=%(refname)",
      "refs/remotes/origin/",
    );
    return tracked === "" ? undefined : label;
  } catch (error) {
    if (error instanceof AutobuildError) return undefined;
    throw error;
  }
}
