import os from "node:os";
import path from "node:path";

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
