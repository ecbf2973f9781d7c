import path from "node:path";
import { BuildLog, type LogListener, type LogOptions } from "./build-log.ts";
import { LogFile } from "./log-reader.ts";

/** The logs of all builds: a file for each that ever started, named after its number. */
export class LogFolder {
  readonly #folder: string;
  readonly #options: LogOptions;

  constructor(folder: string, options: LogOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Begins a build's log, or goes on with one that a killed server left. */
  open(buildId: number, listener: LogListener): Promise<BuildLog> {
    return BuildLog.open(this.#file(buildId), this.#options, listener);
  }

  /** The log of a build that has ended. */
  ended(buildId: number, bytes: number): LogFile {
    return new LogFile(this.#file(buildId), bytes, this.#options.maxLineBytes);
  }

  #file(buildId: number): string {
    return path.join(this.#folder, `${buildId}.log`);
  }
}
