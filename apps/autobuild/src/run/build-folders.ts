import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { LogFile, type LogReader } from "../log/log-reader.ts";
import { BuildFolder } from "./build-folder.ts";
import { consoleLogDefaults } from "./console-log.ts";

/** The folders of all builds, and the logs of those from before builds had folders. */
export class BuildFolders {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  of(buildId: number): BuildFolder {
    return new BuildFolder(path.join(this.#dataDir, "builds", String(buildId)));
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
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Removes all that a build printed. What its row says of it stays. */
  async remove(buildId: number): Promise<void> {
    await rm(this.of(buildId).path, { recursive: true, force: true });
    await rm(this.#early(buildId), { force: true });
  }

  /** A build's console log, as far as its first `bytes`. */
  console(buildId: number, bytes: number): LogReader {
    const early = this.#early(buildId);
    const file = existsSync(early) ? early : this.of(buildId).consoleLog;
    return new LogFile(file, bytes, consoleLogDefaults.maxLineBytes);
  }

  #early(buildId: number): string {
    return path.join(this.#dataDir, "logs", `${buildId}.log`);
  }
}
