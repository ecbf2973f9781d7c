import { readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** A server and its runners need some 2,500, of 5 KB each. */
const maxFiles = 10_000;

/**
 * Where compiled code is kept between starts: what was read, stripped of its types and compiled once need not be again.
 *
 * For this user alone: it is code that runs.
 */
export function codeCacheFolder(environment: NodeJS.ProcessEnv): string {
  const named = environment["XDG_CACHE_HOME"] ?? "";
  const cache = path.isAbsolute(named) ? named : path.join(os.homedir(), ".cache");
  return path.join(cache, "autobuild", "code");
}

/**
 * Empties the code cache when it holds more than `limit` files: Node adds one for each version of a source and takes none
 * away. What is needed comes back as it is loaded.
 */
export function boundCodeCache(folder: string, limit: number = maxFiles): void {
  try {
    if (readdirSync(folder, { recursive: true }).length > limit)
      rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    // There is none yet, or it is not ours to write to: then nothing is added either.
    void error;
  }
}
