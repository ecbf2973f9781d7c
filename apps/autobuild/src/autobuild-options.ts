import path from "node:path";
import { watchDefaults, type WatchOptions } from "./build/repository-watcher.ts";
import { retentionDefaults } from "./build/retention.ts";
import { schedulerDefaults, type SchedulerOptions } from "./build/scheduler.ts";
import { systemClock, type Clock } from "./clock.ts";
import { AutobuildError, show } from "./errors.ts";
import { parseSource, type RepositorySource } from "./git/source.ts";
import { readSealAfterMs } from "./log/sealing.ts";
import type { RecordOptions } from "./run/build-record.ts";
import { consoleLogDefaults } from "./run/console-log.ts";
import { defaultNiceness, maxNiceness } from "./run/niceness.ts";
import { stepLogDefaults } from "./run/step-log-writer.ts";
import { diskRoomDefaults, type DiskRoomOptions } from "./store/disk-room.ts";
import type { KeepBounds, KeptKind } from "./store/kept-store.ts";

/** Numbers and switches of the parts, each with its default there. */
type PartOptions = SchedulerOptions & WatchOptions & RecordOptions & DiskRoomOptions;

/** What an AutoBuild is made with. Read once; nothing may change while it runs. */
export interface AutobuildOptions extends Partial<PartOptions> {
  /** Folder for everything that AutoBuild keeps. One AutoBuild uses it at a time. Made if it is not there. */
  readonly dataDir: string;
  /** Paths and URLs of the repositories to build; relative paths count from the working folder. */
  readonly repositories: readonly string[];
  /** Folders in which repositories on this machine must lie, links resolved. @default anywhere */
  readonly repositoryRoots?: readonly string[] | undefined;
  /** Names of variables that builds inherit besides the usual ones. @default [] */
  readonly passEnv?: readonly string[];
  /**
   * How much less urgent what builds run is than AutoBuild itself: 0 as urgent, 19 least. Holds for builds that start
   * from now on. @default 10
   */
  readonly niceness?: number;
  /** Whether what is not committed is built too, at each change, in repositories that somebody works in. @default false */
  readonly watchTrees?: boolean;
  /** Shared with the forges whose webhooks come to `/hooks/<forge>`. @default none: they are refused */
  readonly hookSecret?: string | undefined;
  /** How long logs and artifacts are kept. @default 180 days, 200 a branch, 20 GiB; 30 days, 20 a branch, 10 GiB */
  readonly keep?: Partial<Readonly<Record<KeptKind, KeepBounds>>>;
  /** How long after its end a build's logs are sealed: moved into compressed blocks. Null: never. @default 1 hour */
  readonly sealAfterMs?: number | null;
  /** @default the machine's own time */
  readonly clock?: Clock;
}

/** Options with their defaults, checked. */
export interface AutobuildSettings extends PartOptions {
  /** Absolute. */
  readonly dataDir: string;
  /** The repositories that were given. */
  readonly given: readonly RepositorySource[];
  readonly repositoryRoots: readonly string[] | undefined;
  readonly passEnv: readonly string[];
  readonly niceness: number;
  readonly watchTrees: boolean;
  readonly hookSecret: string | undefined;
  readonly keep: Readonly<Record<KeptKind, KeepBounds>>;
  readonly sealAfterMs: number | null;
  readonly clock: Clock;
}

const leastValues = {
  concurrency: 1,
  maxQueuedBuilds: 1,
  keptWorkspaces: 0,
  localPollMs: 10,
  watchedPollMs: 10,
  remotePollMs: 1000,
  maxBackoffMs: 10,
  maxLineBytes: 64,
  maxLogBytes: 1024,
  highWaterBytes: 1024,
  maxStepLogBytes: 1024,
  keptTailBytes: 1024,
  leastFreeBytes: 0,
} as const;

/** Throws an `AutobuildError` for an option that is wrong, and a repository that may not be built. */
export function readSettings(options: AutobuildOptions): AutobuildSettings {
  const { repositories, repositoryRoots } = options;
  const parts: PartOptions = {
    ...schedulerDefaults,
    ...watchDefaults,
    ...consoleLogDefaults,
    ...stepLogDefaults,
    ...diskRoomDefaults,
    ...options,
  };
  checkNumbers(parts);
  return {
    ...parts,
    sealAfterMs: readSealAfterMs(options.sealAfterMs),
    given: repositories.map((text) => parseSource(text, process.cwd(), repositoryRoots)),
    repositoryRoots,
    dataDir: path.resolve(options.dataDir),
    passEnv: options.passEnv ?? [],
    niceness: readNiceness(options.niceness),
    watchTrees: options.watchTrees ?? false,
    hookSecret: options.hookSecret,
    keep: { ...retentionDefaults, ...options.keep },
    clock: options.clock ?? systemClock,
  };
}

function readNiceness(value: unknown = defaultNiceness): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxNiceness)
    return value;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected \`niceness\` to be an integer from 0 to ${maxNiceness}, got ${show(value)}.`,
  );
}

function checkNumbers(settings: Record<keyof typeof leastValues, number>): void {
  for (const [name, least] of Object.entries(leastValues)) {
    const value: unknown = settings[name as keyof typeof leastValues];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) continue;
    throw new AutobuildError(
      "AUTOBUILD_BAD_OPTION",
      `Expected \`${name}\` to be an integer of at least ${least}, got ${show(value)}.`,
    );
  }
}
