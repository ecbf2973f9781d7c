import { access, constants, readdir, readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";

const maxFileBytes = 1024 * 1024;
const maxListedFiles = 5000;
const skippedFolders = new Set([".git", "node_modules", "vendor", "target", ".venv", "venv"]);

/** A folder that somebody else filled, looked at with bounds: nothing in it is trusted to be small or a file. */
export class Checkout {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async hasFile(name: string): Promise<boolean> {
    return (await this.#find(name)) !== undefined;
  }

  /** Whether a file can be run as it is. */
  async isExecutable(name: string): Promise<boolean> {
    const found = await this.#find(name);
    if (found === undefined) return false;
    return access(found.file, constants.X_OK).then(
      () => true,
      () => false,
    );
  }

  /** The first of these names that is a file. */
  async firstFile(...names: string[]): Promise<string | undefined> {
    for (const name of names) if (await this.hasFile(name)) return name;
    return undefined;
  }

  /** A file's text; undefined when it is not there, no regular file, or larger than 1 MiB. */
  async read(name: string): Promise<string | undefined> {
    const found = await this.#find(name);
    if (found === undefined || found.size > maxFileBytes) return undefined;
    return readFile(found.file, "utf8");
  }

  /** Files to a depth of three folders, as relative paths, the first 5,000 of them. */
  async list(): Promise<string[]> {
    const files: string[] = [];
    const walk = async (folder: string, depth: number): Promise<void> => {
      const entries = await readdir(path.join(this.folder, folder), { withFileTypes: true }).catch(
        () => [],
      );
      for (const entry of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
        if (files.length >= maxListedFiles) return;
        const name = path.join(folder, entry.name);
        if (entry.isFile()) files.push(name);
        else if (entry.isDirectory() && depth < 3 && !skippedFolders.has(entry.name))
          await walk(name, depth + 1);
      }
    };
    await walk("", 0);
    return files;
  }

  /** A regular file of the checkout. A link out of it is none: what lies there would show up in a log. */
  async #find(name: string): Promise<{ file: string; size: number } | undefined> {
    try {
      const folder = await realpath(this.folder);
      const file = await realpath(path.join(folder, name));
      const found = await stat(file);
      const isInside = file.startsWith(folder + path.sep);
      return isInside && found.isFile() ? { file, size: found.size } : undefined;
    } catch {
      return undefined;
    }
  }
}
