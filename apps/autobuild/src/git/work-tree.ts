import { copyFile, rm } from "node:fs/promises";
import path from "node:path";
import { git } from "./git.ts";
import type { Mirror } from "./mirror.ts";

/** The files of a work tree as they are now, as a commit of the mirror. */
export interface Snapshot {
  readonly sha: string;
  readonly tree: string;
  /** Whether they are those of the last commit. */
  readonly isClean: boolean;
}

const snapshotRef = "refs/autobuild/work-tree";
const addTimeoutMs = 60_000;

/**
 * Commits the files of a work tree into our copy of its repository: what is tracked, and what is neither tracked nor
 * ignored.
 *
 * Nothing of the repository itself is touched, not even its index: ours lies beside the copy, and is kept, so that
 * the next snapshot reads only what has changed. Rejects after a minute, or with what git says.
 */
export async function snapshotWorkTree(
  folder: string,
  mirror: Mirror,
  signal: AbortSignal,
): Promise<Snapshot> {
  const remote = await mirror.remoteHeads(signal);
  if (remote.head !== undefined) await mirror.fetch(remote, signal);
  await copyExcludes(folder, mirror.folder, signal);

  const indexFile = `${mirror.folder}.work-tree-index`;
  // Settings that a snapshot must not take from whoever wrote the repository's or the user's configuration.
  const settings = ["core.bare=false", "core.safecrlf=false", "advice.addEmbeddedRepo=false"];
  const inTree = (...args: string[]): Promise<string> =>
    git(
      [
        ...settings.flatMap((setting) => ["-c", setting]),
        `--git-dir=${mirror.folder}`,
        `--work-tree=${folder}`,
        ...args,
      ],
      { cwd: folder, signal, indexFile, timeoutMs: addTimeoutMs },
    );
  const head = remote.head?.sha;
  try {
    // What is tracked stays so, though a rule ignores it.
    await inTree("read-tree", ...(head === undefined ? ["--empty"] : ["--reset", head]));
    await inTree("add", "--all", "--", ".");
  } catch (error) {
    // Left by a git that was killed, or made by a version that this one does not read.
    await Promise.all([indexFile, `${indexFile}.lock`].map((file) => rm(file, { force: true })));
    throw error;
  }
  const tree = (await inTree("write-tree")).trim();
  const headTree =
    head === undefined ? undefined : (await inTree("rev-parse", `${head}^{tree}`)).trim();
  const branch = remote.head?.branch ?? "no branch";
  const sha = (
    await inTree(
      ...["-c", "user.name=work tree", "-c", "user.email=", "commit-tree", tree],
      ...(head === undefined ? [] : ["-p", head]),
      ...["-m", `uncommitted changes on ${branch}`],
    )
  ).trim();
  await inTree("update-ref", snapshotRef, sha);
  return { sha, tree, isClean: tree === headTree };
}

/** What a repository ignores without saying so in a file that is tracked. */
async function copyExcludes(folder: string, gitDir: string, signal: AbortSignal): Promise<void> {
  const output = await git(
    ["-C", folder, "rev-parse", "--path-format=absolute", "--git-path", "info/exclude"],
    { signal },
  );
  const own = path.join(gitDir, "info", "exclude");
  await copyFile(output.replace(/\n$/, ""), own).catch(() => rm(own, { force: true }));
}

/** Folders of a work tree that are ignored as a whole, relative to it; the first thousand. */
export async function ignoredFolders(folder: string): Promise<string[]> {
  const args = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
  const output = await git(["-C", folder, ...args]).catch(() => "");
  return output
    .split("\0")
    .filter((name) => name.endsWith("/"))
    .slice(0, 1000)
    .map((name) => name.slice(0, -1));
}
