import { realpathSync } from "node:fs";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { Auth } from "./auth/auth.ts";
import { MasterKey } from "./auth/master-key.ts";
import { readDetails, type BuildDetails } from "./build/build-details.ts";
import type { Build } from "./build/build.ts";
import type { AutobuildEvents, Builds } from "./build/builds.ts";
import { OverviewReader } from "./build/overview-reader.ts";
import { recordedPlan } from "./build/recorded-plan.ts";
import { watchDefaults, type WatchOptions } from "./build/repository-watcher.ts";
import type { Repository } from "./build/repository.ts";
import { Retention, retentionDefaults } from "./build/retention.ts";
import { Scheduler, schedulerDefaults, type SchedulerOptions } from "./build/scheduler.ts";
import { guardedClock, systemClock, type Clock } from "./clock.ts";
import { BuildConsole, type Console } from "./console/console.ts";
import { AutobuildError, messageOf, show } from "./errors.ts";
import { Emitter, type EventSource } from "./events.ts";
import { expectRepository } from "./git/expect-repository.ts";
import { parseSource, type RepositorySource } from "./git/source.ts";
import { Workspaces } from "./git/workspaces.ts";
import { readSealAfterMs, Sealing } from "./log/sealing.ts";
import { Notifier } from "./notify/notifier.ts";
import { notifyFile, readNotifyConfig } from "./notify/targets.ts";
import { ArtifactFolder } from "./results/artifacts.ts";
import { Results } from "./results/results.ts";
import type { BuildFolders } from "./run/build-folders.ts";
import type { RecordOptions } from "./run/build-record.ts";
import { consoleLogDefaults } from "./run/console-log.ts";
import type { RunnerOrder } from "./run/runner-protocol.ts";
import { stepLogDefaults } from "./run/step-log.ts";
import { globalScope, Secrets } from "./secrets/secrets.ts";
import { AccountStore } from "./store/account-store.ts";
import { AddedStore } from "./store/added-store.ts";
import { DataLock } from "./store/data-lock.ts";
import { openDatabase } from "./store/database.ts";
import { DetailStore } from "./store/detail-store.ts";
import { DiskRoom, diskRoomDefaults, type DiskRoomOptions } from "./store/disk-room.ts";
import { KeptStore, type KeepBounds, type KeptKind } from "./store/kept-store.ts";
import { NoticeStore } from "./store/notice-store.ts";
import { OriginStore } from "./store/origin-store.ts";
import { OverviewStore } from "./store/overview-store.ts";
import { ResultStore } from "./store/result-store.ts";
import { SecretStore } from "./store/secret-store.ts";
import { StartedStore } from "./store/started-store.ts";
import { Store } from "./store/store.ts";
import { Triggers } from "./triggers/triggers.ts";
import type { Webhooks } from "./triggers/webhooks.ts";

/** What an AutoBuild is made with. Read once; nothing may change while it runs. */
export interface AutobuildOptions
  extends
    Partial<SchedulerOptions>,
    Partial<WatchOptions>,
    Partial<RecordOptions>,
    Partial<DiskRoomOptions> {
  /** Folder for everything that AutoBuild keeps. One AutoBuild uses it at a time. Made if it is not there. */
  readonly dataDir: string;
  /** Paths and URLs of the repositories to build; relative paths count from the working folder. */
  readonly repositories: readonly string[];
  /** Folders in which repositories on this machine must lie, links resolved. @default anywhere */
  readonly repositoryRoots?: readonly string[] | undefined;
  /** Names of variables that builds inherit besides the usual ones. @default [] */
  readonly passEnv?: readonly string[];
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

/** A build server without its pages: `server.ts` puts those on top. */
export interface Autobuild extends EventSource<AutobuildEvents> {
  readonly builds: Builds;
  /** What builds reported and kept. */
  readonly results: Results;
  /** How each branch stands, and what waits. */
  readonly overview: Pick<OverviewReader, "overview" | "pages" | "row" | "isShown" | "queue">;
  /** What led to a build, where it ran and with what. */
  detailsOf(build: Build): Promise<BuildDetails>;
  readonly console: Console;
  /** What forges and hooks on this machine tell. */
  readonly webhooks: Pick<Webhooks, "handle">;
  /** Everything that is kept, as an absolute path. */
  readonly dataDir: string;
  /** The room on the disk that holds it. */
  readonly disk: Pick<DiskRoom, "freeBytes" | "shortage">;
  /** Whether `start` has settled what an earlier AutoBuild left, and `stop` was not called. */
  readonly isStarted: boolean;
  /** What builds left, by build. */
  readonly folders: BuildFolders;
  /**
   * Has one more repository built from now on, also after a restart. Resolves with one that there is already.
   *
   * Rejects with `AUTOBUILD_BAD_SOURCE` for what is none, for a relative path, and for a URL with a password in it.
   */
  addRepository(source: string): Promise<Repository>;
  /**
   * Takes `addRepository` back: from now on it is not looked at any more, and what waits of it is cancelled. What
   * runs runs to its end, and what was built stays.
   *
   * Rejects with `AUTOBUILD_BAD_SOURCE` for one that was not added, but given at the start, too.
   */
  removeRepository(source: string): Promise<void>;
  /** Who may do what. */
  readonly auth: Auth;
  /** Settles what an earlier AutoBuild left, then watches and builds. Call it once. */
  start(): Promise<void>;
  /**
   * Lets go of what runs and closes the store: builds go on, and the next start takes them on. What is queued
   * waits for it. `builds` must not be used afterwards.
   *
   * With `stopBuilds` what runs is ended and queued again, which takes at most the 5 seconds of grace that
   * processes get, and some.
   *
   * @default as the option of that name says
   */
  stop(stopBuilds?: boolean): Promise<void>;
}

/**
 * Makes a build server for some repositories. Nothing runs before `start`.
 *
 * Throws an `AutobuildError` for an option that is wrong, a repository that may not be built, or a data
 * folder that another AutoBuild uses.
 *
 *     const autobuild = createAutobuild({ dataDir: "/var/lib/autobuild", repositories: ["."] });
 *     autobuild.on("buildChanged", (build) => console.log(build.id, build.state));
 *     await autobuild.start();
 */
export function createAutobuild(options: AutobuildOptions): Autobuild {
  const settings = {
    ...schedulerDefaults,
    ...watchDefaults,
    ...consoleLogDefaults,
    ...stepLogDefaults,
    ...diskRoomDefaults,
    ...options,
  };
  checkNumbers(settings);
  const sealAfterMs = readSealAfterMs(options.sealAfterMs);
  const read = (text: string): RepositorySource =>
    parseSource(text, process.cwd(), options.repositoryRoots);
  const given = options.repositories.map(read);
  const dataDir = path.resolve(options.dataDir);
  const events = new Emitter<AutobuildEvents>((error) => {
    process.emitWarning(`A listener of AutoBuild threw: ${messageOf(error)}`);
  });
  const clock = guardedClock(options.clock ?? systemClock, (error) =>
    events.emit("problem", { message: `AutoBuild made a mistake: ${messageOf(error)}`, error }),
  );
  const notifyConfig = readNotifyConfig(path.join(dataDir, notifyFile));

  const lock = new DataLock(dataDir);
  let database: DatabaseSync;
  let key: MasterKey;
  try {
    key = MasterKey.load(dataDir);
    database = openDatabase(dataDir);
  } catch (error) {
    lock.release();
    throw error;
  }
  const store = new Store(database);
  const added = new AddedStore(database);
  // One that was added may lie outside of the folders that are allowed now: the others are built.
  const notAllowed: AutobuildError[] = [];
  const sources = withoutRepeats([
    ...given,
    ...added.all().flatMap((location) => {
      try {
        return [read(location)];
      } catch (error) {
        if (!(error instanceof AutobuildError)) throw error;
        notAllowed.push(error);
        return [];
      }
    }),
  ]);
  const origins = new OriginStore(database);
  const details = new DetailStore(database);
  const auth = new Auth({ accounts: new AccountStore(database), key, clock });
  const secrets = new Secrets(new SecretStore(database), key);
  const mirrorFolderOf = (repositoryId: number): string =>
    path.join(dataDir, "mirrors", `${repositoryId}.git`);
  const room = new DiskRoom(dataDir, settings);
  const kept = new KeptStore(database);
  const sealing = new Sealing({ dataDir, store: kept, clock, events }, sealAfterMs);
  const { folders } = sealing;
  const started = new StartedStore(database);
  const buildConsole = new BuildConsole({
    at: (offset, limit) => started.at(offset, limit),
    log: (buildId, bytes) => folders.console(buildId, bytes),
  });
  const workspaces = new Workspaces(path.join(dataDir, "workspaces"));
  const results = new Results(
    new ResultStore(database),
    new ArtifactFolder(path.join(dataDir, "artifacts")),
  );
  const scheduler = new Scheduler(
    {
      store,
      started,
      origins,
      details,
      console: buildConsole,
      events,
      clock,
      workspaces,
      orderOf: ({ id, repositoryId }) => ({
        source: triggers.sourceOf(repositoryId),
        mirrorFolder: mirrorFolderOf(repositoryId),
        workspacesFolder: path.join(dataDir, "workspaces"),
        passEnv: options.passEnv ?? [],
        ...secretsOf(
          secrets,
          triggers.sourceOf(repositoryId)?.label ?? "",
          origins.of(id).isTrusted,
        ),
      }),
      folders,
      room,
      recordOptions: settings,
      async collect(build) {
        const plan = await recordedPlan(folders.of(build.id));
        if (plan === undefined) return;
        const bytes = await results.collect(build, plan, workspaces.pathOf(build.id));
        if (bytes > 0) kept.add("artifacts", build.id, bytes);
      },
    },
    settings,
  );

  const notifier = new Notifier(
    { store: new NoticeStore(database), events, clock, build: (id) => store.build(id) },
    notifyConfig,
  );

  const retention = new Retention(
    {
      store: kept,
      clock,
      events,
      logBytesOf: (buildId) => folders.bytesOf(buildId),
      async remove(kind, buildId) {
        if (kind === "artifacts") await results.removeArtifacts(buildId);
        else await sealing.remove(buildId);
      },
    },
    options.keep === undefined ? retentionDefaults : { ...retentionDefaults, ...options.keep },
  );

  const triggers = new Triggers({
    store,
    origins,
    details,
    clock,
    sources,
    watch: settings,
    hookSecret: options.hookSecret,
    watchTrees: options.watchTrees ?? false,
    mirrorFolderOf,
    queue: (build, origin, trigger) => scheduler.queue(build, origin, trigger),
    handleRepository: (repository) => events.emit("repositoryChanged", repository),
    handleGone: (branch) => events.emit("branchGone", branch),
    handleProblem: (message, error) => events.emit("problem", { message, error }),
  });
  const overview = new OverviewReader({
    store,
    rows: new OverviewStore(database),
    queued: () => scheduler.queued(),
    reasonToWait: ({ reason }) => reason ?? "",
    nowMs: () => clock.epochMs(),
    headBranchOf(repositoryId) {
      const state = triggers.repository(repositoryId)?.state;
      return state?.type === "reachable" ? state.headBranch : null;
    },
    isWatched: (repositoryId) => triggers.repository(repositoryId) !== undefined,
  });
  let isStarted = false;
  let stopped: Promise<void> | undefined;
  return {
    builds: {
      list: (query) => scheduler.list(query),
      get: (id) => scheduler.get(id),
      queued: () => scheduler.queued(),
      running: () => scheduler.running(),
      repositories: () => triggers.repositories(),
      log: (id) => scheduler.log(id),
      rebuild: (id, by) => scheduler.rebuild(id, by),
      build: (repositoryId, wanted = {}, by = "somebody") =>
        triggers.build(repositoryId, wanted, by),
      cancel: (id, by) => scheduler.cancel(id, by),
    },
    overview,
    results,
    detailsOf: (build) =>
      readDetails(build, {
        details,
        origins,
        folders,
        labelOf: (repositoryId) => triggers.repository(repositoryId)?.label,
      }),
    console: buildConsole,
    webhooks: triggers.webhooks,
    dataDir,
    disk: room,
    get isStarted() {
      return isStarted && stopped === undefined;
    },
    folders,
    auth,
    async addRepository(text) {
      const source = read(text);
      const url = source.type === "url" ? URL.parse(source.location) : null;
      // The user of ssh is no secret; that of a web address may be a token.
      const hasSecret =
        url !== null &&
        (url.password !== "" || (/^https?:$/.test(url.protocol) && url.username !== ""));
      if (hasSecret || (source.type === "path" && !path.isAbsolute(text))) {
        throw new AutobuildError(
          "AUTOBUILD_BAD_SOURCE",
          `Expected an absolute path, or a URL without user name and password, got ${show(source.label)}. Keep passwords where git finds them: a credential helper, or an SSH key.`,
        );
      }
      await expectRepository(source);
      added.add(source.location, clock.epochMs());
      return triggers.add(source);
    },
    async removeRepository(text) {
      const location = realPathOr(text, options.repositoryRoots !== undefined);
      const locations = added.all();
      const found = [text, location].find((each) => locations.includes(each));
      const isGiven = given.some(({ label }) => label === text || label === location);
      if (found === undefined || isGiven) {
        const others = locations.length === 0 ? "none is" : `these are: ${locations.join(", ")}`;
        throw new AutobuildError(
          "AUTOBUILD_BAD_SOURCE",
          `Expected a repository that was added, got ${show(text)}, ${isGiven ? "with which AutoBuild was started. Start it without" : `and ${others}`}.`,
        );
      }
      added.remove(found);
      const removed = await triggers.remove(found);
      if (removed === undefined) return;
      scheduler.cancelWaiting(removed.id, "its repository is built no more");
      events.emit("repositoryRemoved", removed);
    },
    on: (name, listener) => events.on(name, listener),
    async start() {
      await scheduler.recover();
      notifier.start();
      retention.start();
      sealing.start();
      scheduler.start();
      triggers.start();
      for (const error of notAllowed)
        events.emit("problem", {
          message: `One that was added is not built: ${error.message}`,
          error,
        });
      isStarted = true;
    },
    stop(stopBuilds) {
      stopped ??= (async () => {
        await triggers.stop();
        await scheduler.stop(stopBuilds);
        await notifier.stop();
        await retention.stop();
        await sealing.stop();
        database.close();
        lock.release();
      })();
      return stopped;
    },
  };
}

/** What a runner needs to give steps the secrets that they name: it finds out which those are. */
function secretsOf(
  secrets: Secrets,
  repository: string,
  isTrusted: boolean,
): Pick<RunnerOrder, "secrets" | "unopenedSecrets"> {
  const values: Record<string, string> = {};
  const unopenedSecrets: Record<string, string> = {};
  for (const { scope, name } of secrets.list()) {
    if (scope !== globalScope && scope !== repository) continue;
    try {
      const granted = secrets.grant({ repository, names: [name], isFork: !isTrusted });
      Object.assign(values, granted.values);
    } catch (error) {
      unopenedSecrets[name] = messageOf(error);
    }
  }
  return { secrets: values, unopenedSecrets };
}

/** A path with its links resolved, as it is kept where it must lie in some folders. */
function realPathOr(location: string, isResolved: boolean): string {
  try {
    return isResolved ? realpathSync(location) : location;
  } catch {
    return location;
  }
}

function withoutRepeats(sources: readonly RepositorySource[]): RepositorySource[] {
  return [...new Map(sources.map((source) => [source.label, source])).values()];
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
