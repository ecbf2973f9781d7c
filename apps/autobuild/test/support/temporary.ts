import { globSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { sweepCookie } from "../../src/run/process-tree.ts";
import type { RunnerFile } from "../../src/run/runner-protocol.ts";

/** A folder that is there until the test has finished. Builds that run in it as its data folder end with it. */
export function temporaryFolder(): string {
  // Resolved, because where the temporary folder is a link, programs report what it links to.
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), "autobuild-test-")));
  onTestFinished(async () => {
    for (const file of globSync(path.join(folder, "builds/*/runner.json")))
      await sweepCookie((JSON.parse(readFileSync(file, "utf8")) as RunnerFile).cookie);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}
