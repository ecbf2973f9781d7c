import { spawn, type ChildProcess } from "node:child_process";
import { messageOf } from "../errors.ts";

/** What a program is started with, and how much it may take. */
export interface BoundedProgram {
  /** Node's own options, then the program. It answers on descriptor 3. */
  readonly argv: readonly [...string[], string];
  readonly cwd: string;
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Of the answer. */
  readonly maxBytes: number;
  readonly heapMiB: number;
  /** With what is outside the heap, such as buffers. */
  readonly dataMiB: number;
}

/** How it came to its end. */
export type BoundedEnd =
  | { readonly type: "answered"; readonly answer: string }
  /** With what it said on standard error. */
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "timedOut" | "tooLarge" | "killed" };

const maxErrorBytes = 16 * 1024;

/**
 * A program of Node's in a process of its own that works on what somebody else wrote: asked once, it answers once.
 *
 * It starts at once, and waits for the question. It takes no more than its bounds of time, memory and output; that of
 * processor time holds also when this process dies under it.
 */
export class BoundedProcess {
  readonly #program: BoundedProgram;
  readonly #child: ReturnType<typeof spawn>;
  readonly #end = Promise.withResolvers<BoundedEnd>();
  readonly #answer: Buffer[] = [];
  #answerBytes = 0;
  #errors = Buffer.alloc(0);
  #early: BoundedEnd | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(program: BoundedProgram) {
    const { argv, cwd, environment, timeoutMs, heapMiB, dataMiB } = program;
    this.#program = program;
    this.#child = spawn(
      "/bin/sh",
      [
        "-c",
        `ulimit -t ${Math.ceil(timeoutMs / 1000)}; ulimit -d ${dataMiB * 1024}; exec "$@"`,
        "sh",
        process.execPath,
        `--max-old-space-size=${heapMiB}`,
        "--disable-warning=ExperimentalWarning",
        ...argv,
      ],
      { cwd, env: environment, stdio: ["pipe", "ignore", "pipe", "pipe"], detached: true },
    );
    // Where the process has no descriptor left there are no pipes at all, and `error` follows.
    const pipes: ChildProcess["stdio"] | undefined = this.#child.stdio;
    pipes?.[3]?.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      if (this.#errors.length < maxErrorBytes) this.#errors = Buffer.concat([this.#errors, bytes]);
    });
    // It may end before it has read everything.
    this.#child.stdin?.on("error", () => {});
    this.#child.once("error", (error) =>
      this.#settle({ type: "failed", message: messageOf(error) }),
    );
    this.#child.once("close", (code) => {
      const answer = Buffer.concat(this.#answer).toString("utf8");
      if (code === 0 && answer !== "") this.#settle({ type: "answered", answer });
      else this.#settle({ type: "failed", message: this.#errors.toString("utf8") });
    });
  }

  /** Asks; its time counts from now on. Never rejects. Call it once. */
  ask(question: string): Promise<BoundedEnd> {
    const { timeoutMs } = this.#program;
    this.#timer = setTimeout(() => this.#kill({ type: "timedOut" }), timeoutMs);
    this.#child.stdin?.end(question);
    return this.#end.promise;
  }

  /** Ends it, if it has not ended. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#kill({ type: "killed" });
    await this.#end.promise;
  }

  #take(bytes: Buffer): void {
    this.#answerBytes += bytes.length;
    if (this.#answerBytes > this.#program.maxBytes) this.#kill({ type: "tooLarge" });
    else this.#answer.push(bytes);
  }

  #kill(end: BoundedEnd): void {
    this.#early ??= end;
    this.#child.kill("SIGKILL");
  }

  #settle(end: BoundedEnd): void {
    clearTimeout(this.#timer);
    this.#end.resolve(this.#early ?? end);
  }
}
