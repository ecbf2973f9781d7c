import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { Auth } from "./auth/auth.ts";
import { MasterKey } from "./auth/master-key.ts";
import { readSettings, type AutobuildOptions } from "./autobuild-options.ts";
import { readDetails, type BuildDetails } from "./build/build-details.ts";
import type { Build } from "./build/build.ts";
import type { AutobuildEvents, Builds } from "./build/builds.ts";
import { OverviewReader } from "./build/overview-reader.ts";
import { recordedPlan } from "./build/recorded-plan.ts";
import type { Repository } from "./build/repository.ts";
import { Retention } from "./build/retention.ts";
import { Scheduler } from "./build/scheduler.ts";
import { guardedClock } from "./clock.ts";
import { BuildConsole, type Console } from "./console/console.ts";
import { messageOf } from "./errors.ts";
import { Emitter, type EventSource } from "./events.ts";
import { Workspaces } from "./git/workspaces.ts";
import { Sealing } from "./log/sealing.ts";
import { Notifier } from "./notify/notifier.ts";
import { notifyFile, readNotifyConfig } from "./notify/targets.ts";
import { ArtifactFolder } from "./results/artifacts.ts";
import { Results } from "./results/results.ts";
import type { BuildFolders } from "./run/build-folders.ts";
import { Secrets } from "./secrets/secrets.ts";
import { AccountStore } from "./store/account-store.ts";
import { AddedStore } from "./store/added-store.ts";
import { DataLock } from "./store/data-lock.ts";
import { openDatabase } from "./store/database.ts";
import { DetailStore } from "./store/detail-store.ts";
import { DiskRoom } from "./store/disk-room.ts";
import { KeptStore } from "./store/kept-store.ts";
import { NoticeStore } from "./store/notice-store.ts";
import { OriginStore } from "./store/origin-store.ts";
import { OverviewStore } from "./store/overview-store.ts";
import { ResultStore } from "./store/result-store.ts";
import { SecretStore } from "./store/secret-store.ts";
import { StartedStore } from "./store/started-store.ts";
import { Store } from "./store/store.ts";
import { RepositoryList } from "./triggers/repository-list.ts";
import { Triggers } from "./triggers/triggers.ts";
import type { Webhooks } from "./triggers/webhooks.ts";

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
  const settings = readSettings(options);
  const { dataDir, given, repositoryRoots, sealAfterMs } = settings;
  const events = new Emitter<AutobuildEvents>((error) => {
    process.emitWarning(`A listener of AutoBuild threw: ${messageOf(error)}`);
  });
  const clock = guardedClock(settings.clock, (error) =>
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
  const list = new RepositoryList(given, repositoryRoots, new AddedStore(database));
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
      orderOf({ id, repositoryId }) {
        const source = triggers.sourceOf(repositoryId);
        const isFork = !origins.of(id).isTrusted;
        const { values, unopened } = secrets.grantAll({ repository: source?.label ?? "", isFork });
        return {
          source,
          mirrorFolder: mirrorFolderOf(repositoryId),
          workspacesFolder: path.join(dataDir, "workspaces"),
          passEnv: settings.passEnv,
          niceness: settings.niceness,
          secrets: values,
          unopenedSecrets: unopened,
        };
      },
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
    settings.keep,
  );

  const triggers = new Triggers({
    store,
    origins,
    details,
    clock,
    sources: list.sources,
    watch: settings,
    hookSecret: settings.hookSecret,
    watchTrees: settings.watchTrees,
    mirrorFolderOf,
    isAdded: (label) => list.isAdded(label),
    queue: (build, origin, trigger) => scheduler.queue(build, origin, trigger),
    handleRepository: (repository) => events.emit("repositoryChanged", repository),
    handleGone: (branch) => events.emit("branchGone", branch),
    handleProblem: (message, error) => events.emit("problem", { message, error }),
  });
  const overview = new OverviewReader({
    store,
    rows: new OverviewStore(database),
    queued: () => scheduler.queued(),
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
        sourceOf: (repositoryId) => triggers.sourceOf(repositoryId),
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
      return triggers.add(await list.add(text, clock.epochMs()));
    },
    async removeRepository(text) {
      const removed = await triggers.remove(list.remove(text));
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
      for (const error of list.refusals)
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
