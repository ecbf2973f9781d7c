import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AutobuildError } from "../errors.ts";

/**
 * Holds a data folder for this server alone, until `release` or the death of the process.
 *
 * A second server over the same folder would take our running builds for lost ones and kill them. The
 * lock is SQLite's own on a file beside the store: the system drops it whatever way the process ends,
 * and the store itself stays readable for others.
 */
export class DataLock {
  readonly #database: DatabaseSync;

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(path.join(dataDir, "lock.sqlite"), { timeout: 0 });
    try {
      this.#database.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      this.#database.close();
      throw new AutobuildError(
        "AUTOBUILD_DATA_DIR_IN_USE",
        `Expected to be the only AutoBuild that uses ${dataDir}, and another one does. Stop that one, or give another --data-dir.`,
        { cause: error },
      );
    }
  }

  release(): void {
    this.#database.close();
  }
}
