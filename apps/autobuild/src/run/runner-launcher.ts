import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { allocatorSettings } from "../allocator.ts";
import type { BuildFolder } from "./build-folder.ts";
import { cookieVariable, joinCookies } from "./environment.ts";
import type { RunnerOrder } from "./runner-protocol.ts";

const main = fileURLToPath(new URL("./runner-main.ts", import.meta.url));

/**
 * Starts the runner of a build: a process in a session of its own, which nothing ties to this one.
 *
 * Resolves when it has its order. Rejects when it could not be started; nothing runs then.
 */
export async function launchRunner(folder: BuildFolder, order: RunnerOrder): Promise<void> {
  mkdirSync(folder.path, { recursive: true, mode: 0o700 });
  const errors = openSync(folder.runnerErrors, "a", 0o600);
  try {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
      cwd: folder.path,
      detached: true,
      stdio: ["pipe", "ignore", errors],
      env: {
        ...process.env,
        ...allocatorSettings,
        // Without it each runner would read its sources anew, which takes it longer than all else it does at first.
        NODE_COMPILE_CACHE:
          process.env["NODE_COMPILE_CACHE"] ?? path.join(folder.path, "../../cache/code"),
        [cookieVariable]: joinCookies(process.env[cookieVariable], order.cookie),
      },
    });
    child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      // It died before it had read everything: whoever follows it finds out.
      child.stdin?.on("error", () => resolve());
      child.stdin?.end(JSON.stringify(order), () => resolve());
    });
  } finally {
    closeSync(errors);
  }
}
