import type { BuildLog } from "../log/build-log.ts";
import type { LogReader, LogSlice } from "../log/log-reader.ts";

/** A build that runs. Its log reads as empty until the file is open. */
export class ActiveBuild implements LogReader {
  readonly abort = new AbortController();
  readonly #end = Promise.withResolvers<void>();
  log: BuildLog | undefined;

  /** Resolves when nothing of the build is left and its end is in the store. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  end(): void {
    this.#end.resolve();
  }

  get length(): number {
    return this.log?.length ?? 0;
  }

  async read(from: number, maxBytes: number): Promise<LogSlice> {
    return this.log?.read(from, maxBytes) ?? { text: "", next: 0 };
  }
}
