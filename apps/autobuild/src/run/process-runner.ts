import { spawn, type ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock, type Clock } from "../clock.ts";
import { formatDuration } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { PlannedStep } from "../plan/plan.ts";
import type { OutputStream } from "./console-log.ts";
import { endGroups, signalGroup, sweepCookie } from "./process-tree.ts";
import { sayEnd, type RunEnd, type Runner, type RunOrder, type StepEnd } from "./runner.ts";

/** Waits of the process runner. */
export interface ProcessRunnerOptions {
  /** From TERM to KILL. @default 5_000 */
  readonly graceMs: number;
  /** How long a finished step's pipe may stay silent while something in the background holds it. @default 200 */
  readonly quietMs: number;
  readonly clock: Clock;
}

const defaults: ProcessRunnerOptions = { graceMs: 5000, quietMs: 200, clock: systemClock };

/** Runs steps as children of the server, each in a process group of its own, with no input. */
export class ProcessRunner implements Runner {
  readonly #options: ProcessRunnerOptions;

  constructor(options: Partial<ProcessRunnerOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  async run(order: RunOrder): Promise<RunEnd> {
    const run = new BuildProcesses(order, this.#options);
    try {
      return await run.steps();
    } finally {
      await run.end();
    }
  }

  sweep(cookie: string): Promise<number> {
    return sweepCookie(cookie);
  }
}

/** The processes of one build. */
class BuildProcesses {
  readonly #order: RunOrder;
  readonly #options: ProcessRunnerOptions;
  /** Groups that had a member when last looked at. A step may leave some in the background for the next one. */
  readonly #groups = new Set<number>();
  readonly #outputs: StepOutput[] = [];

  constructor(order: RunOrder, options: ProcessRunnerOptions) {
    this.#order = order;
    this.#options = options;
  }

  async steps(): Promise<RunEnd> {
    const { clock } = this.#options;
    for (const [position, step] of this.#order.steps.entries()) {
      if (this.#order.signal.aborted) return { type: "aborted" };
      const startedMs = clock.monotonicMs();
      this.#order.handleStepStart(position);
      const attempt = await this.#order.startAttempt(position, 1);
      const end = await this.#step(step, attempt.output);
      const durationMs = clock.monotonicMs() - startedMs;
      if (end.type !== "passed")
        attempt.remark(`${sayEnd(end)} after ${formatDuration(durationMs)}`);
      await attempt.end(end, durationMs);
      this.#order.handleStepEnd(position, end, durationMs);
      if (end.type === "aborted") return { type: "aborted" };
      if (end.type !== "passed") return { type: "failed", position, end };
    }
    return { type: "passed" };
  }

  /** Ends what is left, so that nothing of the build runs on, and takes the last of its output. */
  async end(): Promise<void> {
    await endGroups([...this.#groups], this.#options.graceMs, this.#options.clock);
    await sweepCookie(this.#order.cookie);
    await Promise.all(this.#outputs.map((output) => output.close()));
  }

  #step(step: PlannedStep, log: OutputStream): Promise<StepEnd> {
    const { graceMs, quietMs, clock } = this.#options;
    const { signal, workspace, environment } = this.#order;

    return new Promise((resolve) => {
      const child = start(step, workspace, environment);
      if (child instanceof Error) return resolve({ type: "notStarted", message: child.message });
      const { pid } = child;
      // A child that could not be started may have no pipe.
      const output = child.stdout === null ? undefined : new StepOutput(child.stdout, log);
      if (output !== undefined) this.#outputs.push(output);
      if (pid !== undefined) this.#groups.add(pid);

      let early: StepEnd | undefined;
      const endEarly = (end: StepEnd): void => {
        if (early !== undefined) return;
        early = end;
        if (pid !== undefined) void endGroups([pid], graceMs, clock);
      };
      const handleAbort = (): void => endEarly({ type: "aborted" });
      const stopTimer = clock.after(step.timeoutMs, () =>
        endEarly({ type: "timedOut", timeoutMs: step.timeoutMs }),
      );
      signal.addEventListener("abort", handleAbort, { once: true });
      if (signal.aborted) handleAbort();

      const settle = async (end: StepEnd): Promise<void> => {
        stopTimer();
        signal.removeEventListener("abort", handleAbort);
        await output?.quiet(quietMs);
        if (pid !== undefined && !signalGroup(pid, 0)) this.#groups.delete(pid);
        resolve(end);
      };
      child.once(
        "error",
        (error) => void settle({ type: "notStarted", message: messageOf(error) }),
      );
      child.once("exit", (code, killedBy) => {
        if (early !== undefined) void settle(early);
        else if (code === 0) void settle({ type: "passed" });
        else if (code !== null) void settle({ type: "exited", code });
        else void settle({ type: "killed", signal: killedBy ?? "a signal" });
      });
    });
  }
}

function start(
  step: PlannedStep,
  workspace: string,
  environment: Readonly<Record<string, string>>,
): ChildProcess | Error {
  try {
    // One pipe for both streams keeps their order. The shell only joins them: it becomes the command.
    return spawn("/bin/sh", ["-c", 'exec "$@" 2>&1', "sh", ...step.argv], {
      cwd: workspace,
      env: environment,
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
  } catch (error) {
    // Arguments that are too long, for one, throw at once.
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}

const maxNoisyRounds = 10;

/** Carries one step's output from its pipe to the log, as fast as the log takes it. */
class StepOutput {
  readonly #pipe: Readable;
  readonly #closed: Promise<void>;
  #isClosed = false;
  #chunks = 0;

  constructor(pipe: Readable, log: OutputStream) {
    this.#pipe = pipe;
    pipe.on("data", (bytes: Buffer) => {
      this.#chunks++;
      const wait = log.write(bytes);
      if (wait === undefined) return;
      pipe.pause();
      void wait.then(() => pipe.resume());
    });
    this.#closed = new Promise((resolve) => {
      pipe.once("close", () => {
        this.#isClosed = true;
        log.end();
        resolve();
      });
    });
    pipe.on("error", () => pipe.destroy());
  }

  /**
   * Resolves when the pipe has closed, or nothing came for `quietMs`: a process in the background may hold
   * it open. One that keeps writing is waited for ten times as long.
   */
  async quiet(quietMs: number): Promise<void> {
    let noisyRounds = 0;
    for (let seen = -1; !this.#isClosed && seen !== this.#chunks && noisyRounds < maxNoisyRounds;) {
      // While the log holds the pipe back, silence says nothing.
      const isHeldBack = this.#pipe.isPaused();
      seen = isHeldBack ? -1 : this.#chunks;
      if (!isHeldBack) noisyRounds++;
      await Promise.race([this.#closed, sleep(quietMs)]);
    }
  }

  /** Takes what is still in the pipe. All writers should be gone; one that hid is cut off. */
  async close(): Promise<void> {
    await this.quiet(50);
    this.#pipe.destroy();
    await this.#closed;
  }
}
