import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { PlannedStep } from "../plan/plan.ts";

/** Where a build is carried out. Plain JSON. */
export interface Machine {
  readonly host: string;
  /** As the system calls itself: `Debian GNU/Linux 13 (trixie)`. */
  readonly os: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** The Node that the build's runner runs on. */
  readonly node: string;
  /** Names of the variables that every step gets. Values may be secrets: they are not kept. */
  readonly variables: readonly string[];
}

const toolTimeoutMs = 5000;
const maxTools = 12;
const maxOutputBytes = 64 * 1024;
const maxVersionLength = 60;

/** How a tool is asked for its version, where `--version` is not how. */
const versionArguments: Readonly<Record<string, readonly string[]>> = {
  go: ["version"],
  java: ["-version"],
};
/** Tools whose version explains how a build went. What asks the network or takes a second is not among them. */
const knownTools = new Set(
  "bun bundle cargo cc clang cmake composer deno docker dotnet g++ gcc git go java just make meson mvn ninja node npm php pip pip3 pnpm podman poetry pytest python python3 ruby rustc tox uv yarn zig".split(
    " ",
  ),
);
/** What runs on another tool, of which nobody writes the name. */
const runsOn: Readonly<Record<string, string>> = {
  npm: "node",
  npx: "node",
  pnpm: "node",
  yarn: "node",
  cargo: "rustc",
  mvn: "java",
  pip: "python3",
  pytest: "python3",
};

/** Facts about this machine. Quick: it asks no other program. */
export async function describeMachine(variables: readonly string[]): Promise<Machine> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const name = /^PRETTY_NAME="?([^"\n]{1,200})/m.exec(release)?.[1];
  return {
    host: os.hostname(),
    os: name ?? `${os.type()} ${os.version()}`.slice(0, 200),
    kernel: `${os.type()} ${os.release()}`,
    architecture: os.arch(),
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    node: process.version,
    variables: variables.toSorted(),
  };
}

/** The tools that steps name and that run on this machine itself; git, which made the checkout, is the first. */
export function toolsOf(steps: readonly Pick<PlannedStep, "argv" | "image">[]): string[] {
  const found = new Set(["git"]);
  for (const { argv, image } of steps) {
    if (image !== null) continue;
    for (const word of argv.join(" ").match(/[\w+./-]+/g) ?? []) {
      const name = path.basename(word);
      const below = runsOn[name];
      if (knownTools.has(name)) found.add(name);
      if (below !== undefined) found.add(below);
    }
  }
  return [...found].slice(0, maxTools);
}

/**
 * The versions of tools by name, as far as they say so before `signal` is aborted. Never rejects.
 *
 * Asked outside of the checkout, so that nothing in it has a say, or has another version downloaded; and behind
 * the steps, whose time it must not take.
 */
export async function versionsOf(
  tools: readonly string[],
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  for (const tool of tools) {
    if (signal.aborted) break;
    const version = await versionOf(tool, environment, signal);
    if (version !== undefined) versions[tool] = version;
  }
  return versions;
}

function versionOf(
  tool: string,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(
      tool,
      versionArguments[tool] ?? ["--version"],
      {
        cwd: path.parse(process.cwd()).root,
        // Package managers that would fetch the version that they are asked for.
        env: { ...environment, COREPACK_ENABLE_NETWORK: "0" },
        timeout: toolTimeoutMs,
        killSignal: "SIGKILL",
        maxBuffer: maxOutputBytes,
        signal,
      },
      (error, stdout, stderr) =>
        resolve(
          error === null
            ? /\d+(?:\.\d+)+[\w.+-]*/.exec(stdout || stderr)?.[0].slice(0, maxVersionLength)
            : undefined,
        ),
    );
    child.stdin?.end();
    try {
      if (child.pid !== undefined) os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW);
    } catch {
      // It is gone already.
    }
  });
}
