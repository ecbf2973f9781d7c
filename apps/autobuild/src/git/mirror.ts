import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { git, type GitOptions } from "./git.ts";
import { hasControlCharacter, type RepositorySource } from "./source.ts";

/** The name a build gets when HEAD is on no branch. No real branch can have it: it holds a space. */
export const detachedHead = "detached HEAD";

/** A repository's branches with their commits, and where its HEAD is. */
export interface Heads {
  /** Absent in an empty repository. */
  readonly head?: { readonly branch: string; readonly sha: string };
  readonly branches: ReadonlyMap<string, string>;
}

/** What a build shows about its commit. Texts are bounded and hold no control characters. */
export interface Commit {
  readonly sha: string;
  readonly author: string;
  readonly subject: string;
  readonly committedMs: number;
}

const fetchTimeoutMs = 10 * 60_000;
const lookTimeoutMs = 60_000;
const maxTextLength = 300;

/**
 * A bare copy of one repository in the data folder, from which builds are checked out.
 *
 * The URL stays in memory and goes to git as an argument each time, so that a password in it is not
 * written into the copy's configuration.
 */
export class Mirror {
  readonly folder: string;
  readonly #source: RepositorySource;
  readonly #redact: NonNullable<GitOptions["redact"]>;

  constructor(source: RepositorySource, folder: string) {
    this.#source = source;
    this.folder = folder;
    this.#redact =
      source.location === source.label ? [] : [{ secret: source.location, shown: source.label }];
  }

  /** Makes the copy if it is not there, and clears what a killed git left behind. Call it once, first. */
  async open(signal?: AbortSignal): Promise<void> {
    if (!existsSync(path.join(this.folder, "HEAD"))) {
      await rm(this.folder, { recursive: true, force: true });
      await mkdir(path.dirname(this.folder), { recursive: true });
      await git(["init", "--quiet", "--bare", "--template=", "--", this.folder], { signal });
    }
    await removeStaleLocks(this.folder);
  }

  /** Asks the source, cheaply, which branches it has now. */
  async remoteHeads(signal?: AbortSignal): Promise<Heads> {
    const output = await git(
      ["ls-remote", "--symref", "--", this.#source.location, "HEAD", "refs/heads/*"],
      {
        signal,
        timeoutMs: lookTimeoutMs,
        redact: this.#redact,
      },
    );
    return parseHeads(output);
  }

  /** Copies all branches and tags. Branches that are gone at the source go here too. */
  async fetch(heads: Heads, signal?: AbortSignal): Promise<void> {
    const refspecs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    if (heads.head?.branch === detachedHead) refspecs.push("+HEAD:refs/autobuild/HEAD");
    await git(
      [
        "--git-dir",
        this.folder,
        "fetch",
        "--quiet",
        "--prune",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--",
        this.#source.location,
        ...refspecs,
      ],
      { signal, timeoutMs: fetchTimeoutMs, redact: this.#redact },
    );
  }

  /** The branches as they stand in the copy. */
  async heads(signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const output = await git(
      [
        "--git-dir",
        this.folder,
        "for-each-ref",
        "--format=%(objectname)\t%(refname)",
        "refs/heads/",
      ],
      { signal },
    );
    return parseHeads(output).branches;
  }

  /** Facts about one commit of the copy. Rejects when it is not there (any more). */
  async commit(sha: string, signal?: AbortSignal): Promise<Commit> {
    const format = "--format=%H%x00%an%x00%s%x00%ct";
    const output = await git(
      [
        "--git-dir",
        this.folder,
        "log",
        "-1",
        "--no-show-signature",
        "--no-color",
        format,
        "--end-of-options",
        sha,
        "--",
      ],
      { signal },
    );
    const [foundSha = "", author = "", subject = "", seconds = ""] = output.trimEnd().split("\0");
    return {
      sha: foundSha,
      author: oneLine(author),
      subject: oneLine(subject),
      committedMs: Number(seconds) * 1000,
    };
  }
}

/** Reads the lines of `ls-remote --symref` and of our `for-each-ref`; lines that are no branch are passed over. */
function parseHeads(output: string): Heads {
  const branches = new Map<string, string>();
  let headSha: string | undefined;
  let headBranch: string | undefined;
  for (const line of output.split("\n")) {
    const tab = line.indexOf("\t");
    const value = line.slice(0, tab);
    const name = line.slice(tab + 1);
    if (tab === -1 || hasControlCharacter(name)) continue;
    if (name === "HEAD" && value.startsWith("ref: refs/heads/"))
      headBranch = value.slice("ref: refs/heads/".length);
    else if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) continue;
    else if (name === "HEAD") headSha = value;
    else if (name.startsWith("refs/heads/")) branches.set(name.slice("refs/heads/".length), value);
  }
  if (headSha === undefined) return { branches };
  return { branches, head: { branch: headBranch ?? detachedHead, sha: headSha } };
}

// Author and subject come from whoever pushed; they are shown in terminals and in one-line places.
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters and direction overrides are what it replaces
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  return plain.length > maxTextLength ? `${plain.slice(0, maxTextLength - 1)}…` : plain;
}

// The data folder is locked to one server, so a lock file at this moment belongs to a git that was killed.
async function removeStaleLocks(folder: string): Promise<void> {
  const topLevel = (await readdir(folder)).filter((name) => name.endsWith(".lock"));
  const refs = (await readdir(path.join(folder, "refs"), { recursive: true })).filter((name) =>
    name.endsWith(".lock"),
  );
  const stale = [...topLevel, ...refs.map((name) => path.join("refs", name))];
  await Promise.all(stale.map((name) => rm(path.join(folder, name), { force: true })));
}
