import type { Build } from "./build.ts";
import type { BuildOrigin } from "./origin.ts";

/** A build that waits or runs, with what the rules need to know about it. */
export interface QueueEntry {
  readonly build: Build;
  readonly origin: BuildOrigin;
  /** How many builds that came later have started before it. */
  readonly overtakes: number;
}

/** What the rules decide for a build that waits. */
export interface Turn {
  readonly build: Build;
  /** Null: it can start now. Else why it cannot, for people. */
  readonly reason: string | null;
}

/** So many builds may go before one that came earlier; then it is its turn. */
export const maxOvertakes = 10;

/**
 * The queue: who goes first, and why the others wait.
 *
 * What people ask for goes first, then default branches, then the rest, each in the order in which they
 * came; but nobody is overtaken more than ten times. The builds of one branch run one after another, so that the
 * last to end is the newest. It keeps nothing: all follows from the store, also after a restart.
 */
export function turnsOf(
  waiting: readonly QueueEntry[],
  running: readonly Build[],
  concurrency: number,
): Turn[] {
  const busy = new Map(running.map((build) => [branchKey(build), build.id]));
  let taken = running.length;
  let before = 0;
  return inOrder(waiting).map(({ build }) => {
    const key = branchKey(build);
    const other = busy.get(key);
    if (other === undefined) busy.set(key, build.id);
    let reason: string | null = null;
    if (other !== undefined) reason = `waiting for build ${other} of the same branch`;
    else if (taken < concurrency) taken++;
    else reason = `waiting for a slot: ${slots(running.length, concurrency)}${others(before)}`;
    if (reason !== null) before++;
    return { build, reason };
  });
}

/** The builds that a newer one of their branch makes pointless, among those that wait and run. */
export function supersededBy(newer: QueueEntry, others: readonly QueueEntry[]): Build[] {
  if (!isCommit(newer) || newer.origin.isDefault || !newer.origin.isSupersedable) return [];
  return others
    .filter(
      (older) =>
        older.build.id < newer.build.id &&
        branchKey(older.build) === branchKey(newer.build) &&
        isCommit(older) &&
        older.origin.isSupersedable,
    )
    .map(({ build }) => build);
}

function inOrder(waiting: readonly QueueEntry[]): QueueEntry[] {
  return waiting.toSorted(
    (left, right) => rankOf(left) - rankOf(right) || left.build.id - right.build.id,
  );
}

function rankOf({ build, origin, overtakes }: QueueEntry): number {
  if (overtakes >= maxOvertakes) return 0;
  if (build.cause === "rebuild" || build.cause === "manual") return 1;
  return origin.isDefault ? 2 : 3;
}

function isCommit({ origin }: QueueEntry): boolean {
  return origin.event === "push" || origin.event === "pullRequest" || origin.event === "watch";
}

function branchKey({ repositoryId, branch }: Build): string {
  return `${repositoryId} ${branch}`;
}

function slots(running: number, concurrency: number): string {
  return concurrency === 1 ? "one build runs at a time" : `${running} of ${concurrency} are taken`;
}

function others(before: number): string {
  if (before === 0) return "";
  return before === 1 ? ", and 1 build goes before" : `, and ${before} builds go before`;
}
