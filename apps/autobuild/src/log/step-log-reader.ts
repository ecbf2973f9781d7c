import type { BuildFolders } from "../run/build-folders.ts";
import type { JournalEntry } from "../run/journal.ts";
import { JournalReader } from "./journal-reader.ts";
import type { LogBytes } from "./log-bytes.ts";
import { readTimes, type LogTime } from "./log-times.ts";

/** Which log of a build: that of an attempt of a step, or with null what came before the first step. */
export interface LogName {
  /** Counts from 0. */
  readonly position: number | null;
  /** Counts from 1. */
  readonly attempt: number;
}

/** How a log ended. */
export interface LogEnd {
  readonly length: number;
  /** In hexadecimal; absent where nobody counted: the log was cut short, or is from an older AutoBuild. */
  readonly sha256?: string;
  readonly isFailure: boolean;
}

/** `setup`, `2.1`; undefined for what is no name of a log. */
export function parseLogName(text: string): LogName | undefined {
  if (text === "setup") return { position: null, attempt: 1 };
  const match = /^(0|[1-9]\d{0,4})\.([1-9]\d{0,2})$/.exec(text);
  return match === null ? undefined : { position: Number(match[1]), attempt: Number(match[2]) };
}

/**
 * One log of a build, read from the disk alone, while it is written, after that, and when it is sealed.
 *
 * `refresh` looks at it anew; in between, `length` and `end` stay. A log that is not there (yet) is
 * empty. Bytes that were read once never change.
 */
export class StepLogReader {
  readonly #name: LogName;
  readonly #journal: JournalReader;
  readonly #hasBuildEnded: () => boolean;
  readonly #index: LogBytes;
  readonly #log: LogBytes;
  #length = 0;
  #journalEnd: LogEnd | undefined;
  #end: LogEnd | undefined;
  #refreshing: Promise<void> | undefined;

  /** `hasBuildEnded` is asked when the journal does not say how the log ended. */
  constructor(folders: BuildFolders, buildId: number, name: LogName, hasBuildEnded: () => boolean) {
    const { position, attempt } = name;
    const file = position === null ? "setup" : `${position}.${attempt}`;
    this.#name = name;
    this.#journal = new JournalReader(folders.of(buildId).journal);
    this.#hasBuildEnded = hasBuildEnded;
    this.#log = folders.file(buildId, `${file}.log`);
    this.#index = folders.file(buildId, `${file}.idx`);
  }

  get length(): number {
    return this.#length;
  }

  get end(): LogEnd | undefined {
    return this.#end;
  }

  async refresh(): Promise<void> {
    // One look at a time; what is under way may have looked before the call.
    await this.#refreshing;
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /** At most `maxBytes` from an offset on; empty at the end. */
  async read(from: number, maxBytes: number): Promise<Buffer> {
    const length = Math.min(maxBytes, this.#length - from);
    return length <= 0 ? Buffer.alloc(0) : this.#log.read(from, length);
  }

  /** When its bytes were printed, in their order. Empty where nobody noted it. */
  times(): Promise<LogTime[]> {
    return readTimes(this.#index);
  }

  async #refresh(): Promise<void> {
    if (this.#end !== undefined) return;
    // Before the size: a log that has ended by now has all its bytes.
    const hasBuildEnded = this.#hasBuildEnded();
    // The journal says it once, so it is kept whatever the disk says next.
    this.#journalEnd ??= await this.#findEnd();
    this.#length = Math.max(this.#length, (await this.#log.size()) ?? 0);
    const end = this.#journalEnd;
    if (end !== undefined) this.#end = { ...end, length: Math.min(end.length, this.#length) };
    else if (hasBuildEnded) this.#end = { length: this.#length, isFailure: false };
  }

  async #findEnd(): Promise<LogEnd | undefined> {
    for (const entry of await this.#journal.readOn()) {
      const end = this.#endIn(entry);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  #endIn(entry: JournalEntry): LogEnd | undefined {
    const { position, attempt } = this.#name;
    if (entry.type === "setupEnded" && position === null)
      return { length: entry.length, sha256: entry.sha256, isFailure: false };
    if (entry.type === "attemptEnded" && entry.position === position && entry.attempt === attempt)
      return {
        length: entry.length,
        sha256: entry.sha256,
        isFailure: entry.end.type !== "passed",
      };
    return undefined;
  }
}
