import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";

const packageFolder = fileURLToPath(new URL("../..", import.meta.url));
const program = join(packageFolder, "bin/windsock.js");
/** Real time: a safety net, never a measure. */
const patienceMs = 45_000;

const running: Cli[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const cli of running.splice(0)) await cli.kill();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A service that greets. */
export const hello = `
import { defineService } from "windsock";
export default defineService({
  handleJoin(client) {
    client.send("Hello WebSocket!");
  },
});
`;

/** A project in a folder of its own that has `windsock` installed. Gone after the test. */
export async function project(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "windsock-cli-"));
  folders.push(folder);
  await mkdir(join(folder, "node_modules"));
  await symlink(packageFolder, join(folder, "node_modules/windsock"), "dir");
  for (const [name, text] of Object.entries(files)) await write(folder, name, text);
  return folder;
}

/** Writes a file and the folders above it. */
export async function write(folder: string, name: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from stdin. @default nothing */
  readonly input?: string | Uint8Array;
}

/** Runs `windsock` to its end. */
export async function windsock(
  folder: string,
  args: readonly string[],
  options: CliOptions = {},
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const cli = new Cli(folder, args, options);
  const { code } = await cli.ended;
  return { code, out: cli.out, err: cli.err };
}

/** The real `windsock`, as a process. */
export class Cli {
  out = "";
  err = "";
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly #child: ChildProcess;
  readonly #looked = { out: 0, err: 0 };
  #wake: (() => void)[] = [];

  constructor(folder: string, args: readonly string[], { env, input }: CliOptions = {}) {
    const { PORT: _port, WINDSOCK_TOKEN: _token, WINDSOCK_SECRET: _secret, ...rest } = process.env;
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      env: { ...rest, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    // It may end without having read.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
      this.#notify();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
      this.#notify();
    });
    this.ended = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        resolve({ code, signal });
        this.#notify();
      });
    });
    running.push(this);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for a text on stdout, after the one that was seen last. */
  sees(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#find("out", pattern);
  }

  /** As `sees`, on stderr. */
  complains(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#find("err", pattern);
  }

  /** The server's URL, once it listens. By address: there is one way to it, and none to be tried first. */
  async url(): Promise<string> {
    const [, port = ""] = await this.sees(/Windsock listens on http:\/\/localhost:(\d+)\n/);
    return `http://127.0.0.1:${port}`;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, whatever it does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  async #find(stream: "out" | "err", pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const match = pattern.exec(this[stream].slice(this.#looked[stream]));
      if (match !== null) {
        this.#looked[stream] += match.index + match[0].length;
        return match;
      }
      await this.#change(deadline, pattern);
    }
  }

  async #change(deadline: number, pattern: RegExp): Promise<void> {
    const left = deadline - performance.now();
    const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (left <= 0 || isOver) {
      throw new Error(
        `Expected ${String(pattern)}, got\n--- stdout\n${this.out}\n--- stderr\n${this.err}\n--- exit ${this.#child.exitCode}`,
      );
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
