import { watch, type FSWatcher } from "node:fs";
import path from "node:path";
import { git } from "./git.ts";

/**
 * Calls `handleChange` soon after a branch, a tag or HEAD of a local repository moved. Returns what ends the watch.
 *
 * A hint, and no more: branches in folders, other ref stores and systems out of watches give none, so
 * whoever uses it looks from time to time as well. Rejects when the folder is no repository.
 */
export async function watchRefs(repository: string, handleChange: () => void): Promise<() => void> {
  const output = await git([
    "-C",
    repository,
    "rev-parse",
    "--path-format=absolute",
    "--git-dir",
    "--git-common-dir",
  ]);
  const [gitDir = "", commonDir = ""] = output.split("\n");
  const watchers: FSWatcher[] = [];

  const add = (folder: string, isOfInterest: (name: string) => boolean): void => {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || isOfInterest(name)) handleChange();
      });
      watcher.on("error", () => watcher.close());
      watchers.push(watcher);
    } catch {
      // Not there, or the system has no watches left.
    }
  };
  // Only these names: the index next to them changes with every `git status`.
  for (const folder of new Set([gitDir, commonDir]))
    add(folder, (name) => name.startsWith("HEAD") || name.startsWith("packed-refs"));
  for (const kind of ["heads", "tags"]) add(path.join(commonDir, "refs", kind), () => true);
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
