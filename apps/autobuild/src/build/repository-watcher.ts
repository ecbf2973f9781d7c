import type { Clock } from "../clock.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import type { Heads, Mirror } from "../git/mirror.ts";
import { watchRefs, type RefWatch } from "../git/ref-watch.ts";
import type { RepositorySource } from "../git/source.ts";
import type { RepositoryState } from "./repository.ts";
import { tellingOf, type Trigger } from "./trigger.ts";

/** A branch that should be built at a commit. */
export interface WantedBuild {
  readonly branch: string;
  readonly sha: string;
}

/** Who decides what a look at a repository leads to. */
export interface HeadsListener {
  /** Chooses among branches and tags. Called after each fetch, when the commits are in the mirror. */
  chooseBuilds(heads: Heads): readonly WantedBuild[];
  /** Queues one of them. False when there is no room: the watcher then brings it again at the next look. */
  queueCommit(
    wanted: WantedBuild,
    /** What the look was for at which it was found. */
    trigger: Trigger,
    mirror: Mirror,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Called after what a look has brought is queued. */
  handleLook(heads: Heads, mirror: Mirror, signal: AbortSignal): Promise<void>;
  handleState(state: RepositoryState): void;
}

/** How often a watcher looks. */
export interface WatchOptions {
  /** A repository on this machine that the system does not watch for us. @default 2_000 */
  readonly localPollMs: number;
  /** One that it does watch: what it overlooks is found then. @default 30_000 */
  readonly watchedPollMs: number;
  /** Varied by a fifth to either side, so that many servers do not ask at once. @default 30_000 */
  readonly remotePollMs: number;
  /** The longest wait after repeated failures; it doubles up to here. @default 300_000 */
  readonly maxBackoffMs: number;
}

export const watchDefaults: WatchOptions = {
  localPollMs: 2000,
  watchedPollMs: 30_000,
  remotePollMs: 30_000,
  maxBackoffMs: 300_000,
};

const coalesceMs = 50;
/** Tasks that may wait for a look or for each other. */
const maxTasks = 100;

/**
 * Looks at one repository again and again, and brings what is new.
 *
 * One look at a time. A look that fails changes the repository's state and is repeated later and later; it
 * is never an exception for somebody else.
 */
export class RepositoryWatcher {
  readonly #source: RepositorySource;
  readonly #mirror: Mirror;
  readonly #listener: HeadsListener;
  readonly #options: WatchOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #look: Promise<void> | undefined;
  /** Ends when no git works on the copy. Looks and tasks take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  #tasks = 0;
  #lookAgain = false;
  #isOpen = false;
  /** The heads of the last look whose every build was queued. */
  #handled: string | undefined;
  /** What was copied and is not handled yet. */
  #fetched: { readonly seen: string; readonly heads: Heads; readonly trigger: Trigger } | undefined;
  /** What the next look is for; undefined: its time has come. */
  #wokenBy: Trigger | undefined;
  #failures = 0;
  #cancelTimer = (): void => {};
  #watch: RefWatch | undefined;

  constructor(
    source: RepositorySource,
    mirror: Mirror,
    listener: HeadsListener,
    options: WatchOptions,
    clock: Clock,
  ) {
    this.#source = source;
    this.#mirror = mirror;
    this.#listener = listener;
    this.#options = options;
    this.#clock = clock;
  }

  /** Looks at once, and then from time to time. */
  start(): void {
    this.#startLook();
  }

  /** Looks soon. Calls in quick succession make one look. */
  wake(trigger: Trigger): void {
    this.#wokenBy = tellingOf(this.#wokenBy, trigger);
    if (this.#look === undefined) this.#schedule(coalesceMs);
    else this.#lookAgain = true;
  }

  /**
   * Runs something else that needs the copy, when no look is under way; it is open then.
   *
   * Rejects with `AUTOBUILD_QUEUE_FULL` when a hundred wait already, with what the task rejects with, and
   * with the signal's reason after `stop`.
   */
  run<Result>(task: (mirror: Mirror, signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const { signal } = this.#stopping;
    if (this.#tasks >= maxTasks)
      return Promise.reject(
        new AutobuildError(
          "AUTOBUILD_QUEUE_FULL",
          `Expected fewer than ${maxTasks} requests that wait for the repository, and so many do. Try again later.`,
        ),
      );
    this.#tasks++;
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      await this.#open(signal);
      return task(this.#mirror, signal);
    }).finally(() => {
      this.#tasks--;
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    this.#watch?.end();
    await this.#look;
    await this.#turn;
    this.#watch?.end();
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => {});
    return result;
  }

  async #open(signal: AbortSignal): Promise<void> {
    if (this.#isOpen) return;
    await this.#mirror.open(signal);
    this.#isOpen = true;
  }

  #startLook(): void {
    // Whoever hears of a look may throw, too; the next one comes all the same.
    const looking = this.#lookOnce().catch(() => this.#options.maxBackoffMs);
    this.#look = looking.then((waitMs) => {
      this.#look = undefined;
      this.#schedule(this.#lookAgain ? coalesceMs : waitMs);
      this.#lookAgain = false;
    });
  }

  #schedule(waitMs: number): void {
    this.#cancelTimer();
    if (this.#stopping.signal.aborted) return;
    this.#cancelTimer = this.#clock.after(waitMs, () => this.#startLook());
  }

  /** Returns how long to wait before the next look. */
  async #lookOnce(): Promise<number> {
    const { signal } = this.#stopping;
    try {
      const heads = await this.#inTurn(() => this.#bringNews(signal));
      this.#failures = 0;
      this.#listener.handleState({
        type: "reachable",
        checkedMs: this.#clock.epochMs(),
        headBranch: heads.head?.branch ?? null,
        branchCount: heads.branches.size,
        passedOver: heads.passedOver,
      });
      return this.#pollMs();
    } catch (error) {
      if (signal.aborted) return 0;
      this.#failures++;
      // Whatever comes back in its place is another folder.
      this.#watch?.end();
      this.#watch = undefined;
      // The copy may be what is broken, or gone: the next look makes it anew where it is missing.
      this.#isOpen = false;
      this.#handled = undefined;
      this.#fetched = undefined;
      const waitMs = Math.min(
        this.#pollMs() * 2 ** Math.min(this.#failures, 16),
        this.#options.maxBackoffMs,
      );
      this.#listener.handleState({
        type: "unreachable",
        message: messageOf(error),
        failures: this.#failures,
        nextTryMs: this.#clock.epochMs() + waitMs,
      });
      return waitMs;
    }
  }

  async #bringNews(signal: AbortSignal): Promise<Heads> {
    const trigger = this.#wokenBy ?? { type: "look" };
    this.#wokenBy = undefined;
    await this.#open(signal);
    const remote = await this.#mirror.remoteHeads(signal);
    await this.#startWatch(signal);
    const seen = JSON.stringify([remote.head, ...remote.branches, ...remote.tags]);
    if (seen === this.#handled || remote.head === undefined) return remote;

    // While news wait for room in the queue, the copy has them already.
    if (this.#fetched?.seen !== seen) {
      this.#fetched = undefined;
      await this.#mirror.fetch(remote, signal);
      // A branch may have moved between the two; what is in the mirror can be built.
      const { branches, tags } = await this.#mirror.heads(signal);
      const { branch, sha } = remote.head;
      const head = { branch, sha: branches.get(branch) ?? sha };
      this.#fetched = { seen, heads: { ...remote, branches, tags, head }, trigger };
    }
    const { heads, trigger: foundBy } = this.#fetched;
    let hasRoom = true;
    for (const wanted of this.#listener.chooseBuilds(heads)) {
      hasRoom = await this.#listener.queueCommit(wanted, foundBy, this.#mirror, signal);
      // The rest is as new at the next look; there may be thousands.
      if (!hasRoom) break;
    }
    await this.#listener.handleLook(heads, this.#mirror, signal);
    this.#handled = hasRoom ? seen : undefined;
    if (hasRoom) this.#fetched = undefined;
    return heads;
  }

  async #startWatch(signal: AbortSignal): Promise<void> {
    if (this.#source.type !== "path") return;
    if (this.#watch !== undefined) {
      if (await this.#watch.isInPlace()) return;
      // Another repository lies there by now.
      this.#watch.end();
    }
    this.#watch = await watchRefs(this.#source.location, () => this.wake({ type: "refs" }));
    if (signal.aborted) this.#watch.end();
    // What has moved between the look and the watch was seen by neither.
    this.#lookAgain = true;
  }

  #pollMs(): number {
    const { localPollMs, watchedPollMs } = this.#options;
    if (this.#source.type === "path")
      return this.#watch?.isLive === true ? watchedPollMs : localPollMs;
    return this.#options.remotePollMs * (0.8 + 0.4 * Math.random());
  }
}
