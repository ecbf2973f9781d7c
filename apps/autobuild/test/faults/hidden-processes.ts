import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processesOf } from "../../src/run/process-tree.ts";
import type { RunnerFile } from "../../src/run/runner-protocol.ts";
import { residentMiB, type Harness } from "./harness.ts";

/** What a cancel found, and left. */
export interface HiddenFigures {
  readonly before: number;
  readonly left: number;
  readonly tookMs: number;
  /** What the build's runner held in memory meanwhile. */
  readonly runnerMiB: number;
}

/** Cancels a build whose step hides processes from it by `setsid`, `nohup` and double forks, each of which ignores TERM. */
export async function cancelHidden(harness: Harness): Promise<HiddenFigures> {
  const build = path.join(harness.dataDir("hidden"), "builds/1");
  const list = path.join(harness.folder, "hidden-list");
  const hide = `sh -c 'trap "" TERM HUP; echo hidden >> ${list}; while :; do sleep 0.1; done'`;
  const work = harness.repository(
    "hidden",
    `setsid ${hide} & nohup ${hide} & (setsid sh -c "(${hide.replaceAll('"', '\\"')} &) &" &); wait; sleep 1000`,
  );
  const server = await harness.start("hidden", [work]);
  await harness.until(async () => (readText(list).length === 3 * 7 ? true : undefined));
  const { cookie, pid } = JSON.parse(readText(path.join(build, "runner.json"))) as RunnerFile;
  const before = (await processesOf(cookie)).length;
  const runnerMiB = residentMiB(pid);
  const startedMs = performance.now();
  await fetch(`${server.url}/api/builds/1/cancel`, { method: "POST" });
  while ((await harness.build(server, 1))?.state !== "cancelled") await sleep(20);
  const tookMs = performance.now() - startedMs;
  const left = (await processesOf(cookie)).length;
  await harness.stop(server, "SIGTERM");
  return { before, left, tookMs, runnerMiB };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
