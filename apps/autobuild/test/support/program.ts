import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { onTestFinished } from "vitest";
import { hasEnded, type Build } from "../../src/build/build.ts";
import type { Repository } from "../../src/build/repository.ts";
import { temporaryFolder } from "./temporary.ts";
import { until } from "./until.ts";

const cli = path.join(import.meta.dirname, "../../src/cli.ts");

export interface ProgramOptions {
  /** @default a temporary one */
  readonly dataDir?: string;
  /** @default any free one */
  readonly port?: number;
  readonly arguments?: readonly string[];
  /** Whether builds go on when it ends. @default false */
  readonly leavesBuilds?: boolean;
}

/** AutoBuild as its users have it: the program, in a process of its own, killed when the test has finished. */
export class Program {
  readonly dataDir: string;
  readonly child: ChildProcess;
  output = "";
  errors = "";

  /** Starts it, and waits for nothing. */
  constructor(repositories: readonly string[], options: ProgramOptions = {}) {
    this.dataDir = options.dataDir ?? temporaryFolder();
    const args = [...repositories, "--port", String(options.port ?? 0), "--data-dir", this.dataDir];
    this.child = spawn(
      process.execPath,
      [
        "--conditions=@windsock/source",
        "--disable-warning=ExperimentalWarning",
        cli,
        ...args,
        ...(options.leavesBuilds === true ? [] : ["--stop-builds"]),
        ...(options.arguments ?? []),
      ],
      { cwd: temporaryFolder(), stdio: ["ignore", "pipe", "pipe"] },
    );
    this.child.stdout?.on("data", (bytes: Buffer) => (this.output += bytes.toString()));
    this.child.stderr?.on("data", (bytes: Buffer) => (this.errors += bytes.toString()));
    onTestFinished(() => this.stop());
  }

  /** Starts it, and waits for its address. */
  static async start(
    repositories: readonly string[],
    options: ProgramOptions = {},
  ): Promise<Program> {
    const program = new Program(repositories, options);
    await until("AutoBuild is up", () => {
      if (program.child.exitCode !== null)
        throw new Error(`AutoBuild ended: ${program.errors}${program.output}`);
      return program.port !== undefined;
    });
    return program;
  }

  get port(): number | undefined {
    const port = /AutoBuild is at http:\/\/localhost:(\d+)/.exec(this.output)?.[1];
    return port === undefined ? undefined : Number(port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async ended(): Promise<number | null> {
    await until("AutoBuild has ended", () => this.hasEnded);
    return this.child.exitCode;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Ends it with its builds; with force, should it not want to. */
  async stop(): Promise<void> {
    if (this.hasEnded) return;
    this.child.kill("SIGTERM");
    await this.ended().catch(() => this.child.kill("SIGKILL"));
  }

  async builds(): Promise<{ builds: Build[]; repositories: Repository[] }> {
    const answer = await fetch(`${this.url}/api/builds`);
    return (await answer.json()) as { builds: Build[]; repositories: Repository[] };
  }

  async build(id: number): Promise<Build | undefined> {
    const answer = await fetch(`${this.url}/api/builds/${id}`);
    return answer.ok ? ((await answer.json()) as Build) : undefined;
  }

  /** A build, once it has ended. */
  async buildEnded(id: number): Promise<Build> {
    let build: Build | undefined;
    await until(`build ${id} has ended`, async () => {
      build = await this.build(id);
      return build !== undefined && hasEnded(build);
    });
    return build!;
  }

  async buildRuns(id: number): Promise<void> {
    await until(`build ${id} runs`, async () => (await this.build(id))?.state === "running");
  }

  /** A build's console log as it lies on the disk. */
  logOf(id: number): string {
    const file = path.join(this.dataDir, "builds", String(id), "console.log");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  async printed(id: number, line: string): Promise<void> {
    await until(`build ${id} prints ${line}`, () => this.logOf(id).includes(`${line}\n`));
  }
}
