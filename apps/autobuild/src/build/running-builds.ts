import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { BuildConsole } from "../console/console.ts";
import { messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import { consoleLogName } from "../run/build-folder.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import type { RecordOptions } from "../run/build-record.ts";
import { launchRunner } from "../run/runner-launcher.ts";
import type { LinkListener } from "../run/runner-link.ts";
import type { RunnerOrder } from "../run/runner-protocol.ts";
import type { DiskRoom } from "../store/disk-room.ts";
import type { OriginStore } from "../store/origin-store.ts";
import type { Store } from "../store/store.ts";
import { ActiveBuild } from "./active-build.ts";
import type { BuildOutcome } from "./build-execution.ts";
import { BuildLedger, type BuildEnd } from "./build-ledger.ts";
import type { Build } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";
import { endLost } from "./recovery.ts";

/** What running builds work with. */
export interface RunningParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly origins: Pick<OriginStore, "of">;
  readonly console: BuildConsole;
  readonly events: Emitter<AutobuildEvents>;
  readonly folders: BuildFolders;
  readonly recordOptions: RecordOptions;
  readonly room: Pick<DiskRoom, "giveUp">;
  /** What the runner of a build needs to know of it, besides its cookie. */
  orderOf(build: Build): Omit<RunnerOrder, "build" | "cookie" | "origin" | "recordOptions">;
  /** Takes what a build reported and made out of its workspace, as soon as nothing of it runs any more. */
  collect(build: Build): Promise<void>;
}

/**
 * The builds that run, each carried out by a runner that is followed here to the build's end.
 *
 *     start, adopt -> follow the runner -> collect results -> write the end down -> `handleSettled`
 */
export class RunningBuilds {
  readonly #parts: RunningParts;
  readonly #requeueLost: boolean;
  readonly #handleSettled: () => void;
  readonly #ledger: BuildLedger;
  readonly #active = new Map<number, ActiveBuild>();

  /** @param handleSettled called when a build has ended, and the store and everybody knows it */
  constructor(parts: RunningParts, requeueLost: boolean, handleSettled: () => void) {
    this.#parts = parts;
    this.#requeueLost = requeueLost;
    this.#handleSettled = handleSettled;
    this.#ledger = new BuildLedger(parts);
  }

  /** In the order in which they started. */
  all(): Build[] {
    return [...this.#active.keys()].flatMap((id) => this.#parts.store.build(id) ?? []);
  }

  ids(): ReadonlySet<number> {
    return new Set(this.#active.keys());
  }

  get(id: number): ActiveBuild | undefined {
    return this.#active.get(id);
  }

  /** Has a queued build carried out. Throws when the store refuses; what goes wrong later ends in the build's state. */
  start(queued: Build): void {
    const { store, events, clock } = this.#parts;
    const cookie = randomBytes(16).toString("hex");
    const build = store.startBuild(queued.id, cookie, clock.epochMs());
    const active = this.#activate(build, cookie);
    events.emit("buildChanged", build);
    this.#launch(build, cookie).then(
      () => this.#follow(build, active),
      (error: unknown) => {
        const reason = `its runner could not be started: ${messageOf(error)}`;
        this.#finished(build, active, { state: "failed", reason, durationMs: 0, logBytes: 0 })
          .catch((late: unknown) => this.#reportEnd(build, late))
          .finally(() => active.end());
      },
    );
  }

  /** Takes on a build that an earlier server left running. Resolves when it is known how it stands. */
  adopt(build: Build): Promise<void> {
    const active = this.#activate(build, this.#parts.store.cookieOf(build.id) ?? "");
    const isKnown = Promise.race([active.known, active.ended]);
    this.#follow(build, active);
    return isKnown;
  }

  /** Lets go of all, which go on without us; or has them ended with that outcome and queued again. */
  async stop(outcome: BuildOutcome | undefined): Promise<void> {
    this.#ledger.stop();
    for (const active of this.#active.values()) {
      if (outcome === undefined) active.link.close();
      else {
        active.isRequeued = true;
        active.link.cancel(outcome);
      }
    }
    await Promise.all([...this.#active.values()].map(({ ended }) => ended));
  }

  async #launch(build: Build, cookie: string): Promise<void> {
    const { origins, folders, recordOptions } = this.#parts;
    await launchRunner(folders.of(build.id), {
      ...this.#parts.orderOf(build),
      build,
      cookie,
      origin: origins.of(build.id),
      recordOptions: recordBounds(recordOptions),
    });
  }

  #activate(build: Build, cookie: string): ActiveBuild {
    const { clock, console, events, folders } = this.#parts;
    const { id: buildId } = build;
    const bytes = folders.file(buildId, consoleLogName);
    const listener: LinkListener = {
      handleEntries: (entries) => this.#ledger.write(buildId, entries),
      handleConsoleGrown: () => events.emit("logAdvanced", { buildId, position: null, attempt: 0 }),
      handleLogGrown: (position, attempt) =>
        events.emit("logAdvanced", { buildId, position, attempt }),
    };
    const active = new ActiveBuild(folders.of(buildId), bytes, cookie, listener, clock);
    this.#active.set(buildId, active);
    console.add(buildId, active);
    return active;
  }

  #follow(build: Build, active: ActiveBuild): void {
    this.#untilEnd(build, active)
      .catch((error: unknown) => this.#reportEnd(build, error))
      .finally(() => active.end());
  }

  async #untilEnd(build: Build, active: ActiveBuild): Promise<void> {
    const end = await active.link.follow();
    switch (end.type) {
      case "closed":
        return;
      case "ended": {
        const { state, reason, durationMs, length, t: finishedMs } = end.entry;
        await this.#collect(build);
        const logBytes = length;
        return this.#finished(build, active, { state, reason, durationMs, finishedMs, logBytes });
      }
      case "lost": {
        // Who was asked to end it may have died of that: it is what it was to be, and not built again.
        const state = end.asked?.state ?? "lost";
        const why = [end.asked?.reason ?? [], end.message].flat().join("; ");
        const { reason, logBytes } = await endLost(build, state, why, this.#parts);
        return this.#finished(build, active, { state, reason, durationMs: null, logBytes });
      }
    }
  }

  async #collect({ id }: Build): Promise<void> {
    try {
      const build = this.#parts.store.build(id);
      if (build !== undefined) await this.#parts.collect(build);
    } catch (error) {
      this.#report(`The results of build ${id} could not be kept: ${messageOf(error)}`, error);
    }
  }

  async #finished(
    build: Build,
    active: ActiveBuild,
    end: Omit<BuildEnd, "isRequeued">,
  ): Promise<void> {
    const { store, console, events, folders } = this.#parts;
    // A build that takes its runner down with it must not do so for ever.
    const isLost = end.state === "lost" && this.#requeueLost && build.cause !== "requeue";
    await this.#ledger.end(build, { ...end, isRequeued: active.isRequeued || isLost });
    this.#active.delete(build.id);
    console.complete(build.id, folders.console(build.id, end.logBytes));
    // A runner that was over before we had its socket has told of no growth; and logs that waited for this one stand behind it now.
    events.emit("logAdvanced", { buildId: build.id, position: null, attempt: 0 });
    const ended = store.build(build.id);
    if (ended !== undefined) events.emit("buildChanged", ended);
    this.#handleSettled();
    active.end();
  }

  #reportEnd({ id }: Build, error: unknown): void {
    this.#report(`Build ${id} could not be ended: ${messageOf(error)}`, error);
  }

  #report(message: string, error: unknown): void {
    this.#parts.events.emit("problem", { message, error });
  }
}

/** Of the settings those that a runner needs: they go to it as JSON. */
function recordBounds(settings: RecordOptions): RecordOptions {
  const { maxLineBytes, maxLogBytes, highWaterBytes, maxStepLogBytes, keptTailBytes } = settings;
  return { maxLineBytes, maxLogBytes, highWaterBytes, maxStepLogBytes, keptTailBytes };
}
