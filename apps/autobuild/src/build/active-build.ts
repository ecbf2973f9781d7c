import { readLogFile, type LogReader, type LogSlice } from "../log/log-reader.ts";
import type { BuildFolder } from "../run/build-folder.ts";
import { consoleLogDefaults } from "../run/console-log.ts";

/** A build that runs. As a log it is the build's console, as far as it has come. */
export class ActiveBuild implements LogReader {
  readonly abort = new AbortController();
  readonly #end = Promise.withResolvers<void>();
  readonly #file: string;
  /** Of the console log. */
  length = 0;

  constructor(folder: BuildFolder) {
    this.#file = folder.consoleLog;
  }

  /** Resolves when nothing of the build is left and its end is in the store. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  end(): void {
    this.#end.resolve();
  }

  read(from: number, maxBytes: number): Promise<LogSlice> {
    return readLogFile(this.#file, this.length, from, maxBytes, consoleLogDefaults.maxLineBytes);
  }
}
