import { existsSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { OptionError, WindsockError } from "../errors.ts";
import { stopOnSignals } from "../node/signals.ts";
import { messageOf } from "../service/value.ts";
import type { DevOptions } from "./command-line.ts";
import { defaultDrainTimeoutMs } from "./dev-protocol.ts";
import { defaultNamesFile, writeNames } from "./names.ts";
import { ServerProcess } from "./server-process.ts";
import { SourceChanges } from "./source-changes.ts";

/** Beyond its own time for a drain, a server process gets this long to go, in ms. */
const extraGraceMs = 1000;

/** `windsock dev`: a server that is started again whenever a file of it changes. */
export async function dev(options: DevOptions, args: readonly string[]): Promise<void> {
  const graceMs = (options.drainTimeoutMs ?? defaultDrainTimeoutMs) + extraGraceMs;
  const folders = watched(options.services);
  const names = options.types ?? defaultNamesFile(options.services);
  const changes = new SourceChanges(
    folders,
    (error) => {
      console.error(`Expected to watch ${folders.join(" and ")}, got ${error.message}.`);
      process.exit(1);
    },
    names,
  );
  let server: ServerProcess | undefined;
  let port = options.port;
  let isStopping = false;
  stopOnSignals(async () => {
    isStopping = true;
    changes.close();
    await server?.stop();
  });

  while (!isStopping) {
    changes.clear();
    if (names !== undefined) await updateNames(names, options.services);
    if (isStopping) return;
    // With `--port 0` the free port that was found first is kept: pages find their server again.
    server = new ServerProcess(
      port === undefined ? args : [...args, "--port", String(port)],
      graceMs,
    );
    const next = changes.next();
    const first = await Promise.race([next, server.ended]);
    port = server.port ?? port;
    if (isStopping) return;
    if (typeof first === "object") {
      if (first.isFinal) process.exit(1);
      const how = first.signal ?? `code ${first.code}`;
      console.error(`The server ended with ${how}. Waiting for a change in ${folders.join(", ")}.`);
    }
    const file = await next;
    console.log(`\n${relative("", file)} has changed.`);
    await server.stop();
  }
}

async function updateNames(file: string, services: string): Promise<void> {
  try {
    if ((await writeNames(file, services)) === "written") console.log(`${file} is written.`);
  } catch (error) {
    // The server is about to say what is wrong with the names.
    if (error instanceof WindsockError) return;
    console.error(`Expected to write ${file}, got ${messageOf(error)}.`);
  }
}

/** `src`, and the services folder where it lies elsewhere. */
function watched(services: string): string[] {
  const isWithin = `${resolve(services)}${sep}`.startsWith(`${resolve("src")}${sep}`);
  const folders = ["src", ...(isWithin ? [] : [services])].filter((folder) => existsSync(folder));
  if (folders.length > 0) return folders;
  throw new OptionError(
    `Expected a folder src with services in ${services}, got none. Create it, or name another one with \`--services\`.`,
  );
}
