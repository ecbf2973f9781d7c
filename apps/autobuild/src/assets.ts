import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deserialize } from "node:v8";
import type { PageAssets } from "./page-files.ts";

const main = fileURLToPath(new URL("page-files-main.ts", import.meta.url));
const readTimeoutMs = 60_000;
const maxPageBytes = 16 * 1024 * 1024;
const run = promisify(execFile);

let readVersion = "";

/** The version of the page that was read last; empty before the first. A page that is open may be an older one. */
export function pageVersion(): string {
  return readVersion;
}

/**
 * Reads the page: `collectPage` in a process of its own.
 *
 * What takes the types off its modules holds some 40 MB and gives none of it back, and is needed this once.
 */
export async function readPage(): Promise<PageAssets> {
  const { stdout } = await run(process.execPath, [...process.execArgv, main], {
    encoding: "buffer",
    maxBuffer: maxPageBytes,
    timeout: readTimeoutMs,
  });
  const page = deserialize(stdout) as PageAssets;
  readVersion = page.version;
  return page;
}
