import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { git } from "./git.ts";

const checkoutTimeoutMs = 10 * 60_000;

/**
 * The folders that builds run in, one per build, named after its number.
 *
 * Each is a clone that shares the mirror's objects: it costs a checkout, not a copy of the history, and
 * what a build does to its own refs never reaches the mirror.
 */
export class Workspaces {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where a build's workspace is or would be. */
  pathOf(buildId: number): string {
    return path.join(this.#folder, String(buildId));
  }

  /** Checks out exactly that commit, on no branch, into a fresh folder. */
  async checkout(
    buildId: number,
    mirrorFolder: string,
    sha: string,
    signal?: AbortSignal,
  ): Promise<string> {
    const workspace = this.pathOf(buildId);
    await mkdir(this.#folder, { recursive: true });
    await rm(workspace, { recursive: true, force: true });
    await git(
      [
        "clone",
        "--quiet",
        "--shared",
        "--no-checkout",
        "--template=",
        "--",
        mirrorFolder,
        workspace,
      ],
      { signal, timeoutMs: checkoutTimeoutMs },
    );
    await git(["-C", workspace, "checkout", "--quiet", "--detach", "--force", sha, "--"], {
      signal,
      timeoutMs: checkoutTimeoutMs,
    });
    return workspace;
  }

  /** Removes all but the newest `keep` workspaces, and never one of `inUse`. */
  async clean(keep: number, inUse: ReadonlySet<number>): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const ended = names
      .map(Number)
      .filter((id) => Number.isSafeInteger(id) && !inUse.has(id))
      .toSorted((left, right) => right - left);
    for (const id of ended.slice(keep))
      await rm(this.pathOf(id), { recursive: true, force: true, maxRetries: 2 });
  }
}
