import type { Clock } from "../clock.ts";
import type { LogBytes } from "../log/log-bytes.ts";
import { readLogFile, type LogReader, type LogSlice } from "../log/log-reader.ts";
import type { BuildFolder } from "../run/build-folder.ts";
import { consoleLogDefaults } from "../run/console-log.ts";
import { RunnerLink, type LinkListener } from "../run/runner-link.ts";

/** A build that runs. As a log it is the build's console, as far as it has come. */
export class ActiveBuild implements LogReader {
  readonly link: RunnerLink;
  /** Whether AutoBuild ends it to build its commit again at the next start. */
  isRequeued = false;
  readonly #end = Promise.withResolvers<void>();
  readonly #known = Promise.withResolvers<void>();
  readonly #console: LogBytes;
  /** Of the console log. */
  length = 0;

  constructor(
    folder: BuildFolder,
    console: LogBytes,
    cookie: string,
    listener: LinkListener,
    clock: Clock,
  ) {
    this.#console = console;
    const handleConsoleGrown = (length: number): void => {
      this.#known.resolve();
      if (length <= this.length) return;
      this.length = length;
      listener.handleConsoleGrown(length);
    };
    this.link = new RunnerLink(folder, cookie, { ...listener, handleConsoleGrown }, clock);
  }

  /** Resolves when its runner has been heard of. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** Resolves when nothing of the build is left and its end is in the store, or when nobody follows it any more. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  end(): void {
    this.#end.resolve();
  }

  read(from: number, maxBytes: number): Promise<LogSlice> {
    return readLogFile(this.#console, this.length, from, maxBytes, consoleLogDefaults.maxLineBytes);
  }
}
