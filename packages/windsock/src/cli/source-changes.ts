import { watch, type FSWatcher } from "node:fs";
import { join, resolve, sep } from "node:path";

/** From the first change, in ms: an editor or a checkout writes several files at a time. */
const collectMs = 100;

/** Says when files below some folders have changed. Changes that nobody waits for count for the next who does. */
export class SourceChanges {
  readonly #watchers: FSWatcher[];
  /** The first file that changed since the last `next`. */
  #changed: string | undefined;
  #wake: (() => void) | undefined;

  /** `ignored`: a file that we write ourselves. */
  constructor(folders: readonly string[], fail: (error: Error) => void, ignored = "") {
    this.#watchers = folders.map((folder) =>
      watch(folder, { recursive: true }, (_event, name) => {
        const file = join(folder, name ?? "");
        if (!isSource(file) || resolve(file) === resolve(ignored)) return;
        this.#changed ??= file;
        this.#wake?.();
      }).on("error", fail),
    );
  }

  /** Forgets what has changed: it is about to be read. */
  clear(): void {
    this.#changed = undefined;
  }

  /** The first of the files that have changed. For one waiter at a time. */
  async next(): Promise<string> {
    if (this.#changed === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    await new Promise((resolve) => setTimeout(resolve, collectMs));
    return this.#changed ?? "";
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}

/** Dotfiles, installed packages and what editors keep beside a file are none. */
function isSource(file: string): boolean {
  return file.split(sep).every((part) => !/^\.[^.]|^node_modules$|~$|\.swp$|\.tmp$/.test(part));
}
