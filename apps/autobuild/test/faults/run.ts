// Kills the server during a build, cuts its viewer off, cancels what hides; prints what came of it, and exits with 1
// where that is not what AutoBuild promises. `--kills 10 --cuts 100` is the long form; without them it takes seconds.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import type { Build } from "../../src/build/build.ts";
import { processesOf, sweepCookie } from "../../src/run/process-tree.ts";
import type { RunnerFile } from "../../src/run/runner-protocol.ts";

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
const cli = path.join(import.meta.dirname, "../../src/cli.ts");
const folder = mkdtempSync(path.join(os.tmpdir(), "autobuild-faults-"));
const servers = new Set<ChildProcess>();
let failures = 0;

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
}

function check(name: string, isKept: boolean, figure: string): void {
  if (!isKept) failures++;
  console.log(`${isKept ? "ok  " : "FAIL"} ${name}: ${figure}`);
}

function repository(name: string, line: string): string {
  const work = path.join(folder, name);
  mkdirSync(work);
  const git = (...args: string[]): void => {
    const who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"];
    execFileSync("git", ["-C", work, ...who, ...args], { stdio: "ignore" });
  };
  git("init", "--initial-branch=main");
  writeFileSync(
    path.join(work, ".autobuild.json"),
    JSON.stringify({ steps: [{ name: "step", run: line }] }),
  );
  git("add", ".");
  git("commit", "-m", "first");
  return work;
}

async function start(dataDir: string, repositories: readonly string[]): Promise<Server> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, cli, ...repositories, "--port", "0", "--data-dir", dataDir],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  servers.add(child);
  child.once("exit", () => servers.delete(child));
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => (output = (output + bytes.toString()).slice(-65_536)));
  for (;;) {
    const port = /AutoBuild is at http:\/\/localhost:(\d+)/.exec(output)?.[1];
    if (port !== undefined) return { child, url: `http://127.0.0.1:${port}` };
    if (child.exitCode !== null) throw new Error(`The server ended: ${output}`);
    await sleep(20);
  }
}

async function stop({ child }: Server, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

async function build(url: string, id: number): Promise<Build | undefined> {
  const answer = await fetch(`${url}/api/builds/${id}`).catch(() => undefined);
  return answer?.ok === true ? ((await answer.json()) as Build) : undefined;
}

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
  const dataDir = path.join(folder, "data");
  const lines = 200 * (kills + 1) + 10 * cuts;
  const work = repository(
    "numbers",
    `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i + 1)); sleep 0.01; done`,
  );
  let server = await start(dataDir, [work]);
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
    await stop(server, "SIGKILL");
    server = await start(dataDir, [work]);
  }
  let ended: Build | undefined;
  while (ended?.finishedMs == null) {
    await sleep(100);
    ended = await build(server.url, 1);
  }
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
  check(
    `log identical after ${kills} kill -9 of the server and ${cuts} cuts of its viewer during a build`,
    isWhole,
    `${ended.state}, ${step === printed ? "every" : "NOT every"} one of ${lines} lines recorded, ${seen.length} of ${file.length} bytes seen${file.equals(seen) ? ", the same" : ", NOT the same"}`,
  );
  await stop(server, "SIGTERM");
}

async function cancelHidden(): Promise<void> {
  const dataDir = path.join(folder, "hidden");
  const hide = "sh -c 'trap \"\" TERM HUP; while :; do sleep 0.1; done'";
  const work = repository(
    "hidden",
    `setsid ${hide} & nohup ${hide} & (setsid sh -c "(${hide.replaceAll('"', '\\"')} &) &" &); sleep 0.5; echo started; wait; sleep 1000`,
  );
  const server = await start(dataDir, [work]);
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
  while ((await build(server.url, 1))?.state !== "cancelled") await sleep(20);
  const tookMs = performance.now() - startedMs;
  socket.terminate();
  const left = (await processesOf(cookie)).length;
  check(
    "cancel of what hid by setsid, nohup and double forks leaves 0 processes within the grace + 1 s",
    left === 0 && tookMs < graceMs + 1000,
    `${before} before, ${left} after ${(tookMs / 1000).toFixed(1)} s`,
  );
  console.log(`     a runner holds ${rss.toFixed(0)} MiB while its build runs`);
  await stop(server, "SIGTERM");
}

async function idle(): Promise<void> {
  const repositories = Array.from({ length: repositoryCount }, (_, index) =>
    repository(`idle-${index}`, "true"),
  );
  const server = await start(path.join(folder, "idle"), repositories);
  for (let id = 1; id <= repositoryCount; id++)
    while ((await build(server.url, id))?.finishedMs == null) await sleep(50);
  await stop(server, "SIGTERM");
  const again = await start(path.join(folder, "idle"), repositories);
  await sleep(5000);
  const mib = residentMiB(again.child.pid ?? 0);
  check(
    `idle with ${repositoryCount} repositories watched below 100 MB`,
    mib < 95,
    `${mib.toFixed(0)} MiB`,
  );
  await stop(again, "SIGTERM");
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

try {
  await killServers();
  await cancelHidden();
  await idle();
} finally {
  for (const server of servers) server.kill("SIGKILL");
  for (const name of ["data", "hidden", "idle"])
    for (const id of readBuilds(path.join(folder, name, "builds")))
      await sweepCookie(
        (JSON.parse(readFileSync(path.join(id, "runner.json"), "utf8")) as RunnerFile).cookie,
      );
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exitCode = failures === 0 ? 0 : 1;

function readBuilds(builds: string): string[] {
  try {
    return readdirSync(builds).map((id) => path.join(builds, id));
  } catch {
    return [];
  }
}
