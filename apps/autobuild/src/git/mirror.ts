import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { plainText } from "../plain-text.ts";
import { git, type GitOptions } from "./git.ts";
import type { RepositorySource } from "./source.ts";

/** The name a build gets when HEAD is on no branch. No real branch can have it: it holds a space. */
const detachedHead = "detached HEAD";

/** A repository's branches and tags with their commits, and where its HEAD is. */
export interface Heads {
  /** Absent in an empty repository. */
  readonly head?: { readonly branch: string; readonly sha: string };
  readonly branches: ReadonlyMap<string, string>;
  /** An annotated tag with the commit that it is for. */
  readonly tags: ReadonlyMap<string, string>;
  /** How many there are besides whose names could steer a terminal or a page. They are not built. */
  readonly passedOver: number;
}

/** What a build shows about its commit. Texts are bounded and hold no control characters. */
export interface Commit {
  readonly sha: string;
  readonly author: string;
  readonly subject: string;
  /** All of the message, subject included, at most 10,000 characters. Its lines end in `\n`. */
  readonly message: string;
  readonly committedMs: number;
}

const fetchTimeoutMs = 10 * 60_000;
const lookTimeoutMs = 60_000;
const maxTextLength = 300;
const maxMessageLength = 10_000;

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

  /** Asks the source, cheaply, which branches and tags it has now. More than 16 MiB of names is an error. */
  async remoteHeads(signal?: AbortSignal): Promise<Heads> {
    const output = await git(
      ["ls-remote", "--symref", "--", this.#source.location, "HEAD", "refs/heads/*", "refs/tags/*"],
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

  /** Copies one ref of the source into a ref of the copy's own, and returns the commit. Names must be known to be refs. */
  async fetchRef(ref: string, ownRef: string, signal?: AbortSignal): Promise<string> {
    await git(
      [
        "--git-dir",
        this.folder,
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--",
        this.#source.location,
        `+${ref}:${ownRef}`,
      ],
      { signal, timeoutMs: fetchTimeoutMs, redact: this.#redact },
    );
    const args = ["rev-parse", "--verify", "--end-of-options", `${ownRef}^{commit}`];
    return (await git(["--git-dir", this.folder, ...args], { signal })).trim();
  }

  /** The branches and tags as they stand in the copy. */
  async heads(signal?: AbortSignal): Promise<Heads> {
    const output = await git(
      [
        "--git-dir",
        this.folder,
        "for-each-ref",
        "--format=%(objectname)\t%(refname)%0a%(*objectname)\t%(refname)^{}",
        "refs/heads/",
        "refs/tags/",
      ],
      { signal, maxOutputBytes: 2 * 16 * 1024 * 1024 },
    );
    return parseHeads(output);
  }

  /** Facts about one commit of the copy. Rejects when it is not there (any more). */
  async commit(sha: string, signal?: AbortSignal): Promise<Commit> {
    const format = "--format=%H%x00%an%x00%s%x00%ct%x00%B";
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
    const [foundSha = "", author = "", subject = "", seconds = "", message = ""] = output
      .trimEnd()
      .split("\0");
    return {
      sha: foundSha,
      author: oneLine(author),
      subject: oneLine(subject),
      message: manyLines(message),
      committedMs: Number(seconds) * 1000,
    };
  }
}

/** Reads the lines of `ls-remote --symref` and of our `for-each-ref`; other lines are passed over. */
function parseHeads(output: string): Heads {
  const branches = new Map<string, string>();
  const tags = new Map<string, string>();
  let headSha: string | undefined;
  let headBranch: string | undefined;
  let passedOver = 0;
  for (const line of output.split("\n")) {
    const tab = line.indexOf("\t");
    const value = line.slice(0, tab);
    const name = line.slice(tab + 1);
    if (tab === -1) continue;
    const isSymbolic = name === "HEAD" && value.startsWith("ref: refs/heads/");
    if (!isSymbolic && !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) continue;
    if (plainText(name) !== name || plainText(value) !== value) passedOver++;
    else if (isSymbolic) headBranch = value.slice("ref: refs/heads/".length);
    else if (name === "HEAD") headSha = value;
    else if (name.startsWith("refs/heads/")) branches.set(name.slice("refs/heads/".length), value);
    // The second line of an annotated tag has the commit.
    else if (name.startsWith("refs/tags/"))
      tags.set(name.slice("refs/tags/".length).replace(/\^\{\}$/, ""), value);
  }
  if (headSha === undefined) return { branches, tags, passedOver };
  return { branches, tags, passedOver, head: { branch: headBranch ?? detachedHead, sha: headSha } };
}

// Author and subject come from whoever pushed; they are shown in terminals and in one-line places.
function oneLine(text: string): string {
  const plain = plainText(text);
  return plain.length > maxTextLength ? `${plain.slice(0, maxTextLength - 1)}…` : plain;
}

function manyLines(text: string): string {
  const lines = text.split(/\r?\n/).map(plainText);
  const whole = lines.join("\n");
  return whole.length > maxMessageLength ? `${whole.slice(0, maxMessageLength - 1)}…` : whole;
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
