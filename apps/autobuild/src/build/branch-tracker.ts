import type { Clock } from "../clock.ts";
import type { Commit, Heads } from "../git/mirror.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { Store } from "../store/store.ts";
import type { Build, NewBuild } from "./build.ts";
import type { BuildOrigin } from "./origin.ts";
import type { HeadsListener, WantedBuild } from "./repository-watcher.ts";
import type { RepositoryState } from "./repository.ts";

/** What a tracker works with. */
export interface TrackerParts {
  readonly store: Store;
  readonly origins: OriginStore;
  readonly clock: Clock;
  readonly repositoryId: number;
  /** Whether somebody works in the repository: its HEAD is then on what they work on. */
  readonly hasWorkTree: boolean;
  /** Undefined when the queue has no room. */
  queue(build: NewBuild, origin: BuildOrigin): Build | undefined;
  handleState(state: RepositoryState): void;
}

/**
 * Decides which branches of a repository are built.
 *
 * At the first look: the branch that HEAD is on. Later: every branch that is new or has moved since, also
 * while AutoBuild was off. A commit of a branch is built once, however often the branch comes back to it.
 */
export class BranchTracker implements HeadsListener {
  readonly #parts: TrackerParts;
  #defaultBranch: string | undefined;

  constructor(parts: TrackerParts) {
    this.#parts = parts;
  }

  chooseBuilds({ head, branches }: Heads): WantedBuild[] {
    const { store, repositoryId } = this.#parts;
    const known = store.heads(repositoryId);
    this.#defaultBranch = defaultBranchOf(head?.branch, branches, this.#parts.hasWorkTree);
    if (known.size === 0) return this.#firstBuild(head, branches);

    for (const branch of known.keys())
      if (!branches.has(branch)) store.forgetHead(repositoryId, branch);
    const wanted: WantedBuild[] = [];
    for (const [branch, sha] of branches) {
      if (known.get(branch) === sha) continue;
      if (store.hasBuilt(repositoryId, branch, sha)) store.saveHead(repositoryId, branch, sha);
      // What HEAD is on is what people look at: it goes first.
      else if (branch === head?.branch) wanted.unshift({ branch, sha });
      else wanted.push({ branch, sha });
    }
    return wanted;
  }

  queueCommit(branch: string, commit: Commit): boolean {
    const { store, clock, repositoryId } = this.#parts;
    const build = this.#parts.queue(
      {
        repositoryId,
        branch,
        ...commit,
        cause: "commit",
        causeBuildId: null,
        queuedMs: clock.epochMs(),
      },
      {
        event: "push",
        baseSha: this.#parts.origins.lastBuilt(repositoryId, branch),
        isDefault: branch === this.#defaultBranch,
        isTrusted: true,
        isSupersedable: true,
      },
    );
    // A branch counts as seen once its build is in the queue, so that a full queue or a crash loses none.
    if (build !== undefined) store.saveHead(repositoryId, branch, commit.sha);
    return build !== undefined;
  }

  handleState(state: RepositoryState): void {
    this.#parts.handleState(state);
  }

  #firstBuild(head: Heads["head"], branches: ReadonlyMap<string, string>): WantedBuild[] {
    const { store, repositoryId } = this.#parts;
    if (head === undefined) return [];
    store.transaction(() => {
      for (const [branch, sha] of branches)
        if (branch !== head.branch) store.saveHead(repositoryId, branch, sha);
    });
    return store.hasBuilt(repositoryId, head.branch, head.sha) ? [] : [head];
  }
}

/**
 * The branch that everybody builds on: where HEAD is, but in a work tree `main`, `master` or `trunk`, if there is one.
 */
export function defaultBranchOf(
  headBranch: string | undefined,
  branches: ReadonlyMap<string, string>,
  hasWorkTree: boolean,
): string | undefined {
  const usual = hasWorkTree ? ["main", "master", "trunk"] : [];
  return usual.find((branch) => branches.has(branch)) ?? headBranch;
}
