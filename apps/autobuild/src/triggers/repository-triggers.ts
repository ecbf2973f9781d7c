import type { BranchTracker } from "../build/branch-tracker.ts";
import type { Build, BuildCause } from "../build/build.ts";
import { branchOfPullRequest, branchOfTag } from "../build/origin.ts";
import type { RepositoryWatcher } from "../build/repository-watcher.ts";
import type { Trigger } from "../build/trigger.ts";
import type { Clock } from "../clock.ts";
import { AutobuildError, messageOf, show } from "../errors.ts";
import type { RepositorySource } from "../git/source.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { Store } from "../store/store.ts";
import { CronTimer } from "./cron-timer.ts";
import type { TriggerRules } from "./rules.ts";
import type { WorkTreeWatch } from "./work-tree-watch.ts";

/** A pull request (GitLab: merge request) as a forge announces it. */
export interface PullRequest {
  readonly number: number;
  /** Where the forge keeps its commit, such as `refs/pull/7/head`. */
  readonly ref: string;
  /** Whether it comes from another repository: that one's authors are not ours. */
  readonly isFork: boolean;
}

/** What the triggers of a repository work with. */
export interface TriggerParts {
  readonly repositoryId: number;
  readonly source: RepositorySource;
  readonly watcher: RepositoryWatcher;
  readonly tracker: BranchTracker;
  readonly store: Store;
  readonly origins: OriginStore;
  readonly clock: Clock;
  /** Builds what is not committed, where that is wanted. */
  readonly workTree?: WorkTreeWatch | undefined;
  /** Told what went wrong for nobody who waits. */
  handleProblem(message: string, error: unknown): void;
}

/** All that has a repository looked at or built: its watch, forges, time tables and people. */
export class RepositoryTriggers {
  readonly #parts: TriggerParts;
  readonly #cron: CronTimer;
  #rules: TriggerRules | undefined;

  constructor(parts: TriggerParts) {
    this.#parts = parts;
    const { repositoryId, origins, clock } = parts;
    this.#cron = new CronTimer({
      clock,
      lastKept: (key) => origins.cronRun(repositoryId, key),
      saveKept: (key, untilMs) => origins.saveCronRun(repositoryId, key, untilMs),
      handleDue: ({ schedule, branch }) => {
        this.build({ branch }, "cron", { type: "cron", schedule }).catch((error: unknown) =>
          this.#report(`build what was due by ${show(schedule)}`, error),
        );
      },
    });
  }

  get repositoryId(): number {
    return this.#parts.repositoryId;
  }

  get source(): RepositorySource {
    return this.#parts.source;
  }

  start(): void {
    this.#parts.watcher.start();
    this.#parts.workTree?.start().catch((error: unknown) => this.#report("watch the files", error));
  }

  async stop(): Promise<void> {
    this.#cron.stop();
    this.#parts.workTree?.stop();
    await this.#parts.watcher.stop();
  }

  /** Looks soon. What is new is built as at any other look, so that nothing is built twice. */
  wake(trigger: Trigger): void {
    this.#parts.watcher.wake(trigger);
  }

  /** Takes the rules of the default branch. */
  handleRules(rules: TriggerRules): void {
    this.#rules = rules;
    this.#cron.set(rules.cron);
  }

  /**
   * Has a pull request built if that is wanted; says what becomes of it. Its build goes on after this returns.
   *
   * One of the repository itself is on a branch, which the next look finds. One of a fork is built where the
   * default branch's configuration says so, and gets no secrets.
   */
  handlePullRequest(request: PullRequest, trigger: Trigger): string {
    if (!request.isFork) {
      this.wake(trigger);
      return "looks at the branches: a pull request of the repository itself is on one of them";
    }
    if (this.#rules?.buildForks !== true)
      return "ignored: pull requests of forks are built where the default branch's configuration has buildForks: true";
    this.#buildFork(request, trigger).catch((error: unknown) =>
      this.#report(`build pull request ${request.number}`, error),
    );
    return "fetches the pull request and builds it without secrets";
  }

  /**
   * Builds a branch or a tag as it is now, whether or not that commit was built before.
   *
   * Rejects with `AUTOBUILD_NO_SUCH_BRANCH`, `AUTOBUILD_QUEUE_FULL`, or what git says when the repository is
   * out of reach.
   *
   * @param wanted the default branch unless it names one
   */
  build(
    wanted: { readonly branch?: string | undefined; readonly tag?: string | undefined },
    cause: BuildCause & ("manual" | "cron"),
    trigger: Trigger,
  ): Promise<Build> {
    const { watcher, tracker } = this.#parts;
    return watcher.run(async (mirror, signal) => {
      const remote = await mirror.remoteHeads(signal);
      if (remote.head !== undefined) await mirror.fetch(remote, signal);
      const { branches, tags } = await mirror.heads(signal);
      const name =
        wanted.tag ?? wanted.branch ?? tracker.defaultBranch ?? remote.head?.branch ?? "";
      const sha = wanted.tag === undefined ? branches.get(name) : tags.get(name);
      if (sha === undefined)
        throw new AutobuildError(
          "AUTOBUILD_NO_SUCH_BRANCH",
          `Expected a ${wanted.tag === undefined ? "branch" : "tag"} of the repository, got ${show(name)}, which it does not have.`,
        );
      const build = await tracker.queueOther(
        wanted.tag === undefined ? name : branchOfTag(name),
        sha,
        cause,
        { event: cause, isTrusted: true, isSupersedable: false, trigger },
        mirror,
        signal,
      );
      if (build !== undefined) return build;
      throw new AutobuildError(
        "AUTOBUILD_QUEUE_FULL",
        "Expected room in the queue, and it is full. Cancel some builds, or try again when some have run.",
      );
    });
  }

  #buildFork({ number, ref }: PullRequest, trigger: Trigger): Promise<void> {
    const { watcher, tracker, store, repositoryId } = this.#parts;
    return watcher.run(async (mirror, signal) => {
      const branch = branchOfPullRequest(number);
      const sha = await mirror.fetchRef(ref, `refs/autobuild/pull/${number}`, signal);
      if (store.hasBuilt(repositoryId, branch, sha)) return;
      const origin = {
        event: "pullRequest",
        isTrusted: false,
        isSupersedable: true,
        trigger,
      } as const;
      const build = await tracker.queueOther(branch, sha, "commit", origin, mirror, signal);
      if (build === undefined) throw new Error("the queue is full");
    });
  }

  #report(what: string, error: unknown): void {
    const { label } = this.#parts.source;
    this.#parts.handleProblem(`Could not ${what} of ${label}: ${messageOf(error)}`, error);
  }
}
