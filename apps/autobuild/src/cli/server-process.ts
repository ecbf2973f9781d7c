import { statSync } from "node:fs";
import { flushCompileCache, getCompileCacheDir } from "node:module";
import { fileURLToPath } from "node:url";
import { allocatorSettings } from "../allocator.ts";
import { boundCodeCache, codeCacheFolder } from "./code-cache.ts";
import type { ServeMode } from "./serve.ts";

/**
 * A server that waits most of the time needs no more of Node than that. `gc` lets it return memory when it is idle; young
 * objects get 2 MiB in place of 16; one thread helps in place of four; and of three compilers one is left, the one that
 * makes fast code of what runs often: the code of the others is 2 MB in an idle server, and saves it no time that can be
 * measured, with logs that are printed or with the API.
 */
const savings = [
  "--expose-gc",
  "--max-semi-space-size=2",
  "--v8-pool-size=1",
  "--no-maglev",
  "--no-sparkplug",
];

const main = fileURLToPath(new URL("server-main.ts", import.meta.url));

/** What the server's process is given before the arguments of the command line, as JSON. */
export interface ServerOrder extends ServeMode {
  /** Whether it was there before, and has filled the code cache. */
  readonly isAgain: boolean;
}

/**
 * Makes this process the server's, by `execve`: number, terminal and working folder stay, what the commands loaded goes.
 *
 * A server runs for months and holds what it was started with. What only counts from a process's first
 * instruction on can be set here alone: the code cache, without which the first file brings in all that takes types
 * off and holds 25 MB; how the allocator gives memory back; and `savings`.
 *
 * Comes back where a process cannot be replaced (Windows).
 */
export function becomeServer(mode: ServeMode, argv: readonly string[]): void {
  boundCodeCache(codeCacheFolder(process.env));
  execute({ ...mode, isAgain: false }, [...process.execArgv, ...savings], argv);
}

/**
 * Begins this process anew, once, if the code cache lacked some of what it has loaded by now: then it has brought in
 * what takes types off.
 */
export function becomeServerAgain(order: ServerOrder, argv: readonly string[]): void {
  const folder = getCompileCacheDir();
  // It cannot be written there: runners keep theirs in the data folder.
  if (folder === undefined) delete process.env["NODE_COMPILE_CACHE"];
  if (order.isAgain || folder === undefined) return;
  const changed = (): number => statSync(folder).mtimeMs;
  const before = changed();
  flushCompileCache();
  // Each file is written under another name first.
  if (changed() !== before) execute({ ...order, isAgain: true }, process.execArgv, argv);
}

function execute(
  order: ServerOrder,
  nodeOptions: readonly string[],
  argv: readonly string[],
): void {
  if (process.platform === "win32") return;
  // It would be written at the end of this process, which does not come.
  flushCompileCache();
  process.execve?.(
    process.execPath,
    [process.execPath, ...nodeOptions, main, JSON.stringify(order), ...argv],
    {
      ...allocatorSettings,
      NODE_COMPILE_CACHE: codeCacheFolder(process.env),
      ...process.env,
    },
  );
}
