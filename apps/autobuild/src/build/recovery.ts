import { mkdir } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import { ConsoleLog, consoleLogDefaults } from "../run/console-log.ts";
import type { Runner } from "../run/runner.ts";
import type { Store } from "../store/store.ts";
import { repeatOf, type Build } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";

/** What recovery works with. */
export interface RecoveryParts {
  readonly store: Store;
  readonly folders: BuildFolders;
  readonly runner: Runner;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
}

/**
 * Settles the builds that were running when a server was killed: they are lost.
 *
 * What they left running is killed, their logs get a last line, and with `requeueLost` their commits are
 * built once more. No line that somebody saw goes away.
 */
export async function recoverBuilds(parts: RecoveryParts, requeueLost: boolean): Promise<void> {
  const { store, clock } = parts;
  await Promise.all(
    store.buildsIn("running").map(async (build) => {
      const reason = await killLeftovers(build, parts);
      const logBytes = await completeLog(build, reason, parts);
      store.transaction(() => {
        store.endBuild(build.id, {
          state: "lost",
          reason,
          finishedMs: clock.epochMs(),
          durationMs: null,
          logBytes,
        });
        // A build that takes AutoBuild down with it must not do so for ever.
        if (requeueLost && build.cause !== "requeue")
          store.insertBuild(repeatOf(build, "requeue", clock.epochMs()));
      });
    }),
  );
}

async function killLeftovers(build: Build, { store, runner }: RecoveryParts): Promise<string> {
  const cookie = store.cookieOf(build.id);
  const killed = cookie === null ? 0 : await runner.sweep(cookie);
  if (killed === 0) return "AutoBuild ended while it ran";
  const processes =
    killed === 1 ? "1 process that it left was" : `${killed} processes that it left were`;
  return `AutoBuild ended while it ran; ${processes} killed`;
}

async function completeLog(
  build: Build,
  reason: string,
  { folders, events }: RecoveryParts,
): Promise<number> {
  const report = (error: unknown): void =>
    events.emit("problem", {
      message: `The log of build ${build.id} could not be completed: ${messageOf(error)}`,
      error,
    });
  try {
    const folder = folders.of(build.id);
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    const log = await ConsoleLog.open(folder.consoleLog, consoleLogDefaults, {
      handleGrown() {},
      handleFailure: report,
    });
    log.line(`=== build ${build.id} lost: ${reason}`);
    await log.close();
    return log.length;
  } catch (error) {
    report(error);
    return 0;
  }
}
