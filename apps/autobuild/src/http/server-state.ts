import { accessSync, constants } from "node:fs";
import type { Autobuild } from "../autobuild.ts";

/** How an AutoBuild does, in numbers. Names of repositories and what git said of them are not for everybody. */
export interface ServerState {
  readonly buildsRunning: number;
  readonly buildsQueued: number;
  /** How long the one that waits longest has waited. 0 where none does. */
  readonly oldestQueuedSeconds: number;
  readonly repositories: number;
  /** Whose last look failed. */
  readonly repositoriesUnreachable: number;
  readonly isDataFolderWritable: boolean;
  /** Null where the system does not tell. */
  readonly dataFreeBytes: number | null;
  /** Whether there is room to start builds. */
  readonly hasRoom: boolean;
}

/** Looks at it now: `/healthz` and `/metrics` say the same. Throws when the store cannot be read. */
export function readServerState(autobuild: Autobuild, nowMs: number): ServerState {
  const { builds, overview, disk, dataDir } = autobuild;
  const queue = overview.queue();
  const repositories = builds.repositories();
  const oldestMs = Math.min(nowMs, ...queue.first.map(({ build }) => build.queuedMs));
  return {
    buildsRunning: builds.running().length,
    buildsQueued: queue.count,
    oldestQueuedSeconds: (nowMs - oldestMs) / 1000,
    repositories: repositories.length,
    repositoriesUnreachable: repositories.filter(({ state }) => state.type === "unreachable")
      .length,
    isDataFolderWritable: isWritable(dataDir),
    dataFreeBytes: disk.freeBytes() ?? null,
    hasRoom: disk.shortage() === null,
  };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
