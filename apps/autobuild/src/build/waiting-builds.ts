import type { Clock } from "../clock.ts";
import type { Emitter } from "../events.ts";
import type { DetailStore } from "../store/detail-store.ts";
import type { DiskRoom } from "../store/disk-room.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { Store } from "../store/store.ts";
import type { Build, NewBuild } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";
import type { BuildOrigin } from "./origin.ts";
import { supersededBy, turnsOf, type QueueEntry, type Turn } from "./queue.ts";
import type { Trigger } from "./trigger.ts";

/** What the builds that wait are kept in and told by. */
export interface WaitingParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly origins: OriginStore;
  readonly details: Pick<DetailStore, "saveTrigger">;
  readonly events: Emitter<AutobuildEvents>;
  readonly room: Pick<DiskRoom, "shortage">;
}

/** A build that was put into the queue. */
export interface AddedBuild {
  readonly build: Build;
  /** The one whose place it took, where the queue was full. It still waits. */
  readonly overtaken: Build | undefined;
}

/** The builds that wait, as the store has them, and their turns by the rules of the queue. */
export class WaitingBuilds {
  readonly #parts: WaitingParts;
  readonly #concurrency: number;
  readonly #maxQueued: number;

  constructor(parts: WaitingParts, concurrency: number, maxQueued: number) {
    this.#parts = parts;
    this.#concurrency = concurrency;
    this.#maxQueued = maxQueued;
  }

  /** In the order in which they will start, each with the reason why it waits, or none. */
  turns(running: readonly Build[]): Turn[] {
    const turns = turnsOf(
      this.#all().map((build) => this.#entry(build)),
      running,
      this.#concurrency,
    );
    // One that starts without room fails, and so would all of them.
    const shortage = this.#parts.room.shortage();
    return turns.map((turn) => ({ ...turn, reason: turn.reason ?? shortage }));
  }

  /** Undefined when the queue is full and holds nothing that a newer commit has overtaken. Nobody is told yet. */
  add(newBuild: NewBuild, origin?: BuildOrigin, trigger?: Trigger): AddedBuild | undefined {
    const { store, origins, details } = this.#parts;
    const waiting = this.#all();
    const isFull = waiting.length >= this.#maxQueued;
    const overtaken = isFull ? findOvertaken([...waiting, newBuild]) : undefined;
    if (isFull && overtaken === undefined) return undefined;
    const build = store.transaction(() => {
      const inserted = store.insertBuild(newBuild);
      if (origin !== undefined) origins.save(inserted.id, origin);
      if (trigger !== undefined) details.saveTrigger(inserted.id, trigger);
      return inserted;
    });
    return { build, overtaken };
  }

  /** The builds that a new one makes pointless, among those that wait and those that run. */
  supersededBy(build: Build, running: readonly Build[]): Build[] {
    const others = [...this.#all(), ...running].map((other) => this.#entry(other));
    return supersededBy(this.#entry(build), others);
  }

  /** Cancels one that waits, and tells of it. */
  cancel(build: Build, reason: string): Build {
    const { store, events, clock } = this.#parts;
    const cancelled = store.endBuild(build.id, {
      state: "cancelled",
      reason,
      finishedMs: clock.epochMs(),
      durationMs: null,
      logBytes: 0,
    });
    events.emit("buildChanged", cancelled);
    return cancelled;
  }

  /** Cancels all of a repository. */
  cancelAllOf(repositoryId: number, reason: string): void {
    for (const build of this.#all())
      if (build.repositoryId === repositoryId) this.cancel(build, reason);
  }

  #all(): Build[] {
    return this.#parts.store.buildsIn("queued");
  }

  #entry(build: Build): QueueEntry {
    const { origins } = this.#parts;
    return { build, origin: origins.of(build.id), overtakes: origins.overtakes(build.id) };
  }
}

/** The oldest queued commit behind which a newer commit of the same branch waits. What people asked for is never overtaken. */
function findOvertaken(waiting: readonly (Build | NewBuild)[]): Build | undefined {
  return waiting.find((older, index): older is Build => {
    if (older.cause !== "commit" || !("id" in older)) return false;
    return waiting
      .slice(index + 1)
      .some(
        (newer) =>
          newer.cause === "commit" &&
          newer.repositoryId === older.repositoryId &&
          newer.branch === older.branch,
      );
  });
}
