import { fileURLToPath } from "node:url";
import { codeCacheFolder } from "./code-cache.ts";
import type { ServeMode } from "./serve.ts";

const main = fileURLToPath(new URL("server-main.ts", import.meta.url));

/**
 * Makes this process the server's, by `execve`: number, terminal and working folder stay, what the commands loaded goes.
 *
 * A server runs for months and holds what it was started with. What only counts from a process's first
 * instruction on can be set here alone: the code cache, without which the first file brings in all that takes types
 * off and holds 25 MB; and the number of the allocator's arenas, each of which keeps what it once had. `gc` lets the
 * server return memory when it is idle.
 *
 * Comes back where a process cannot be replaced (Windows).
 */
export function becomeServer(mode: ServeMode, argv: readonly string[]): void {
  if (process.platform === "win32") return;
  process.execve?.(
    process.execPath,
    [process.execPath, ...process.execArgv, "--expose-gc", main, JSON.stringify(mode), ...argv],
    {
      MALLOC_ARENA_MAX: "2",
      NODE_COMPILE_CACHE: codeCacheFolder(process.env),
      ...process.env,
    },
  );
}
