import type { AutobuildEvents } from "../build/builds.ts";
import type { Clock } from "../clock.ts";
import { AutobuildError, show } from "../errors.ts";
import type { Emitter } from "../events.ts";
import { BuildFolders } from "../run/build-folders.ts";
import type { KeptStore } from "../store/kept-store.ts";
import { SealedLogs } from "./sealed-logs.ts";
import { Sealer } from "./sealer.ts";
import { SealingThread } from "./sealing-thread.ts";

const afterDefaultMs = 60 * 60_000;

/** What logs are kept with. */
export interface SealingParts {
  readonly dataDir: string;
  readonly store: KeptStore;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
}

/** Logs as files, logs that are sealed, and the way from one to the other (ADR 0034). */
export class Sealing {
  /** The folders of builds, with their logs wherever they lie. */
  readonly folders: BuildFolders;
  readonly #sealed: SealedLogs;
  readonly #thread: SealingThread;
  readonly #sealer: Sealer;
  readonly #isOn: boolean;

  /** @param afterMs how long after its end a build's logs are sealed; null: never */
  constructor({ dataDir, store, clock, events }: SealingParts, afterMs: number | null) {
    this.#sealed = new SealedLogs(dataDir, (message, error) =>
      events.emit("problem", { message, error }),
    );
    this.#thread = new SealingThread(dataDir);
    this.folders = new BuildFolders(dataDir, this.#sealed, clock);
    this.#isOn = afterMs !== null;
    this.#sealer = new Sealer(
      {
        store,
        clock,
        events,
        seal: (buildId) => this.#thread.seal(buildId, this.folders.of(buildId).path),
        bytesOf: (buildId) => this.folders.bytesOf(buildId),
        isRead: (buildId) => this.folders.isRead(buildId),
      },
      afterMs,
    );
  }

  start(): void {
    this.#sealer.start();
  }

  /** Removes all that a build printed. What its row says of it stays. */
  async remove(buildId: number): Promise<void> {
    await this.folders.remove(buildId);
    // Also what is being sealed just now, whose database may not be there yet.
    if (this.#isOn || this.#sealed.isThere()) await this.#thread.remove(buildId);
  }

  /** What is being sealed is as if it had not begun. */
  async stop(): Promise<void> {
    await Promise.all([this.#sealer.stop(), this.#thread.stop()]);
    this.#sealed.close();
  }
}

/** The option of that name, checked. Throws `AUTOBUILD_BAD_OPTION`. */
export function readSealAfterMs(value: number | null | undefined): number | null {
  if (value === undefined) return afterDefaultMs;
  if (value === null || (Number.isSafeInteger(value) && value >= 0)) return value;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected \`sealAfterMs\` to be an integer of at least 0, or null for never, got ${show(value)}.`,
  );
}
