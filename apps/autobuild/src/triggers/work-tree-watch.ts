import { watch, type FSWatcher } from "node:fs";
import type { BranchTracker } from "../build/branch-tracker.ts";
import type { RepositoryWatcher } from "../build/repository-watcher.ts";
import type { Clock } from "../clock.ts";
import { ignoredFolders, snapshotWorkTree } from "../git/work-tree.ts";

/** What a watch works with. */
export interface WorkTreeWatchParts {
  readonly folder: string;
  readonly watcher: RepositoryWatcher;
  readonly tracker: BranchTracker;
  readonly clock: Clock;
  handleProblem(error: unknown): void;
}

/** Editors and git write several files at once: it is looked at when so long nothing changed... */
const quietMs = 200;
/** ...or after this, while changes do not end. */
const maxWaitMs = 2000;
/** Where the system gives no watch, and while the folder cannot be looked at. */
const pollMs = 3000;

/** What builds of uncommitted files have in the place of a branch. No branch's name holds a space. */
const workTreeBranch = "work tree";

/**
 * Has the files of a work tree built as they are, at each change.
 *
 * A newer state cancels the build of an older one. What is the same as before, or as the last commit, is
 * not built.
 */
export class WorkTreeWatch {
  readonly #parts: WorkTreeWatchParts;
  #watch: FSWatcher | undefined;
  #cancel = (): void => {};
  #firstChangeMs: number | undefined;
  #lastTree: string | undefined;
  #isLooking = false;
  /** Whether the last look failed, as while the folder is away: what is watched then may not be what comes back. */
  #isLost = false;
  #isStopped = false;

  constructor(parts: WorkTreeWatchParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    await this.#open();
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#watch?.close();
  }

  async #open(): Promise<void> {
    const { folder } = this.#parts;
    const ignored = new Set([".git", ...(await ignoredFolders(folder))]);
    if (this.#isStopped) return;
    try {
      this.#watch = watch(folder, {
        recursive: true,
        persistent: false,
        ignore: (name) => isWithin(name, ignored),
      });
      this.#watch.on("change", (_event, name) => {
        if (typeof name !== "string" || !isWithin(name, ignored)) this.#handleChange();
      });
      this.#watch.on("error", () => this.#poll());
    } catch {
      // The system has no watches left.
      this.#poll();
    }
  }

  #poll(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#schedule(pollMs);
  }

  #handleChange(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.#firstChangeMs ??= nowMs;
    // During a look the change counts for the next.
    if (!this.#isLooking)
      this.#schedule(Math.min(quietMs, Math.max(0, this.#firstChangeMs + maxWaitMs - nowMs)));
  }

  #schedule(waitMs: number): void {
    this.#cancel();
    if (this.#isStopped) return;
    this.#cancel = this.#parts.clock.after(waitMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#firstChangeMs = undefined;
    try {
      if (this.#isLost) await this.#open();
      await this.#build();
      this.#isLost = false;
    } catch (error) {
      this.#watch?.close();
      this.#watch = undefined;
      // Once: it is tried every few seconds from now on.
      if (!this.#isStopped && !this.#isLost) this.#parts.handleProblem(error);
      this.#isLost = true;
    }
    this.#isLooking = false;
    if (this.#firstChangeMs !== undefined) this.#schedule(quietMs);
    else if (this.#watch === undefined) this.#schedule(pollMs);
  }

  #build(): Promise<void> {
    const { watcher, tracker, folder } = this.#parts;
    return watcher.run(async (mirror, signal) => {
      const { sha, tree, isClean } = await snapshotWorkTree(folder, mirror, signal);
      if (tree === this.#lastTree) return;
      // A clean tree is its commit, which is built as one.
      if (!isClean) {
        const origin = {
          event: "watch",
          isTrusted: true,
          isSupersedable: true,
          trigger: { type: "files" },
        } as const;
        const branch = workTreeBranch;
        const build = await tracker.queueOther(branch, sha, "manual", origin, mirror, signal);
        if (build === undefined) throw new Error("the queue is full");
      }
      this.#lastTree = tree;
    });
  }
}

/** Whether a path is one of these folders or lies in one. */
function isWithin(name: string, folders: ReadonlySet<string>): boolean {
  for (let end = name.length; end !== -1; end = name.lastIndexOf("/", end - 1))
    if (folders.has(name.slice(0, end))) return true;
  return false;
}
