import { existsSync } from "node:fs";
import path from "node:path";
import { BranchTracker, type TrackerParts } from "../build/branch-tracker.ts";
import type { Build } from "../build/build.ts";
import { RepositoryWatcher, type WatchOptions } from "../build/repository-watcher.ts";
import type { Repository, RepositoryState } from "../build/repository.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import { Mirror } from "../git/mirror.ts";
import type { RepositorySource } from "../git/source.ts";
import { RepositoryTriggers } from "./repository-triggers.ts";
import { Webhooks } from "./webhooks.ts";
import { WorkTreeWatch } from "./work-tree-watch.ts";

/** What the triggers of all repositories work with. */
export interface TriggersParts extends Pick<
  TrackerParts,
  "store" | "origins" | "details" | "clock" | "queue"
> {
  readonly sources: readonly RepositorySource[];
  readonly watch: WatchOptions;
  /** Whether what is not committed is built too, in repositories that somebody works in. */
  readonly watchTrees: boolean;
  /** Shared with the forges; undefined: their webhooks are refused. */
  readonly hookSecret: string | undefined;
  mirrorFolderOf(repositoryId: number): string;
  /** Whether it was added since the start, or another start, and can be removed. */
  isAdded(label: string): boolean;
  /** Told when a look had another outcome than the one before. */
  handleRepository(repository: Repository): void;
  /** Told of each branch and tag that is there no more. */
  handleGone(branch: { readonly repositoryId: number; readonly branch: string }): void;
  handleProblem(message: string, error: unknown): void;
}

/** Which branch or tag to build; the default branch unless one is named. */
export interface WantedRef {
  readonly branch?: string | undefined;
  readonly tag?: string | undefined;
}

/** The repositories, and all that has them built. */
export class Triggers {
  readonly webhooks: Webhooks;
  readonly #parts: TriggersParts;
  readonly #repositories = new Map<number, Repository>();
  readonly #triggers: RepositoryTriggers[];

  constructor(parts: TriggersParts) {
    this.#parts = parts;
    this.#triggers = parts.sources.map((source) => this.#add(source));
    this.webhooks = new Webhooks(this.#triggers, parts.hookSecret);
  }

  repositories(): readonly Repository[] {
    return [...this.#repositories.values()];
  }

  repository(id: number): Repository | undefined {
    return this.#repositories.get(id);
  }

  sourceOf(repositoryId: number): RepositorySource | undefined {
    return this.#triggers.find((each) => each.repositoryId === repositoryId)?.source;
  }

  /** Has one more repository built from now on; one that there is already stays as it is. */
  add(source: RepositorySource): Repository {
    const known = this.repositories().find(({ label }) => label === source.label);
    if (known !== undefined) return known;
    const triggers = this.#add(source);
    this.#triggers.push(triggers);
    triggers.start();
    const repository = this.#repositories.get(triggers.repositoryId);
    if (repository === undefined) throw new Error("Expected the repository that was just added.");
    this.#parts.handleRepository(repository);
    return repository;
  }

  /** Has a repository built no more. Undefined for one that is not. Resolves when nothing looks at it any more. */
  async remove(label: string): Promise<Repository | undefined> {
    const repository = this.repositories().find((each) => each.label === label);
    const index = this.#triggers.findIndex(({ repositoryId }) => repositoryId === repository?.id);
    const [triggers] = index < 0 ? [] : this.#triggers.splice(index, 1);
    if (repository === undefined || triggers === undefined) return undefined;
    this.#repositories.delete(repository.id);
    await triggers.stop();
    return repository;
  }

  start(): void {
    for (const triggers of this.#triggers) triggers.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#triggers.map((triggers) => triggers.stop()));
  }

  /** Builds a branch or a tag because somebody asks. See `RepositoryTriggers.build`. */
  async build(repositoryId: number, wanted: WantedRef, by: string): Promise<Build> {
    const triggers = this.#triggers.find((each) => each.repositoryId === repositoryId);
    if (triggers !== undefined) return triggers.build(wanted, "manual", { type: "person", by });
    throw new AutobuildError(
      "AUTOBUILD_BAD_SOURCE",
      `Expected the number of a repository that is built here, got ${repositoryId}.`,
    );
  }

  #add(source: RepositorySource): RepositoryTriggers {
    const parts = this.#parts;
    const { store, origins, details, clock, watch } = parts;
    const { id, name, label } = store.repository(source.label, source.name);
    const isAdded = parts.isAdded(label);
    this.#repositories.set(id, { id, name, label, isAdded, state: { type: "waiting" } });
    const hasWorkTree = source.type === "path" && existsSync(path.join(source.location, ".git"));
    const tracker = new BranchTracker({
      store,
      origins,
      details,
      clock,
      repositoryId: id,
      hasWorkTree,
      queue: (build, origin, trigger) => parts.queue(build, origin, trigger),
      handleRules: (rules) => triggers.handleRules(rules),
      handleGone: (branch) => parts.handleGone({ repositoryId: id, branch }),
      handleState: (state) => {
        const before = this.#repositories.get(id);
        // It was removed during the look.
        if (before === undefined) return;
        const repository: Repository = { id, name, label, isAdded, state };
        this.#repositories.set(id, repository);
        if (!saysTheSame(before.state, state)) parts.handleRepository(repository);
      },
    });
    const mirror = new Mirror(source, parts.mirrorFolderOf(id));
    const watcher = new RepositoryWatcher(source, mirror, tracker, watch, clock);
    const handleProblem = parts.handleProblem.bind(parts);
    const workTree =
      parts.watchTrees && hasWorkTree
        ? new WorkTreeWatch({
            folder: source.location,
            watcher,
            tracker,
            clock,
            handleProblem: (error) =>
              handleProblem(`The files of ${label} could not be built: ${messageOf(error)}`, error),
          })
        : undefined;
    const triggers = new RepositoryTriggers({
      repositoryId: id,
      source,
      watcher,
      tracker,
      store,
      origins,
      clock,
      handleProblem,
      workTree,
    });
    return triggers;
  }
}

/** Whether two looks at a repository tell people the same, but for the time. */
function saysTheSame(before: RepositoryState, after: RepositoryState): boolean {
  switch (after.type) {
    case "waiting":
      return before.type === "waiting";
    case "reachable":
      return (
        before.type === "reachable" &&
        before.headBranch === after.headBranch &&
        before.branchCount === after.branchCount &&
        before.passedOver === after.passedOver
      );
    case "unreachable":
      return (
        before.type === "unreachable" &&
        before.message === after.message &&
        before.failures === after.failures
      );
  }
}
