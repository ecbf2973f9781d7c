import { watch, type FSWatcher } from "node:fs";
import { stat } from "node:fs/promises";
import path from "node:path";
import { git } from "./git.ts";

/** A watch of the branches and tags of a local repository. */
export interface RefWatch {
  /** Whether the system tells of changes: false where it has no watches left, or has given this one up. */
  readonly isLive: boolean;
  /** Whether what it watches still lies where it lay: the watch of a folder goes with it when that is moved. */
  isInPlace(): Promise<boolean>;
  end(): void;
}

/**
 * Calls `handleChange` soon after a branch, a tag or HEAD of a local repository moved.
 *
 * A hint, and no more: network drives give none, and neither does a repository that is moved as a whole, so
 * whoever uses it looks from time to time as well. Rejects when the folder is no repository.
 */
export async function watchRefs(repository: string, handleChange: () => void): Promise<RefWatch> {
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
  const placed = await stat(gitDir);
  let isLive = true;

  const add = (
    folder: string,
    isOfInterest: (name: string) => boolean,
    recursive = false,
  ): void => {
    try {
      const watcher = watch(folder, { persistent: false, recursive }, (_event, name) => {
        if (name === null || isOfInterest(name)) handleChange();
      });
      watcher.on("error", () => {
        isLive = false;
        watcher.close();
      });
      watchers.push(watcher);
    } catch {
      isLive = false;
    }
  };
  // Only these names: the index next to them changes with every `git status`.
  for (const folder of new Set([gitDir, commonDir]))
    add(folder, (name) => name.startsWith("HEAD") || name.startsWith("packed-refs"));
  // Branches with a slash are in folders.
  add(path.join(commonDir, "refs"), () => true, true);
  return {
    get isLive() {
      return isLive;
    },
    isInPlace: () =>
      stat(gitDir).then(
        ({ dev, ino }) => dev === placed.dev && ino === placed.ino,
        () => false,
      ),
    end() {
      isLive = false;
      for (const watcher of watchers) watcher.close();
    },
  };
}
