// Kills the server during a build, cuts its viewer off, cancels what hides; prints what came of it, and exits with 1
// where that is not what AutoBuild promises. `--kills 10 --cuts 100` is the long form; without them it takes seconds.
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { processesOf } from "../../src/run/process-tree.ts";
import type { RunnerFile } from "../../src/run/runner-protocol.ts";
import { Harness, residentMiB } from "./harness.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string" },
    cuts: { type: "string" },
    repositories: { type: "string" },
  },
});
const kills = Number(values.kills ?? 3);
const cuts = Number(values.cuts ?? 20);
const repositoryCount = Number(values.repositories ?? 20);
const graceMs = 5000;
const harness = new Harness();

/** Reads a log's bytes from an offset until it is cut off, or has `until` of them. */
async function view(url: string, from: number, cutMs: number, until: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const socket = new WebSocket(`${url.replace("http", "ws")}/websocket/log/1?from=${from}`);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.on("message", (data) => {
    parts.push(data as Buffer, Buffer.from("\n"));
    bytes += (data as Buffer).length + 1;
    if (from + bytes >= until) socket.terminate();
  });
  const timer = setTimeout(() => socket.terminate(), cutMs);
  await closed;
  clearTimeout(timer);
  return Buffer.concat(parts);
}

async function killServers(): Promise<void> {
  const dataDir = harness.dataDir("data");
  const lines = 200 * (kills + 1) + 10 * cuts;
  const work = harness.repository(
    "numbers",
    `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i + 1)); sleep 0.01; done`,
  );
  let server = await harness.start("data", [work]);
  let seen = Buffer.alloc(0);
  let isOver = false;
  const viewing = (async () => {
    for (let cut = 0; !isOver; cut++) {
      const cutMs = cut < cuts ? 20 + Math.random() * 200 : 1000;
      seen = Buffer.concat([seen, await view(server.url, seen.length, cutMs, Infinity)]);
      await sleep(20);
    }
  })();
  for (let kill = 0; kill < kills; kill++) {
    await sleep(500 + Math.random() * 1500);
    await harness.stop(server, "SIGKILL");
    server = await harness.start("data", [work]);
  }
  const ended = await harness.ended(server, 1);
  isOver = true;
  await viewing;
  const file = readFileSync(path.join(dataDir, "builds/1/console.log"));
  seen = Buffer.concat([seen, await view(server.url, seen.length, 5000, file.length)]);
  const step = readFileSync(path.join(dataDir, "builds/1/0.1.log"), "utf8").replaceAll(
    "\r\n",
    "\n",
  );
  const printed = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join("");
  const isWhole = ended.state === "passed" && step === printed && file.equals(seen);
  harness.check(
    `log identical after ${kills} kill -9 of the server and ${cuts} cuts of its viewer during a build`,
    isWhole,
    `${ended.state}, ${step === printed ? "every" : "NOT every"} one of ${lines} lines recorded, ${seen.length} of ${file.length} bytes seen${file.equals(seen) ? ", the same" : ", NOT the same"}`,
  );
  await harness.stop(server, "SIGTERM");
}

async function cancelHidden(): Promise<void> {
  const dataDir = harness.dataDir("hidden");
  const hide = "sh -c 'trap \"\" TERM HUP; while :; do sleep 0.1; done'";
  const work = harness.repository(
    "hidden",
    `setsid ${hide} & nohup ${hide} & (setsid sh -c "(${hide.replaceAll('"', '\\"')} &) &" &); sleep 0.5; echo started; wait; sleep 1000`,
  );
  const server = await harness.start("hidden", [work]);
  const runnerFile = path.join(dataDir, "builds/1/runner.json");
  const log = path.join(dataDir, "builds/1/console.log");
  const read = (file: string): string => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return "";
    }
  };
  while (!read(log).includes("\nstarted\n")) await sleep(20);
  const { cookie, pid } = JSON.parse(read(runnerFile)) as RunnerFile;
  const before = (await processesOf(cookie)).length;
  const rss = residentMiB(pid);
  const startedMs = performance.now();
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/websocket/builds`);
  socket.on("open", () => socket.send(JSON.stringify({ type: "cancel", id: 1 })));
  while ((await harness.build(server, 1))?.state !== "cancelled") await sleep(20);
  const tookMs = performance.now() - startedMs;
  socket.terminate();
  const left = (await processesOf(cookie)).length;
  harness.check(
    "cancel of what hid by setsid, nohup and double forks leaves 0 processes within the grace + 1 s",
    left === 0 && tookMs < graceMs + 1000,
    `${before} before, ${left} after ${(tookMs / 1000).toFixed(1)} s`,
  );
  console.log(`     a runner holds ${rss.toFixed(0)} MiB while its build runs`);
  await harness.stop(server, "SIGTERM");
}

async function idle(): Promise<void> {
  const repositories = Array.from({ length: repositoryCount }, (_, index) =>
    harness.repository(`idle-${index}`, "true"),
  );
  const server = await harness.start("idle", repositories);
  for (let id = 1; id <= repositoryCount; id++) await harness.ended(server, id);
  await harness.stop(server, "SIGTERM");
  const again = await harness.start("idle", repositories);
  await sleep(5000);
  const mib = residentMiB(again.child.pid ?? 0);
  harness.check(
    `idle with ${repositoryCount} repositories watched below 100 MB`,
    mib < 95,
    `${mib.toFixed(0)} MiB`,
  );
  await harness.stop(again, "SIGTERM");
}

try {
  await killServers();
  await cancelHidden();
  await idle();
} finally {
  await harness.close();
}
process.exitCode = harness.failures === 0 ? 0 : 1;
