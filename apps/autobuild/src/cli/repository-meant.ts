import { realpathSync } from "node:fs";
import type { Repository } from "../build/repository.ts";
import { AutobuildError } from "../errors.ts";
import { git } from "../git/git.ts";
import { repositoryAround } from "../git/repository-around.ts";
import { parseSource } from "../git/source.ts";
import { RefusedError, type ApiClient } from "./api-client.ts";

/** As many are named in a sentence. */
const maxNamed = 10;

/**
 * The label of the repository that a command means: the one that is named, by its name, URL or a path from where the
 * command was typed, else the one it was typed in, or in a clone of it, else the only one.
 */
export async function repositoryMeant(
  api: ApiClient,
  wanted: string | undefined,
  cwd: string,
): Promise<string> {
  const { repositories } = await api.get<{ repositories: readonly Repository[] }>(
    "/api/repositories",
  );
  const found =
    wanted === undefined ? await around(repositories, cwd) : named(repositories, wanted, cwd);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only.label;
  const candidates = found.length > 0 ? found : repositories;
  const shown = candidates.slice(0, maxNamed).map(({ name, label }) => {
    return candidates.filter((each) => each.name === name).length > 1 ? label : name;
  });
  const more = candidates.length - shown.length;
  const among = `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  throw new RefusedError(
    400,
    wanted === undefined
      ? `Expected to know which of ${repositories.length} repositories is meant, and ${cwd} is in none of them. Give --repository <name>: ${among}.`
      : `Expected one repository called ${JSON.stringify(wanted)}, got ${found.length}. Give one of: ${among}.`,
  );
}

function named(
  repositories: readonly Repository[],
  wanted: string,
  cwd: string,
): readonly Repository[] {
  const exact = repositories.filter(({ name, label }) => name === wanted || label === wanted);
  return exact.length > 0 ? exact : labelled(repositories, wanted, cwd);
}

async function around(
  repositories: readonly Repository[],
  cwd: string,
): Promise<readonly Repository[]> {
  if (repositories.length === 1) return repositories;
  const here = await repositoryAround(cwd).catch(() => undefined);
  if (here === undefined) return [];
  const own = labelled(repositories, here, cwd);
  if (own.length > 0) return own;
  const origin = await git(["-C", here, "remote", "get-url", "origin"]).catch(() => undefined);
  return origin === undefined ? [] : labelled(repositories, origin.trim(), here);
}

function labelled(
  repositories: readonly Repository[],
  source: string,
  cwd: string,
): readonly Repository[] {
  try {
    const label = sameForm(parseSource(source, cwd).label);
    return repositories.filter((each) => sameForm(each.label) === label);
  } catch (error) {
    if (error instanceof AutobuildError) return [];
    throw error;
  }
}

/** One repository is written in several ways: through a link, with `.git` or without. */
function sameForm(label: string): string {
  try {
    return realpathSync(label);
  } catch {
    return label.replace(/(?:\/|\.git)+$/, "");
  }
}
