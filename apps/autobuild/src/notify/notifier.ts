import type { Build } from "../build/build.ts";
import { hasEnded } from "../build/build.ts";
import type { AutobuildEvents } from "../build/builds.ts";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import { matchesGlobs } from "../plan/glob.ts";
import type { NoticeStore, WaitingNotice } from "../store/notice-store.ts";
import { DeliveryError } from "./post.ts";
import { send } from "./send.ts";
import { byName, type NotifyConfig, type Target } from "./targets.ts";
import { verdictOf, type Verdict } from "./verdict.ts";

/** What a notifier works with. */
export interface NotifierParts {
  readonly store: NoticeStore;
  readonly events: Emitter<AutobuildEvents>;
  readonly clock: Clock;
  build(id: number): Build | undefined;
}

const firstRetryMs = 10_000;
const longestRetryMs = 60 * 60_000;
/** What could not be delivered for so long is given up. */
const maxAgeMs = 24 * 60 * 60_000;
const maxWaiting = 1000;

/**
 * Tells targets of builds: in order, one at a time for each, with patience, at least once.
 *
 * What is to be told is in the store before it is sent. A receiver that fails is tried again after 10 s, then
 * after twice as long each time up to an hour, for a day; one that refuses for good is not. What fails for the first
 * time, what is given up, and what goes beyond the 1,000 that may wait for a target, is a `problem`. No build waits for any of it.
 */
export class Notifier {
  readonly #parts: NotifierParts;
  readonly #url: string | undefined;
  readonly #targets: ReadonlyMap<string, Target>;
  readonly #abort = new AbortController();
  readonly #sending = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, () => void>();
  /** Builds that run and whose start is told: each of their steps is a change as well. */
  readonly #started = new Set<number>();
  #off = (): void => {};

  constructor(parts: NotifierParts, { url, targets }: NotifyConfig) {
    this.#parts = parts;
    this.#url = url;
    this.#targets = byName(targets);
  }

  /** Tells what an earlier server could not, and from now on what happens. */
  start(): void {
    const { store, events } = this.#parts;
    store.keepOnly([...this.#targets.keys()]);
    this.#off = events.on("buildChanged", (changed) => this.#consider(changed));
    for (const id of store.missed()) {
      const missed = this.#parts.build(id);
      if (missed !== undefined) this.#consider(missed);
    }
    for (const name of this.#targets.keys()) this.#go(name);
  }

  /** What is being sent is given up; it is sent again after the next start. */
  async stop(): Promise<void> {
    this.#off();
    this.#abort.abort();
    for (const cancel of this.#timers.values()) cancel();
    await Promise.all(this.#sending.values());
  }

  #consider(build: Build): void {
    const { store, clock } = this.#parts;
    const nowMs = clock.epochMs();
    try {
      if (hasEnded(build)) {
        this.#started.delete(build.id);
        const before = store.before(build.id);
        const verdict = verdictOf(
          build,
          before === undefined ? undefined : this.#parts.build(before),
        );
        const names = this.#namesOf((target) => isTold(target, build, verdict));
        if (!store.addEnd(build.id, names, verdict, nowMs)) return;
        for (const name of names) this.#go(name);
      } else if (build.state === "running" && !this.#started.has(build.id)) {
        const names = this.#namesOf((target) => "project" in target && isOf(target, build));
        store.addStart(build.id, names, nowMs);
        this.#started.add(build.id);
        for (const name of names) this.#go(name);
      }
    } catch (error) {
      this.#report(`Nobody could be told of build ${build.id}: ${messageOf(error)}`, error);
    }
  }

  #namesOf(isWanted: (target: Target) => boolean): string[] {
    return [...this.#targets].flatMap(([name, target]) => (isWanted(target) ? [name] : []));
  }

  /** Sends what waits for a target, unless that is being done. */
  #go(name: string): void {
    const target = this.#targets.get(name);
    if (target === undefined || this.#sending.has(name) || this.#abort.signal.aborted) return;
    this.#timers.get(name)?.();
    this.#timers.delete(name);
    const sending = this.#sendAll(name, target)
      .finally(() => this.#sending.delete(name))
      .then(() => {
        // What came after the last look, and before this line.
        if (!this.#timers.has(name) && this.#parts.store.count(name) > 0) this.#go(name);
      })
      .catch((error: unknown) =>
        this.#report(`${name} could not be told anything: ${messageOf(error)}`, error),
      );
    this.#sending.set(name, sending);
  }

  async #sendAll(name: string, target: Target): Promise<void> {
    const { store, clock } = this.#parts;
    this.#dropOldest(name);
    for (;;) {
      const notice = store.first(name);
      if (notice === undefined || this.#abort.signal.aborted) return;
      const waitMs = notice.dueMs - clock.epochMs();
      // A clock that was set back must not silence us for longer than a retry would.
      if (waitMs > 0 && waitMs <= longestRetryMs) {
        this.#timers.set(
          name,
          clock.after(waitMs, () => this.#go(name)),
        );
        return;
      }
      await this.#sendOne(name, target, notice);
    }
  }

  async #sendOne(name: string, target: Target, notice: WaitingNotice): Promise<void> {
    const { store, clock } = this.#parts;
    const build = this.#parts.build(notice.buildId);
    if (build === undefined) return store.remove(notice.id);
    try {
      await send(
        target,
        {
          // Builds have the same numbers in every data folder.
          id: `build-${build.id}-${notice.moment}-${notice.createdMs}`,
          build,
          verdict: notice.verdict,
          link: this.#url === undefined ? undefined : `${this.#url}/builds/${build.id}`,
          nowMs: clock.epochMs(),
        },
        this.#abort.signal,
      );
      store.remove(notice.id);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const isTemporary = error instanceof DeliveryError && error.isTemporary;
      const ageMs = clock.epochMs() - notice.createdMs;
      if (isTemporary && ageMs < maxAgeMs) {
        const delayMs = Math.min(firstRetryMs * 2 ** notice.attempts, longestRetryMs);
        if (notice.attempts === 0)
          this.#report(
            `${name} was not told of build ${build.id} yet, and is tried again for a day: ${messageOf(error)}`,
            error,
          );
        return store.putOff(notice.id, clock.epochMs() + delayMs);
      }
      store.remove(notice.id);
      this.#report(`${name} was not told of build ${build.id}: ${messageOf(error)}`, error);
    }
  }

  #dropOldest(name: string): void {
    const { store } = this.#parts;
    let dropped = 0;
    for (let excess = store.count(name) - maxWaiting; excess > 0; excess--) {
      const oldest = store.first(name);
      if (oldest !== undefined) store.remove(oldest.id);
      dropped += 1;
    }
    if (dropped > 0)
      this.#report(
        `${name} was not told of ${dropped} builds: more than ${maxWaiting} waited`,
        undefined,
      );
  }

  #report(message: string, error: unknown): void {
    this.#parts.events.emit("problem", { message, error });
  }
}

function isTold(target: Target, build: Build, verdict: Verdict): boolean {
  if (!isOf(target, build)) return false;
  if ("project" in target) return true;
  if (!matchesGlobs(target.branches, build.branch)) return false;
  switch (target.on) {
    case "change":
      return verdict === "broke" || verdict === "mended";
    case "failure":
      return verdict === "broke" || verdict === "mended" || verdict === "stillFailing";
    case "always":
      return true;
  }
}

function isOf(target: Target, build: Build): boolean {
  return matchesGlobs(target.repositories, build.repository);
}
