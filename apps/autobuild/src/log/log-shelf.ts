import type { Autobuild } from "../autobuild.ts";
import { hasEnded } from "../build/build.ts";
import { IndexedLog } from "./indexed-log.ts";
import { parseLogName, StepLogReader } from "./step-log-reader.ts";

/** An index is some kilobytes a megabyte of log; it is made anew from the file when it is needed again. */
const maxLogs = 64;

/** The logs that somebody looks at, or looked at lately. */
export class LogShelf {
  readonly #autobuild: Pick<Autobuild, "builds" | "folders">;
  /** The one that was used last is the last. */
  readonly #logs = new Map<string, IndexedLog>();

  constructor(autobuild: Pick<Autobuild, "builds" | "folders">) {
    this.#autobuild = autobuild;
  }

  /** A log of a build, be there something in it or not; undefined for a build or a name that there is not. */
  get(buildId: number, name: string): IndexedLog | undefined {
    const { builds, folders } = this.#autobuild;
    const logName = parseLogName(name);
    const build = builds.get(buildId);
    if (logName === undefined || build === undefined) return undefined;
    if (logName.position !== null && logName.position >= build.steps.length) return undefined;
    const key = `${buildId}/${name}`;
    const isEnded = (): boolean => {
      const now = builds.get(buildId);
      return now === undefined || hasEnded(now);
    };
    const log =
      this.#logs.get(key) ?? new IndexedLog(new StepLogReader(folders, buildId, logName, isEnded));
    this.#logs.delete(key);
    this.#logs.set(key, log);
    for (const oldest of this.#logs.keys()) {
      if (this.#logs.size <= maxLogs) break;
      this.#logs.delete(oldest);
    }
    return log;
  }
}

const shelves = new WeakMap<object, LogShelf>();

/** The shelf of an AutoBuild: its doors share it. */
export function shelfOf(autobuild: Pick<Autobuild, "builds" | "folders">): LogShelf {
  let shelf = shelves.get(autobuild);
  if (shelf === undefined) shelves.set(autobuild, (shelf = new LogShelf(autobuild)));
  return shelf;
}
