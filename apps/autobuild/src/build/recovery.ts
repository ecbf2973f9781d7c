import { mkdir, rm } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import { ConsoleLog, consoleLogDefaults } from "../run/console-log.ts";
import { sweepCookie } from "../run/process-tree.ts";
import type { Store } from "../store/store.ts";
import type { Build } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";

/** What recovery works with. */
export interface RecoveryParts {
  readonly store: Store;
  readonly folders: BuildFolders;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
}

/**
 * Clears up after a build whose runner has died: what it left running is killed, and its log gets a last line.
 *
 * No line that somebody saw goes away.
 */
export async function endLost(
  build: Build,
  why: string,
  parts: RecoveryParts,
): Promise<{ readonly reason: string; readonly logBytes: number }> {
  const reason = await killLeftovers(build, why, parts);
  return { reason, logBytes: await completeLog(build, reason, parts) };
}

async function killLeftovers(build: Build, why: string, { store }: RecoveryParts): Promise<string> {
  const cookie = store.cookieOf(build.id);
  const killed = cookie === null ? 0 : await sweepCookie(cookie);
  if (killed === 0) return why;
  const processes =
    killed === 1 ? "1 process that it left was" : `${killed} processes that it left were`;
  return `${why}; ${processes} killed`;
}

async function completeLog(
  build: Build,
  reason: string,
  { folders, clock, events }: RecoveryParts,
): Promise<number> {
  const report = (error: unknown): void =>
    events.emit("problem", {
      message: `The log of build ${build.id} could not be completed: ${messageOf(error)}`,
      error,
    });
  try {
    const folder = folders.of(build.id);
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    await rm(folder.reserve, { force: true });
    const log = await ConsoleLog.open(folder.console, consoleLogDefaults, clock, {
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
