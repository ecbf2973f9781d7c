import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Build } from "../../src/build/build.ts";
import { sweepCookie } from "../../src/run/process-tree.ts";
import type { RunnerFile } from "../../src/run/runner-protocol.ts";

const cli = path.join(import.meta.dirname, "../../src/cli.ts");

/** A running AutoBuild, as its users have it. */
export interface RunningServer {
  readonly child: ChildProcess;
  readonly url: string;
}

/** Real repositories and servers for commands that print figures, in a temporary folder of their own. */
export class Harness {
  readonly folder: string = mkdtempSync(path.join(os.tmpdir(), "autobuild-harness-"));
  readonly #servers = new Set<ChildProcess>();
  readonly #dataDirs = new Set<string>();
  #failures = 0;

  /** Says whether a promise is kept, and by which figure. */
  check(name: string, isKept: boolean, figure: string): void {
    if (!isKept) this.#failures++;
    console.log(`${isKept ? "ok  " : "FAIL"} ${name}: ${figure}`);
  }

  get failures(): number {
    return this.#failures;
  }

  /** A repository whose one step is a shell line. Returns its folder. */
  repository(name: string, line: string): string {
    const work = path.join(this.folder, name);
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

  /** Starts the program on a data folder of that name, and waits for its address. */
  async start(name: string, repositories: readonly string[]): Promise<RunningServer> {
    const dataDir = this.dataDir(name);
    this.#dataDirs.add(dataDir);
    const child = spawn(
      process.execPath,
      [...process.execArgv, cli, ...repositories, "--port", "0", "--data-dir", dataDir],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#servers.add(child);
    child.once("exit", () => this.#servers.delete(child));
    let output = "";
    child.stdout.on(
      "data",
      (bytes: Buffer) => (output = (output + bytes.toString()).slice(-65_536)),
    );
    for (;;) {
      const port = /AutoBuild is at http:\/\/localhost:(\d+)/.exec(output)?.[1];
      if (port !== undefined) return { child, url: `http://127.0.0.1:${port}` };
      if (child.exitCode !== null) throw new Error(`The server ended: ${output}`);
      await sleep(20);
    }
  }

  /** Makes an empty file, which a step may wait for. */
  write(file: string): void {
    writeFileSync(file, "");
  }

  dataDir(name: string): string {
    return path.join(this.folder, name);
  }

  async stop({ child }: RunningServer, signal: NodeJS.Signals): Promise<void> {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  async build({ url }: RunningServer, id: number): Promise<Build | undefined> {
    const answer = await fetch(`${url}/api/builds/${id}`).catch(() => undefined);
    return answer?.ok === true ? ((await answer.json()) as Build) : undefined;
  }

  async until<Value>(find: () => Promise<Value | undefined>): Promise<Value> {
    for (;;) {
      const found = await find();
      if (found !== undefined) return found;
      await sleep(20);
    }
  }

  /** A build, once it has ended. */
  ended(server: RunningServer, id: number): Promise<Build> {
    return this.until(async () => {
      const build = await this.build(server, id);
      return build?.finishedMs == null ? undefined : build;
    });
  }

  /** Ends whatever runs, and removes all of it. */
  async close(): Promise<void> {
    for (const server of this.#servers) server.kill("SIGKILL");
    for (const dataDir of this.#dataDirs)
      for (const cookie of cookiesIn(path.join(dataDir, "builds"))) await sweepCookie(cookie);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What a process holds in memory. */
export function residentMiB(pid: number): number {
  return kilobytesIn(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS") / 1024;
}

/** What a process holds in memory, in units of 1,000,000 bytes. */
export interface Memory {
  /** All of it, as `ps` and `top` say it: `ownMb + mappedMb`. */
  readonly residentMb: number;
  /** Its heaps and stacks: what its end would give back. */
  readonly ownMb: number;
  /**
   * Files that it sees in its memory, Node's program above all: pages that the system keeps once for all who run it, and
   * takes back when it needs room.
   */
  readonly mappedMb: number;
  /**
   * The part of `mappedMb` in pages of 2 MiB, each there as a whole because of a few KB that were touched. The system
   * makes them where it reads ahead by 1 MiB or more and something read the program from end to end, as a backup does.
   */
  readonly hugeMb: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mapped = kilobytesIn(status, "RssFile") + kilobytesIn(status, "RssShmem");
  const own = kilobytesIn(status, "RssAnon");
  const huge = kilobytesIn(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "FilePmdMapped");
  const mb = (kilobytes: number): number => (kilobytes * 1024) / 1e6;
  return {
    residentMb: mb(own + mapped),
    ownMb: mb(own),
    mappedMb: mb(mapped),
    hugeMb: mb(huge),
  };
}

/** Of `/proc`, whose kB are 1024 bytes. 0 where the kernel does not say. */
function kilobytesIn(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}

/** The processor time that a process has used; Linux counts it in hundredths of a second. */
export function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything. User and system time are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function cookiesIn(builds: string): string[] {
  try {
    return readdirSync(builds).map(
      (id) =>
        (JSON.parse(readFileSync(path.join(builds, id, "runner.json"), "utf8")) as RunnerFile)
          .cookie,
    );
  } catch {
    return [];
  }
}
