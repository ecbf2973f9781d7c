import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { systemCodeOf } from "../errors.ts";
import { BuildFolder, type LogFiles } from "../run/build-folder.ts";
import type { JournalEntry } from "../run/journal.ts";
import { readRange } from "./file-range.ts";

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

/** From this byte on, what follows was printed at that time. */
export interface LogTime {
  readonly byte: number;
  readonly epochMs: number;
}

const maxIndexBytes = 16 * 1024 * 1024;

/** `setup`, `2.1`; undefined for what is no name of a log. */
export function parseLogName(text: string): LogName | undefined {
  if (text === "setup") return { position: null, attempt: 1 };
  const match = /^(0|[1-9]\d{0,4})\.([1-9]\d{0,2})$/.exec(text);
  return match === null ? undefined : { position: Number(match[1]), attempt: Number(match[2]) };
}

/**
 * One log of a build, read from the files alone, while they are written and after.
 *
 * `refresh` looks at them anew; in between, `length` and `end` stay. A log that is not there (yet) is
 * empty. Bytes that were read once never change.
 */
export class StepLogReader {
  readonly #folder: BuildFolder;
  readonly #name: LogName;
  readonly #early: string;
  readonly #hasBuildEnded: () => boolean;
  #files: LogFiles;
  #length = 0;
  #end: LogEnd | undefined;
  #journalBytes = 0;

  /** `hasBuildEnded` is asked when the journal does not say how the log ended. */
  constructor(dataDir: string, buildId: number, name: LogName, hasBuildEnded: () => boolean) {
    this.#folder = new BuildFolder(path.join(dataDir, "builds", String(buildId)));
    this.#name = name;
    this.#early = path.join(dataDir, "logs", `${buildId}.log`);
    this.#hasBuildEnded = hasBuildEnded;
    this.#files =
      name.position === null
        ? this.#folder.setup
        : this.#folder.attempt(name.position, name.attempt);
  }

  get length(): number {
    return this.#length;
  }

  get end(): LogEnd | undefined {
    return this.#end;
  }

  async refresh(): Promise<void> {
    if (this.#end !== undefined) return;
    // Before the size: a log that has ended by now has all its bytes.
    const hasBuildEnded = this.#hasBuildEnded();
    const end = await this.#findEnd();
    this.#length = Math.max(this.#length, await this.#size());
    if (end !== undefined) this.#end = { ...end, length: Math.min(end.length, this.#length) };
    else if (hasBuildEnded) this.#end = { length: this.#length, isFailure: false };
  }

  /** At most `maxBytes` from an offset on; empty at the end. */
  async read(from: number, maxBytes: number): Promise<Buffer> {
    const length = Math.min(maxBytes, this.#length - from);
    if (length <= 0) return Buffer.alloc(0);
    return readRange(this.#files.log, from, length);
  }

  /** When its bytes were printed, in their order. Empty where nobody noted it. */
  async times(): Promise<LogTime[]> {
    const { size } = await stat(this.#files.index).catch(() => ({ size: 0 }));
    const bytes = await readRange(this.#files.index, 0, Math.min(size, maxIndexBytes));
    const times: LogTime[] = [];
    for (let at = 0; at + 16 <= bytes.length; at += 16)
      times.push({
        byte: Number(bytes.readBigUInt64LE(at)),
        epochMs: Number(bytes.readBigUInt64LE(at + 8)),
      });
    return times;
  }

  async #size(): Promise<number> {
    try {
      return (await stat(this.#files.log)).size;
    } catch (error) {
      if (systemCodeOf(error) !== "ENOENT") throw error;
    }
    if (this.#name.position !== null) return 0;
    // A build from before builds had folders has one log of all that it printed.
    const { size } = await stat(this.#early).catch(() => ({ size: 0 }));
    if (size > 0) this.#files = { log: this.#early, index: `${this.#early}.idx` };
    return size;
  }

  async #findEnd(): Promise<LogEnd | undefined> {
    const { size } = await stat(this.#folder.journal).catch(() => ({ size: 0 }));
    if (size === this.#journalBytes) return undefined;
    this.#journalBytes = size;
    const text = await readFile(this.#folder.journal, "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      const entry = entryOf(line);
      if (entry === undefined) continue;
      const { position, attempt } = this.#name;
      if (entry.type === "setupEnded" && position === null)
        return { length: entry.length, sha256: entry.sha256, isFailure: false };
      if (entry.type === "attemptEnded" && entry.position === position && entry.attempt === attempt)
        return {
          length: entry.length,
          sha256: entry.sha256,
          isFailure: entry.end.type !== "passed",
        };
    }
    return undefined;
  }
}

/** The last line may be there by half. */
function entryOf(line: string): JournalEntry | undefined {
  if (line === "") return undefined;
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return undefined;
  }
}
