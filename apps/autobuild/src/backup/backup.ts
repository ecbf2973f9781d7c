import { constants, existsSync, type Stats } from "node:fs";
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { AutobuildError, ignoreMissing, messageOf } from "../errors.ts";
import { sealedLogsFile } from "../log/sealed-tables.ts";

/** What a backup holds besides its manifest, as far as it is there. The rest of a data folder can be had again. */
export const backedUp = {
  databases: ["autobuild.sqlite", sealedLogsFile],
  folders: ["builds", "logs", "artifacts"],
  files: ["notify.yml"],
} as const;

export const manifestFile = "backup.json";

/** What a backup says about itself. Plain JSON. */
export interface BackupManifest {
  readonly format: 1;
  readonly madeMs: number;
  /** Of the database, as its migrations count. */
  readonly dataVersion: number;
  readonly files: number;
  readonly bytes: number;
}

/** How far a backup has come. */
export interface BackupProgress {
  /** `autobuild.sqlite`, `artifacts` and so on. */
  readonly part: string;
  /** From 0 to 1, where that is known. */
  readonly fraction: number | null;
}

const pagesAtOnce = 500;

/**
 * Copies what a data folder holds into a new folder, beside a running server and without stopping it.
 *
 * The database of builds is copied as of one moment, then their logs, which are only appended to: a build that
 * ran meanwhile has more log than its row knows, and is settled like any other after a crash. What is sealed comes
 * last, so that a log which moves there meanwhile is in one place at least. The key that secrets are encrypted with
 * is left out, so that a backup alone opens none.
 *
 * The folder appears when all of it is there. Throws `AUTOBUILD_BACKUP_FAILED`.
 */
export async function makeBackup(
  dataDir: string,
  target: string,
  nowMs: number,
  handleProgress: (progress: BackupProgress) => void = () => {},
): Promise<BackupManifest> {
  if (!existsSync(path.join(dataDir, backedUp.databases[0])))
    throw failed(
      `Expected ${dataDir} to be a data folder of AutoBuild, found no ${backedUp.databases[0]} in it. Name it with --data-dir.`,
    );
  if (existsSync(target))
    throw failed(`Expected ${target} not to be there yet, and it is. Name a new folder.`);
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  try {
    const [builds, ...others] = backedUp.databases;
    const copy = async (name: string): Promise<number> => {
      handleProgress({ part: name, fraction: 0 });
      return copyDatabase(path.join(dataDir, name), path.join(partial, name), (fraction) =>
        handleProgress({ part: name, fraction }),
      );
    };
    const dataVersion = await copy(builds);
    for (const name of [...backedUp.folders, ...backedUp.files]) {
      handleProgress({ part: name, fraction: null });
      await copyTree(path.join(dataDir, name), path.join(partial, name));
    }
    for (const name of others) if (existsSync(path.join(dataDir, name))) await copy(name);
    const manifest: BackupManifest = {
      format: 1,
      madeMs: nowMs,
      dataVersion,
      ...(await sizeOf(partial)),
    };
    await writeFile(path.join(partial, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`);
    await rename(partial, target);
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error instanceof AutobuildError
      ? error
      : failed(
          `The backup could not be made: ${messageOf(error)}. Nothing was left behind.`,
          error,
        );
  }
}

/** Copies a database as of one moment, while others write to it. Returns its version. */
async function copyDatabase(
  from: string,
  to: string,
  handleFraction: (fraction: number) => void,
): Promise<number> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 });
  try {
    // Reads from one moment on: else a copy begins anew whenever somebody has written.
    source.exec("BEGIN; SELECT 1 FROM sqlite_schema;");
    await backup(source, to, {
      rate: pagesAtOnce,
      progress: ({ totalPages, remainingPages }) =>
        handleFraction(totalPages === 0 ? 1 : 1 - remainingPages / totalPages),
    });
  } finally {
    source.close();
  }
  return checkDatabase(to);
}

/** Makes sure that a database is whole. Returns its version. Throws `AUTOBUILD_BACKUP_FAILED`. */
export function checkDatabase(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const check = String(database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
    if (check !== "ok") throw new Error(check);
    return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  } catch (error) {
    throw failed(`Expected ${file} to be a whole database, got: ${messageOf(error)}`, error);
  } finally {
    database.close();
  }
}

/**
 * Copies a file or a folder with its times, but for what is removed meanwhile. Sockets, and links that a build may
 * have left, are nothing to keep.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  // The folder itself may be a link, to another disk.
  const found = await stat(from).catch(ignoreMissing);
  if (found !== undefined) await copyFound(from, to, found);
}

async function copyFound(from: string, to: string, found: Stats): Promise<void> {
  if (found.isDirectory()) {
    await mkdir(to, { mode: found.mode });
    for (const name of (await readdir(from).catch(ignoreMissing)) ?? []) {
      const inner = await lstat(path.join(from, name)).catch(ignoreMissing);
      if (inner !== undefined) await copyFound(path.join(from, name), path.join(to, name), inner);
    }
  } else if (!found.isFile() || !(await copyOneFile(from, to))) return;
  await utimes(to, found.atime, found.mtime);
}

/** Whether it was still there. */
async function copyOneFile(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    return true;
  } catch (error) {
    ignoreMissing(error);
    return false;
  }
}

async function sizeOf(folder: string): Promise<{ files: number; bytes: number }> {
  const size = { files: 0, bytes: 0 };
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    size.files += 1;
    size.bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
  }
  return size;
}

export function failed(message: string, cause?: unknown): AutobuildError {
  return new AutobuildError("AUTOBUILD_BACKUP_FAILED", message, { cause });
}
