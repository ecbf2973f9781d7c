import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { messageOf } from "../errors.ts";
import { DataLock } from "../store/data-lock.ts";
import {
  backedUp,
  checkDatabase,
  copyTree,
  failed,
  manifestFile,
  type BackupManifest,
} from "./backup.ts";

const manifestSchema = z.object({
  format: z.literal(1),
  madeMs: z.number(),
  dataVersion: z.int().min(0),
  files: z.int().min(0),
  bytes: z.number().min(0),
});

/** What a restore did. */
export interface Restored {
  readonly manifest: BackupManifest;
  /** Where what was there before has been put; undefined where nothing was. */
  readonly before: string | undefined;
}

/**
 * Puts a backup in the place of a data folder's contents. What was there is moved aside, not removed.
 *
 * No server may use the folder. Mirrors and workspaces stay where they are. Throws `AUTOBUILD_BACKUP_FAILED`, or
 * `AUTOBUILD_DATA_DIR_IN_USE`.
 */
export async function restoreBackup(
  source: string,
  dataDir: string,
  nowMs: number,
): Promise<Restored> {
  const manifest = await readManifest(source);
  for (const name of backedUp.databases)
    if (existsSync(path.join(source, name))) checkDatabase(path.join(source, name));
  const lock = new DataLock(dataDir);
  try {
    const incoming = path.join(dataDir, "restore.partial");
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { mode: 0o700 });
    const names = [...backedUp.databases, ...backedUp.folders, ...backedUp.files];
    for (const name of names) await copyTree(path.join(source, name), path.join(incoming, name));

    const before = path.join(dataDir, `before-restore-${nowMs}`);
    const replaced = (await readdir(dataDir)).filter((name) =>
      // A database's journal belongs to it: left behind, it would be played into the restored one.
      names.some((each) => name === each || name === `${each}-wal` || name === `${each}-shm`),
    );
    if (replaced.length > 0) await mkdir(before, { mode: 0o700 });
    for (const name of replaced) await rename(path.join(dataDir, name), path.join(before, name));
    for (const name of await readdir(incoming))
      await rename(path.join(incoming, name), path.join(dataDir, name));
    await rm(incoming, { recursive: true });
    return { manifest, before: replaced.length > 0 ? before : undefined };
  } catch (error) {
    throw failed(`The backup could not be restored: ${messageOf(error)}`, error);
  } finally {
    lock.release();
  }
}

async function readManifest(source: string): Promise<BackupManifest> {
  const file = path.join(source, manifestFile);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw failed(
      `Expected ${source} to be a backup, found no ${manifestFile} in it. Name the folder that \`autobuild backup\` made.`,
      error,
    );
  }
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw failed(
      `Expected ${file} to describe a backup of format 1, got something else. A newer AutoBuild may have made it.`,
    );
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
