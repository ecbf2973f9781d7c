import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { deserialize } from "node:v8";
import { AutobuildError } from "./errors.ts";
import type { PageAssets } from "./page-files.ts";

const main = fileURLToPath(new URL("page-files-main.ts", import.meta.url));
const readTimeoutMs = 60_000;
const maxPageBytes = 16 * 1024 * 1024;
const maxReasonLength = 2000;

let readVersion = "";

/** The version of the page that was read last; empty before the first. A page that is open may be an older one. */
export function pageVersion(): string {
  return readVersion;
}

/**
 * Reads the page: `collectPage` in a process of its own.
 *
 * What puts its modules together holds some 200 MB, and is needed this once. Throws `AUTOBUILD_NO_PAGE` when that
 * cannot be done, as where the bundler was not installed for this platform.
 */
export async function readPage(): Promise<PageAssets> {
  const page = deserialize(await collect()) as PageAssets;
  readVersion = page.version;
  return page;
}

function collect(): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = { encoding: "buffer", maxBuffer: maxPageBytes, timeout: readTimeoutMs } as const;
  execFile(process.execPath, [...process.execArgv, main], options, (error, stdout, stderr) => {
    if (error === null) {
      resolve(stdout);
      return;
    }
    const reason = stderr.toString().trim().slice(0, maxReasonLength) || error.message;
    reject(new AutobuildError("AUTOBUILD_NO_PAGE", reason, { cause: error }));
  });
  return promise;
}
