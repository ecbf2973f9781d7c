import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { KeepBounds, KeptKind, KeptStore } from "../store/kept-store.ts";
import { hasEnded } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";

const dayMs = 24 * 60 * 60_000;
const gibibyte = 1024 ** 3;

/** For how long logs and artifacts are kept. Builds themselves, their steps and tests stay. */
export const retentionDefaults: Readonly<Record<KeptKind, KeepBounds>> = {
  log: { maxAgeMs: 180 * dayMs, maxPerBranch: 200, maxBytes: 20 * gibibyte },
  artifacts: { maxAgeMs: 30 * dayMs, maxPerBranch: 20, maxBytes: 10 * gibibyte },
};

/** What retention works with. */
export interface RetentionParts {
  readonly store: KeptStore;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
  /** What a build's logs take of the disk: more than the console's length, which is known from its end on. */
  logBytesOf(buildId: number): Promise<number>;
  /** Removes what the disk holds of a build. */
  remove(kind: KeptKind, buildId: number): Promise<void>;
}

const sweepMs = 60 * 60_000;
/** Builds of which something is removed in one sweep; the next one goes on. */
const mostAtOnce = 1000;

/** Removes old logs and artifacts: after each build, and every hour. */
export class Retention {
  readonly #parts: RetentionParts;
  readonly #bounds: Readonly<Record<KeptKind, KeepBounds>>;
  #sweeping: Promise<void> | undefined;
  #isWanted = false;
  #isStopped = false;
  #cancelTimer = (): void => {};
  #off = (): void => {};

  constructor(parts: RetentionParts, bounds: Readonly<Record<KeptKind, KeepBounds>>) {
    this.#parts = parts;
    this.#bounds = bounds;
  }

  start(): void {
    this.#off = this.#parts.events.on("buildChanged", (build) => {
      if (hasEnded(build)) void this.#measure(build.id).then(() => this.sweep());
    });
    this.sweep();
  }

  /** Waits for what is being removed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#off();
    this.#cancelTimer();
    await this.#sweeping;
  }

  /** Removes what is due, beside what else goes on. */
  sweep(): void {
    if (this.#isStopped) return;
    this.#isWanted = true;
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = undefined;
      this.#cancelTimer();
      if (!this.#isStopped)
        this.#cancelTimer = this.#parts.clock.after(sweepMs, () => this.sweep());
    });
  }

  async #measure(buildId: number): Promise<void> {
    const { store, events } = this.#parts;
    try {
      const bytes = await this.#parts.logBytesOf(buildId);
      if (!this.#isStopped && store.has("log", buildId)) store.add("log", buildId, bytes);
    } catch (error) {
      events.emit("problem", {
        message: `The logs of build ${buildId} could not be measured: ${messageOf(error)}. They count as the console's length.`,
        error,
      });
    }
  }

  async #sweepAll(): Promise<void> {
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false;
      for (const kind of ["artifacts", "log"] as const) await this.#sweepKind(kind);
    }
  }

  async #sweepKind(kind: KeptKind): Promise<void> {
    const { store, clock, events } = this.#parts;
    try {
      const due = store.superfluous(kind, this.#bounds[kind], clock.epochMs());
      for (const id of due.slice(0, mostAtOnce)) {
        if (this.#isStopped) return;
        await this.#parts.remove(kind, id);
        store.remove(kind, id);
      }
    } catch (error) {
      events.emit("problem", {
        message: `Old ${kind === "log" ? "logs" : "artifacts"} could not be removed: ${messageOf(error)}`,
        error,
      });
    }
  }
}
