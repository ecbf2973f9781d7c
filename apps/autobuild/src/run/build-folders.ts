import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { systemClock, type Clock } from "../clock.ts";
import { FirstThere, PlainFile, type LogBytes } from "../log/log-bytes.ts";
import { LogFile, type LogReader } from "../log/log-reader.ts";
import { SealableFile } from "../log/sealable-file.ts";
import type { SealedLogs } from "../log/sealed-logs.ts";
import { BuildFolder, consoleLogName, setupLogName } from "./build-folder.ts";
import { consoleLogDefaults } from "./console-log.ts";

/** A build whose logs were read within this time counts as read. */
const readMs = 5 * 60_000;
/** Builds of which it is known when they were read last. */
const maxReads = 1000;

/** The folders of all builds, their logs wherever they lie, and the logs of those from before builds had folders. */
export class BuildFolders {
  readonly #dataDir: string;
  readonly #sealed: SealedLogs;
  readonly #clock: Clock;
  /** When a build's logs were read last; the one that was read last is the last. */
  readonly #reads = new Map<number, number>();

  constructor(dataDir: string, sealed: SealedLogs, clock: Clock = systemClock) {
    this.#dataDir = dataDir;
    this.#sealed = sealed;
    this.#clock = clock;
  }

  of(buildId: number): BuildFolder {
    return new BuildFolder(path.join(this.#dataDir, "builds", String(buildId)));
  }

  /** A log of a build, or the index of one, by its name: read from its file, or from where it is sealed. */
  file(buildId: number, name: string): LogBytes {
    const file = new PlainFile(path.join(this.of(buildId).path, name));
    const log = new SealableFile(file, this.#sealed, buildId, name, () =>
      this.#handleRead(buildId),
    );
    // A build from before builds had folders has one log of all that it printed. It is never sealed.
    return name === consoleLogName || name === setupLogName
      ? new FirstThere(log, new PlainFile(this.#early(buildId)))
      : log;
  }

  /** Whether somebody reads a build's logs, or did so within the last minutes. */
  isRead(buildId: number): boolean {
    const atMs = this.#reads.get(buildId);
    return atMs !== undefined && this.#clock.monotonicMs() - atMs < readMs;
  }

  /** What all that a build printed takes of the disk, its journal and indexes included. */
  async bytesOf(buildId: number): Promise<number> {
    const folder = this.of(buildId).path;
    const names = await readdir(folder).catch(() => []);
    const files = [...names.map((name) => path.join(folder, name)), this.#early(buildId)];
    const sizes = await Promise.all(
      files.map((file) =>
        stat(file).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, this.#sealed.storedBytesOf(buildId));
  }

  /** Removes all files of what a build printed. What its row says of it stays, and so does what is sealed. */
  async remove(buildId: number): Promise<void> {
    await rm(this.of(buildId).path, { recursive: true, force: true });
    await rm(this.#early(buildId), { force: true });
  }

  /** A build's console log, as far as its first `bytes`. */
  console(buildId: number, bytes: number): LogReader {
    return new LogFile(this.file(buildId, consoleLogName), bytes, consoleLogDefaults.maxLineBytes);
  }

  #handleRead(buildId: number): void {
    this.#reads.delete(buildId);
    this.#reads.set(buildId, this.#clock.monotonicMs());
    for (const oldest of this.#reads.keys()) {
      if (this.#reads.size <= maxReads) break;
      this.#reads.delete(oldest);
    }
  }

  #early(buildId: number): string {
    return path.join(this.#dataDir, "logs", `${buildId}.log`);
  }
}
