import path from "node:path";

/** In a build's folder. */
export const consoleLogName = "console.log";
export const consoleIndexName = "console.idx";
export const setupLogName = "setup.log";

/**
 * Where the files of one build are: `<dataDir>/builds/<build>`.
 *
 *     setup.log, setup.idx        the checkout, and remarks from before the first step
 *     <position>.<attempt>.log    one attempt of one step: the bytes as they were printed, secrets masked
 *     <position>.<attempt>.idx    when they were printed
 *     console.log, console.idx    all of it as whole lines of plain text, in the order in which it came
 *     journal.ndjson              what happened, one JSON object a line
 *     runner.json, runner.sock    who runs it, and how to reach that process
 *     reserve                     room for its end, should the disk be full by then; while it runs
 *
 * Positions count from 0, attempts from 1. Logs and journal are only ever appended to: what was read once
 * stays true, and a cursor is a byte offset. Some time after the build they are sealed (ADR 0034): `BuildFolders.file`
 * reads a log wherever it lies.
 */
export class BuildFolder {
  readonly path: string;

  constructor(folder: string) {
    this.path = folder;
  }

  get journal(): string {
    return path.join(this.path, "journal.ndjson");
  }

  get console(): LogFiles {
    return this.#files("console");
  }

  /** Which process runs the build. */
  get runner(): string {
    return path.join(this.path, "runner.json");
  }

  /** Room that is kept for the end of the build. */
  get reserve(): string {
    return path.join(this.path, "reserve");
  }

  /** The last words of a runner that came to harm. */
  get runnerErrors(): string {
    return path.join(this.path, "runner.err");
  }

  get setup(): LogFiles {
    return this.#files("setup");
  }

  attempt(position: number, attempt: number): LogFiles {
    return this.#files(`${position}.${attempt}`);
  }

  #files(name: string): LogFiles {
    return {
      log: path.join(this.path, `${name}.log`),
      index: path.join(this.path, `${name}.idx`),
    };
  }
}

/** A log, and the index that says when its bytes came. */
export interface LogFiles {
  readonly log: string;
  readonly index: string;
}
