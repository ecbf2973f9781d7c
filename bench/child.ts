import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";

/** A map of commands: for each, what is asked and what is answered. */
type Commands = { [Type in string]: { ask: object; answer: unknown } };

const startTimeoutMs = 20_000;
const stopTimeoutMs = 5000;
const keptErrorBytes = 4000;

/** Whether processes can be held on a core each. */
export const canPin: boolean =
  process.platform === "linux" &&
  availableParallelism() >= 2 &&
  spawnSync("taskset", ["--version"]).status === 0;

/** A process that answers commands with lines of JSON, one at a time. */
export class Child<All extends { [Type in keyof All]: Commands[string] }> {
  readonly #process: ChildProcess;
  readonly #what: string;
  readonly #ended = Promise.withResolvers<never>();
  #waiting: ((line: string) => void) | undefined;
  #errors = "";

  /** Starts it on a core of its own, and gives what it says first. */
  static async start<All extends { [Type in keyof All]: Commands[string] }, Hello>(
    what: string,
    command: readonly string[],
    core: number,
  ): Promise<{ child: Child<All>; hello: Hello }> {
    const child = new Child<All>(what, command, core);
    try {
      return { child, hello: JSON.parse(await child.#line(startTimeoutMs)) as Hello };
    } catch (error) {
      await child.stop();
      throw error;
    }
  }

  private constructor(what: string, command: readonly string[], core: number) {
    this.#what = what;
    const [file = "", ...args] = canPin ? ["taskset", "-c", String(core), ...command] : command;
    // In a group of its own: Ctrl-C is for us. When we end, so does its stdin, and with it the process.
    this.#process = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.#ended.promise.catch(() => {});
    const { stdout, stderr, stdin } = this.#process;
    stdin?.on("error", () => {});
    stderr?.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-keptErrorBytes);
    });
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#take(line));
    this.#process.on("error", (error) => this.#ended.reject(error));
    this.#process.on("exit", (code, signal) =>
      this.#ended.reject(
        new Error(`Expected ${what} to go on, got its end (${signal ?? code}).\n${this.#errors}`),
      ),
    );
  }

  /** The number of the process: `taskset` becomes what it starts. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async ask<Type extends keyof All & string>(
    type: Type,
    ask: All[Type]["ask"],
    timeoutMs: number = 120_000,
  ): Promise<All[Type]["answer"]> {
    this.#process.stdin?.write(`${JSON.stringify({ type, ...ask })}\n`);
    return JSON.parse(await this.#line(timeoutMs)) as All[Type]["answer"];
  }

  /** Ends it: in order, or else at once. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    this.#process.stdin?.write('{"type":"exit"}\n');
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), stopTimeoutMs);
    await gone;
    clearTimeout(timer);
  }

  #take(line: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }

  async #line(timeoutMs: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting = resolve;
    const timer = setTimeout(
      () => reject(new Error(`Expected ${this.#what} to answer within ${timeoutMs} ms.`)),
      timeoutMs,
    );
    try {
      return await Promise.race([promise, this.#ended.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
