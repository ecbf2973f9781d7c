import type { Clock } from "../clock.ts";
import { CommitFiles } from "../git/commit-files.ts";
import type { Heads, Mirror } from "../git/mirror.ts";
import type { DetailStore } from "../store/detail-store.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { Store } from "../store/store.ts";
import { readRules, type TriggerRules } from "../triggers/rules.ts";
import type { Build, BuildCause, NewBuild } from "./build.ts";
import { branchOfTag, isBranch, tagOf, type BuildOrigin } from "./origin.ts";
import type { HeadsListener, WantedBuild } from "./repository-watcher.ts";
import type { RepositoryState } from "./repository.ts";
import type { Trigger } from "./trigger.ts";

/** What a tracker works with. */
export interface TrackerParts {
  readonly store: Store;
  readonly origins: OriginStore;
  readonly details: Pick<DetailStore, "saveMessage">;
  readonly clock: Clock;
  readonly repositoryId: number;
  /** Whether somebody works in the repository: its HEAD is then on what they work on. */
  readonly hasWorkTree: boolean;
  /** Undefined when the queue has no room. */
  queue(build: NewBuild, origin: BuildOrigin, trigger: Trigger): Build | undefined;
  handleState(state: RepositoryState): void;
  /** Called for each branch and tag that is there no more, once the store knows it. */
  handleGone(branch: string): void;
  /** Called after a look at which the default branch was at another commit than before, with what that says. */
  handleRules(rules: TriggerRules): void;
}

/** Where a build comes from, and what had it queued. */
type Provenance = BuildOrigin & { readonly trigger: Trigger };

/** Written down beside the branches once tags have been looked at. No branch's name holds a space. */
const tagsSeen = "tags were seen";

/**
 * Decides which branches and tags of a repository are built.
 *
 * At the first look: the branch that HEAD is on. Later: every branch and tag that is new or has moved since, also
 * while AutoBuild was off, if its configuration wants it. A commit of a branch is built once, however often
 * it is announced and the branch comes back to it.
 */
export class BranchTracker implements HeadsListener {
  readonly #parts: TrackerParts;
  #defaultBranch: string | undefined;
  /** The commit whose rules were handed on last. */
  #rulesSha: string | undefined;

  constructor(parts: TrackerParts) {
    this.#parts = parts;
  }

  /** Where HEAD is; in a work tree the branch that everybody builds on. Undefined before the first look. */
  get defaultBranch(): string | undefined {
    return this.#defaultBranch;
  }

  chooseBuilds(heads: Heads): WantedBuild[] {
    const { store, repositoryId } = this.#parts;
    const { head, branches, tags } = heads;
    this.#defaultBranch = defaultBranchOf(head?.branch, branches, this.#parts.hasWorkTree);
    const known = store.heads(repositoryId);
    const isFirstLook = known.size === 0;
    const now = new Map([
      ...branches,
      ...[...tags].map(([tag, sha]) => [branchOfTag(tag), sha] as const),
    ]);

    const gone = [...known.keys()].filter((branch) => !now.has(branch) && branch !== tagsSeen);
    const chosen = store.transaction(() => {
      const wanted: WantedBuild[] = [];
      for (const branch of gone) store.forgetHead(repositoryId, branch);
      for (const [branch, sha] of now) {
        if (known.get(branch) === sha) continue;
        // Tags that are older than our first look at them are nobody's news.
        const isOld = tagOf(branch) === undefined ? isFirstLook : !known.has(tagsSeen);
        const isBuilt = store.hasBuilt(repositoryId, branch, sha);
        if (isBuilt || (isOld && branch !== head?.branch))
          store.saveHead(repositoryId, branch, sha);
        // What HEAD is on is what people look at: it goes first.
        else if (branch === head?.branch) wanted.unshift({ branch, sha });
        else wanted.push({ branch, sha });
      }
      const isLoose = head !== undefined && !branches.has(head.branch);
      if (isFirstLook && isLoose && !store.hasBuilt(repositoryId, head.branch, head.sha))
        wanted.unshift(head);
      if (head !== undefined) store.saveHead(repositoryId, tagsSeen, "");
      return wanted;
    });
    for (const branch of gone) this.#parts.handleGone(branch);
    return chosen;
  }

  async handleLook(heads: Heads, mirror: Mirror, signal: AbortSignal): Promise<void> {
    const branch = this.#defaultBranch;
    const sha = branch === undefined ? undefined : (heads.branches.get(branch) ?? heads.head?.sha);
    if (branch === undefined || sha === undefined || sha === this.#rulesSha) return;
    const rules = await readRules(new CommitFiles(mirror.folder, sha, signal));
    this.#rulesSha = sha;
    this.#parts.handleRules(rules);
  }

  async queueCommit(
    wanted: WantedBuild,
    trigger: Trigger,
    mirror: Mirror,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, origins, repositoryId } = this.#parts;
    const { branch, sha } = wanted;
    const tag = tagOf(branch);
    const event = tag === undefined ? "push" : "tag";
    const files = new CommitFiles(mirror.folder, sha, signal);
    const rules = await readRules(files);
    const baseSha = origins.lastBuilt(repositoryId, branch);
    const isWanted = await rules.wants(
      { event, tag, branch: tag === undefined && isBranch(branch) ? branch : undefined },
      async () => (baseSha === null ? undefined : files.changedSince(baseSha)),
    );
    if (isWanted) {
      const build = await this.#queue(branch, sha, "commit", mirror, signal, {
        trigger,
        event,
        baseSha,
        isDefault: branch === this.#defaultBranch,
        isTrusted: true,
        isSupersedable: tag === undefined && rules.cancelSuperseded,
      });
      if (build === undefined) return false;
    }
    // A branch counts as seen once its build is in the queue, so that a full queue or a crash loses none.
    store.saveHead(repositoryId, branch, sha);
    return true;
  }

  /** Queues a build that is no branch's news: of a pull request, by a time table, or because somebody asks. */
  async queueOther(
    branch: string,
    sha: string,
    cause: BuildCause,
    origin: Pick<Provenance, "event" | "isTrusted" | "isSupersedable" | "trigger">,
    mirror: Mirror,
    signal: AbortSignal,
  ): Promise<Build | undefined> {
    return this.#queue(branch, sha, cause, mirror, signal, {
      ...origin,
      baseSha: this.#parts.origins.lastBuilt(this.#parts.repositoryId, branch),
      isDefault: branch === this.#defaultBranch,
    });
  }

  handleState(state: RepositoryState): void {
    this.#parts.handleState(state);
  }

  async #queue(
    branch: string,
    sha: string,
    cause: BuildCause,
    mirror: Mirror,
    signal: AbortSignal,
    { trigger, ...origin }: Provenance,
  ): Promise<Build | undefined> {
    const { clock, details, repositoryId } = this.#parts;
    const { message, ...commit } = await mirror.commit(sha, signal);
    if (message !== commit.subject) details.saveMessage(repositoryId, commit.sha, message);
    const queuedMs = clock.epochMs();
    return this.#parts.queue(
      { repositoryId, branch, ...commit, cause, causeBuildId: null, queuedMs },
      origin,
      trigger,
    );
  }
}

/**
 * The branch that everybody builds on: where HEAD is, but in a work tree `main`, `master` or `trunk`, if there is one.
 */
function defaultBranchOf(
  headBranch: string | undefined,
  branches: ReadonlyMap<string, string>,
  hasWorkTree: boolean,
): string | undefined {
  const usual = hasWorkTree ? ["main", "master", "trunk"] : [];
  return usual.find((branch) => branches.has(branch)) ?? headBranch;
}
