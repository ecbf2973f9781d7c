import type { OverviewStore } from "../store/overview-store.ts";
import type { Store } from "../store/store.ts";
import type { Build } from "./build.ts";
import {
  maxQueuedShown,
  type BranchRow,
  type Overview,
  type Queue,
  type RecentBuild,
} from "./overview.ts";

/** What an overview is read from. */
export interface OverviewParts {
  readonly store: Pick<Store, "build">;
  readonly rows: OverviewStore;
  /** The builds that wait, in the order in which they will start, each with the reason why it waits. */
  queued(): readonly Build[];
  nowMs(): number;
  /** The branch that a repository's HEAD is on; null while that is not known. */
  headBranchOf(repositoryId: number): string | null;
  /** Whether AutoBuild builds it now: a data folder may know of others. */
  isWatched(repositoryId: number): boolean;
}

/** Of `maxBranches` each. */
const maxPages = 20;

/** Reads how everything stands. Synchronous, and as fast with 100,000 builds as with ten. */
export class OverviewReader {
  readonly #parts: OverviewParts;

  constructor(parts: OverviewParts) {
    this.#parts = parts;
  }

  overview(): Overview {
    const branches = this.#parts.rows
      .branches(this.#parts.nowMs())
      .filter(({ repositoryId }) => this.#parts.isWatched(repositoryId))
      .flatMap(({ repositoryId, branch }) => this.row(repositoryId, branch) ?? []);
    return { branches, queue: this.queue() };
  }

  /** Whether a branch has a row: it is there, or it has a build on its way, or it is no branch and news. */
  isShown(repositoryId: number, branch: string): boolean {
    return this.#parts.rows.isShown(repositoryId, branch, this.#parts.nowMs());
  }

  /** All branches, also those that the overview has no place for, in its order and page by page; at most 2,000. */
  *pages(): Generator<readonly BranchRow[], undefined> {
    const parts = this.#parts;
    let before: number | undefined = Number.MAX_SAFE_INTEGER;
    for (let page = 0; page < maxPages && before !== undefined; page++) {
      const { branches, next } = parts.rows.branchPage(before, parts.nowMs());
      yield branches
        .filter(({ repositoryId }) => parts.isWatched(repositoryId))
        .flatMap(({ repositoryId, branch }) => this.row(repositoryId, branch) ?? []);
      before = next;
    }
    return undefined;
  }

  /** Undefined for a branch without builds. */
  row(repositoryId: number, branch: string): BranchRow | undefined {
    const { rows, store } = this.#parts;
    const recent = rows.recent(repositoryId, branch);
    const alive = rows.alive(repositoryId, branch);
    const running = alive === undefined ? undefined : store.build(alive);
    // What was cancelled before it ran says nothing about the branch.
    const ended = recent.find(({ durationMs, state }) => durationMs !== null || state === "lost");
    const build =
      running?.state === "running" || ended === undefined
        ? (running ?? store.build(recent[0]?.id ?? 0))
        : store.build(ended.id);
    if (build === undefined) return undefined;
    const ran = recent.flatMap(({ state }) => (isVerdict(state) ? [state] : []));
    const verdict = ran[0] ?? null;
    const streak = ran.findIndex((state) => state !== verdict);
    return {
      repositoryId,
      repository: build.repository,
      branch,
      build,
      verdict,
      streak: streak < 0 ? ran.length : streak,
      failingSince: verdict === "failed" ? (rows.failingSince(repositoryId, branch) ?? null) : null,
      recent,
      forecast:
        build.state === "running"
          ? rows.forecast(repositoryId, branch, this.#parts.headBranchOf(repositoryId))
          : null,
    };
  }

  queue(): Queue {
    const queued = this.#parts.queued();
    const first = queued
      .slice(0, maxQueuedShown)
      .map((build) => ({ build, reason: build.reason ?? "" }));
    return { count: queued.length, first };
  }
}

function isVerdict(state: RecentBuild["state"]): state is "passed" | "failed" | "lost" {
  return state === "passed" || state === "failed" || state === "lost";
}
