import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** A folder that is there until the test has finished. */
export function temporaryFolder(): string {
  // Resolved, because where the temporary folder is a link, programs report what it links to.
  const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), "autobuild-test-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}
