import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { namesFile } from "../gateway/names-file.ts";
import { listRoutes } from "../node/service-files.ts";

/**
 * Writes the file by which the compiler knows the names of the services, if it would change.
 *
 * @throws ServiceFileError when the names of the service files are wrong
 */
export async function writeNames(file: string, services: string): Promise<"written" | "current"> {
  const text = namesFile(await listRoutes(services), {
    importPrefix: relative(dirname(file), services),
  });
  const before = await readFile(file, "utf8").catch(() => undefined);
  // A compiler that watches would start again for nothing.
  if (before === text) return "current";
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return "written";
}

/** `src/windsock.d.ts`, beside the services folder: where a compiler is set up, it looks there. */
export function defaultNamesFile(services: string): string | undefined {
  return existsSync("tsconfig.json") ? join(dirname(services), "windsock.d.ts") : undefined;
}
