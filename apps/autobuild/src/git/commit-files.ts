import { git } from "./git.ts";

const maxFileBytes = 1024 * 1024;
const maxPathBytes = 1024 * 1024;

/** Files at the top of a commit in a repository of our own, without a checkout. */
export class CommitFiles {
  readonly #gitDir: string;
  readonly #sha: string;
  readonly #signal: AbortSignal | undefined;
  /** The regular files at the top with their sizes; asked for once. A link is none. */
  #sizes: Promise<ReadonlyMap<string, number>> | undefined;

  /** @param sha a commit as git gave it */
  constructor(gitDir: string, sha: string, signal?: AbortSignal) {
    this.#gitDir = gitDir;
    this.#sha = sha;
    this.#signal = signal;
  }

  async hasFile(name: string): Promise<boolean> {
    return (await this.#list()).has(name);
  }

  /** A file's text; undefined when it is not there, or larger than 1 MiB. */
  async read(name: string): Promise<string | undefined> {
    const size = (await this.#list()).get(name);
    if (size === undefined || size > maxFileBytes) return undefined;
    return this.#git(["cat-file", "blob", `${this.#sha}:${name}`], maxFileBytes);
  }

  /** Paths that differ from an older commit; undefined when that is not there, or there are more than 1 MiB of them. */
  async changedSince(base: string): Promise<readonly string[] | undefined> {
    try {
      const diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames"];
      const output = await this.#git([...diff, "--end-of-options", base, this.#sha], maxPathBytes);
      return output.split("\0").filter((path) => path !== "");
    } catch (error) {
      if (this.#signal?.aborted) throw error;
      return undefined;
    }
  }

  #list(): Promise<ReadonlyMap<string, number>> {
    this.#sizes ??= this.#git(["ls-tree", "-z", "--long", this.#sha], 16 * maxFileBytes).then(
      (output) => {
        const sizes = new Map<string, number>();
        for (const entry of output.split("\0")) {
          const found = /^100(?:644|755) blob [0-9a-f]+ +(\d+)\t(.*)$/s.exec(entry);
          if (found !== null) sizes.set(found[2] ?? "", Number(found[1]));
        }
        return sizes;
      },
    );
    return this.#sizes;
  }

  #git(args: readonly string[], maxOutputBytes: number): Promise<string> {
    return git(["--git-dir", this.#gitDir, ...args], { signal: this.#signal, maxOutputBytes });
  }
}
