import { mkdir, rm } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Emitter } from "../events.ts";
import type { BuildFolders } from "../run/build-folders.ts";
import { ConsoleLog, consoleLogDefaults } from "../run/console-log.ts";
import { sweepCookie } from "../run/process-tree.ts";
import type { Store } from "../store/store.ts";
import type { Build, EndState } from "./build.ts";
import type { AutobuildEvents } from "./builds.ts";

/** What recovery works with. */
export interface RecoveryParts {
  readonly store: Store;
  readonly folders: BuildFolders;
  readonly clock: Clock;
  readonly events: Emitter<AutobuildEvents>;
}

/**
 * Clears up after a build whose runner has died: what it left running is killed, and its log gets a last line
 * with the state that it ends in.
 *
 * No line that somebody saw goes away.
 */
export async function endLost(
  build: Build,
  state: EndState,
  why: string,
  parts: RecoveryParts,
): Promise<{ readonly reason: string; readonly logBytes: number }> {
  const reason = await killLeftovers(build, why, parts);
  return { reason, logBytes: await completeLog(build, `${state}: ${reason}`, parts) };
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
  end: string,
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
    log.line(`=== build ${build.id} ${end}`);
    await log.close();
    return log.length;
  } catch (error) {
    report(error);
    return 0;
  }
}
