import { AutobuildError, messageOf } from "../errors.ts";
import { git } from "./git.ts";
import type { RepositorySource } from "./source.ts";

/**
 * Makes sure that a path is a repository, so that a slip of the finger is told at once and not on a page.
 *
 * A URL is not asked: its host may be out of reach now and back in a minute.
 */
export async function expectRepository(source: RepositorySource): Promise<void> {
  if (source.type !== "path") return;
  try {
    await git(["-C", source.location, "rev-parse", "--git-dir"]);
  } catch (error) {
    if (error instanceof AutobuildError && error.code === "AUTOBUILD_FOREIGN_OWNER") throw error;
    throw new AutobuildError(
      "AUTOBUILD_BAD_SOURCE",
      `Expected a git repository at ${source.location}, and found none. Name another path or a URL.\n${messageOf(error)}`,
      { cause: error },
    );
  }
}
