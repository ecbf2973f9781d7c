import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { matchesGlob } from "../plan/glob.ts";

/** A file that a build left in its workspace. */
export interface WorkspaceFile {
  /**
   * From the workspace, with `/` between folders. As hostile as the build that named it. A byte that is no UTF-8
   * is written `\xE9`.
   */
  readonly name: string;
  /** The bytes of its name, where these are no UTF-8. */
  readonly path: string | Buffer;
}

/** What a search found. */
export interface FoundFiles {
  /** In the order of their names. */
  readonly files: readonly WorkspaceFile[];
  /** Why this is not all there is; null when it is. */
  readonly cut: string | null;
}

const maxVisited = 200_000;
const maxDepth = 40;
const maxFound = 1000;

/**
 * Finds the regular files of a workspace whose names one of the globs matches.
 *
 * Links are never followed, neither to files nor to folders: what a build points to outside of its workspace
 * is not the build's. `.git` is left out, and `node_modules` unless a glob names it. At most 1,000 files are
 * found and 200,000 names looked at.
 */
export async function findFiles(workspace: string, globs: readonly string[]): Promise<FoundFiles> {
  const files: WorkspaceFile[] = [];
  const names = globs.map((glob) => glob.replace(/^\.\//, "").replace(/\/$/, "/**"));
  const skipped = new Set([".git"]);
  if (!names.some((glob) => glob.includes("node_modules"))) skipped.add("node_modules");
  let visited = 0;
  let cut: string | null = null;

  const walk = async (folder: string, at: string | Buffer, depth: number): Promise<void> => {
    for (const { entry, ownName } of await entriesOf(at)) {
      if (cut !== null) return;
      visited += 1;
      if (visited > maxVisited) cut = `only the first ${maxVisited} files were looked at`;
      const name = folder === "" ? ownName : `${folder}/${ownName}`;
      const file = joined(at, entry.name, ownName);
      if (entry.isDirectory() && depth < maxDepth && !skipped.has(ownName))
        await walk(name, file, depth + 1);
      if (!entry.isFile() || !names.some((glob) => matches(name, glob))) continue;
      if (files.length === maxFound) cut = `only the first ${maxFound} files were taken`;
      else files.push({ name, path: file });
    }
  };
  if (names.length > 0) await walk("", workspace, 0);
  return { files, cut };
}

interface Entry {
  readonly entry: Dirent<Buffer>;
  readonly ownName: string;
}

async function entriesOf(folder: string | Buffer): Promise<Entry[]> {
  const options = { withFileTypes: true, encoding: "buffer" } as const;
  const entries = await readdir(folder, options).catch(() => []);
  return entries
    .map((entry) => ({ entry, ownName: nameOf(entry.name) }))
    .toSorted((left, right) => (left.ownName < right.ownName ? -1 : 1));
}

function joined(folder: string | Buffer, bytes: Buffer, name: string): string | Buffer {
  if (typeof folder === "string" && isUtf8(bytes)) return path.join(folder, name);
  return Buffer.concat([Buffer.from(folder), Buffer.from("/"), bytes]);
}

/** A system's names are bytes. Those that are no UTF-8 are written out, so that two never look the same. */
function nameOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  let name = "";
  for (let at = 0; at < bytes.length;) {
    const length = characterBytes(bytes.subarray(at, at + 4));
    const part = bytes.subarray(at, at + (length ?? 1));
    name += length === undefined ? `\\x${part.toString("hex").toUpperCase()}` : part.toString();
    at += part.length;
  }
  return name;
}

/** Of the character that bytes begin with; undefined where they begin with none. No part of one is UTF-8 by itself. */
function characterBytes(bytes: Buffer): number | undefined {
  return [1, 2, 3, 4].find((length) => isUtf8(bytes.subarray(0, length)));
}

// A glob that names a folder means all that is in it.
function matches(name: string, glob: string): boolean {
  return matchesGlob(glob, name) || matchesGlob(`${glob}/**`, name);
}
