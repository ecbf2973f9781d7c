import type { PlannedCheckout } from "../plan/plan.ts";
import { git } from "./git.ts";
import type { RepositorySource } from "./source.ts";

const extrasTimeoutMs = 10 * 60_000;

/**
 * Adds to a checkout what its configuration asks for besides the commit: submodules, and files of Git LFS.
 *
 * Submodules come by https and ssh only (by http too where the repository itself does), never by a path of this
 * machine. A password in the repository's URL is not handed on: git would write it down beside what the
 * build can read. Rejects with what git says.
 */
export async function addExtras(
  workspace: string,
  { submodules, lfs }: PlannedCheckout,
  source: RepositorySource,
  signal?: AbortSignal,
): Promise<void> {
  // A clone of our copy: addresses in it are relative to where the repository really is.
  const args = ["-C", workspace, "-c", `remote.origin.url=${withoutPassword(source)}`];
  const options = { signal, timeoutMs: extrasTimeoutMs };
  if (submodules) {
    const allowProtocols = source.location.startsWith("http://") ? "http:https:ssh" : "https:ssh";
    await git([...args, "submodule", "--quiet", "update", "--init", "--recursive", "--jobs=4"], {
      ...options,
      allowProtocols,
    });
  }
  if (lfs) await git([...args, "lfs", "pull"], options);
}

function withoutPassword({ type, location }: RepositorySource): string {
  if (type === "path" || !URL.canParse(location)) return location;
  const url = new URL(location);
  if (url.password === "") return location;
  url.username = "";
  url.password = "";
  return url.href;
}
