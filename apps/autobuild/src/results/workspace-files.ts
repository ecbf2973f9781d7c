import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { matchesGlob } from "../plan/glob.ts";

/** A file that a build left in its workspace. */
export interface WorkspaceFile {
  /** From the workspace, with `/` between folders. As hostile as the build that named it. */
  readonly name: string;
  readonly path: string;
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

  const walk = async (folder: string, depth: number): Promise<void> => {
    for (const entry of await entriesOf(path.join(workspace, folder))) {
      if (cut !== null) return;
      visited += 1;
      if (visited > maxVisited) cut = `only the first ${maxVisited} files were looked at`;
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && depth < maxDepth && !skipped.has(entry.name))
        await walk(name, depth + 1);
      if (!entry.isFile() || !names.some((glob) => matches(name, glob))) continue;
      if (files.length === maxFound) cut = `only the first ${maxFound} files were taken`;
      else files.push({ name, path: path.join(workspace, name) });
    }
  };
  if (names.length > 0) await walk("", 0);
  return { files, cut };
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

// A glob that names a folder means all that is in it.
function matches(name: string, glob: string): boolean {
  return matchesGlob(glob, name) || matchesGlob(`${glob}/**`, name);
}
