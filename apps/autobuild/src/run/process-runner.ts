import { systemClock, type Clock } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { messageOf } from "../errors.ts";
import type { PlannedStep } from "../plan/plan.ts";
import type { OutputStream } from "./console-log.ts";
import { containerOf } from "./container.ts";
import { maskedTexts } from "./mask.ts";
import { defaultNiceness } from "./niceness.ts";
import { endGroups, signalGroup, sweepCookie } from "./process-tree.ts";
import {
  sayEnd,
  stateOf,
  type RunEnd,
  type Runner,
  type RunOrder,
  type StepEnd,
} from "./runner.ts";
import { StepGraph } from "./step-graph.ts";
import { StepOutput } from "./step-output.ts";
import { loadTerminals, startStep } from "./step-process.ts";

/** Waits and bounds of the process runner. */
export interface ProcessRunnerOptions {
  /** From TERM to KILL. @default 5_000 */
  readonly graceMs: number;
  /** How long a finished step's output may stay silent while something in the background holds it. @default 200 */
  readonly quietMs: number;
  /** Steps of a build at the same time. @default 4 */
  readonly maxParallel: number;
  /** How much less urgent steps are than this process, from 0 to 19. @default 10 */
  readonly niceness: number;
  readonly clock: Clock;
}

const defaults: ProcessRunnerOptions = {
  graceMs: 5000,
  quietMs: 200,
  maxParallel: 4,
  niceness: defaultNiceness,
  clock: systemClock,
};

/** Runs steps as children of this process, each in a process group of its own, with no input. */
export class ProcessRunner implements Runner {
  readonly #options: ProcessRunnerOptions;

  constructor(options: Partial<ProcessRunnerOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  async run(order: RunOrder): Promise<RunEnd> {
    const terminals = await loadTerminals();
    const run = new BuildProcesses(order, this.#options, terminals);
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
  readonly #terminals: Awaited<ReturnType<typeof loadTerminals>>;
  readonly #masked: readonly Buffer[];
  readonly #graph: StepGraph;
  /** Groups that had a member when last looked at. A step may leave some in the background for the next one. */
  readonly #groups = new Set<number>();
  readonly #outputs: StepOutput[] = [];
  #failed: { position: number; end: StepEnd } | undefined;

  constructor(
    order: RunOrder,
    options: ProcessRunnerOptions,
    terminals: Awaited<ReturnType<typeof loadTerminals>>,
  ) {
    this.#order = order;
    this.#options = options;
    this.#terminals = terminals;
    this.#masked = maskedTexts(Object.values(order.secrets));
    this.#graph = new StepGraph(order.steps);
  }

  /** Runs each step as soon as those that it needs have passed. What runs beside one that fails runs on. */
  async steps(): Promise<RunEnd> {
    const { signal } = this.#order;
    const running = new Map<number, Promise<void>>();
    for (;;) {
      const ready = signal.aborted ? [] : this.#graph.ready();
      for (const position of ready.slice(0, this.#options.maxParallel - running.size)) {
        this.#graph.start(position);
        running.set(
          position,
          this.#step(position).finally(() => running.delete(position)),
        );
      }
      if (running.size === 0) break;
      await Promise.race(running.values());
    }
    if (signal.aborted) return { type: "aborted" };
    return this.#failed === undefined ? { type: "passed" } : { type: "failed", ...this.#failed };
  }

  /** Ends what is left, so that nothing of the build runs on, and takes the last of its output. */
  async end(): Promise<void> {
    await endGroups([...this.#groups], this.#options.graceMs, this.#options.clock);
    await sweepCookie(this.#order.cookie);
    await Promise.all(this.#outputs.map((output) => output.drain()));
    for (const position of this.#graph.abandon()) this.#skip(position);
  }

  async #step(position: number): Promise<void> {
    const { clock } = this.#options;
    const step = this.#order.steps[position] as PlannedStep;
    const startedMs = clock.monotonicMs();
    this.#order.handleStepStart(position);
    let end: StepEnd;
    let attempts = 0;
    do {
      attempts += 1;
      end = await this.#attempt(position, step, attempts, attempts <= step.retry.times);
    } while (attempts <= step.retry.times && isRetried(step, end) && !this.#order.signal.aborted);
    this.#order.handleStepEnd({
      position,
      state: stateOf(end),
      end,
      durationMs: clock.monotonicMs() - startedMs,
      attempts,
    });
    if (end.type !== "passed" && end.type !== "aborted") this.#failed ??= { position, end };
    for (const skipped of this.#graph.end(position, end.type === "passed")) this.#skip(skipped);
  }

  #skip(position: number): void {
    this.#order.handleStepEnd({
      position,
      state: "skipped",
      end: null,
      durationMs: 0,
      attempts: 0,
    });
  }

  async #attempt(
    position: number,
    step: PlannedStep,
    attempt: number,
    isLast: boolean,
  ): Promise<StepEnd> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const record = await this.#order.startAttempt(position, attempt);
    const end = await this.#process(step, record.output);
    const durationMs = clock.monotonicMs() - startedMs;
    if (end.type !== "passed") {
      const again = isLast && isRetried(step, end) ? "; it is tried again" : "";
      record.remark(`${sayEnd(end)} after ${formatDuration(durationMs)}${again}`);
    }
    await record.end(end, durationMs);
    return end;
  }

  async #process(step: PlannedStep, log: OutputStream): Promise<StepEnd> {
    const { graceMs, quietMs, niceness, clock } = this.#options;
    const { signal, workspace } = this.#order;
    const environment = this.#order.environmentOf(step, this.#terminals !== undefined);
    let command: readonly [string, ...string[]] = step.argv;
    let endContainer = async (): Promise<void> => {};
    if (step.image !== null) {
      const container = await containerOf(
        step,
        step.image,
        workspace,
        environment,
        this.#order.cookie,
        niceness,
      );
      if (typeof container === "string") return { type: "notStarted", message: container };
      command = container.argv;
      endContainer = () => container.end();
    }

    return new Promise((resolve) => {
      let early: StepEnd | undefined;
      let pid: number | undefined;
      let isSettled = false;
      let stopSilence = (): void => {};
      const endEarly = (end: StepEnd): void => {
        if (early !== undefined) return;
        early = end;
        if (pid !== undefined) void endGroups([pid], graceMs, clock);
      };
      const { silenceTimeoutMs, timeoutMs } = step;
      const waitForOutput = (): void => {
        if (silenceTimeoutMs === null || isSettled) return;
        stopSilence();
        stopSilence = clock.after(silenceTimeoutMs, () =>
          endEarly({ type: "silent", silenceMs: silenceTimeoutMs }),
        );
      };
      const handleAbort = (): void => endEarly({ type: "aborted" });
      const stopTimer = clock.after(timeoutMs, () => endEarly({ type: "timedOut", timeoutMs }));
      const output = new StepOutput(log, this.#masked, waitForOutput);
      const settle = async (end: StepEnd): Promise<void> => {
        if (isSettled) return;
        isSettled = true;
        stopTimer();
        stopSilence();
        signal.removeEventListener("abort", handleAbort);
        await output.quiet(quietMs);
        if (pid !== undefined && !signalGroup(pid, 0)) this.#groups.delete(pid);
        await endContainer();
        resolve(end);
      };
      try {
        const started = startStep(
          {
            argv: command,
            cwd: workspace,
            environment,
            tty: step.tty,
            ttyInput: step.image !== null,
            niceness,
          },
          {
            handleOutput: (bytes) => output.take(bytes),
            handleOutputEnd: () => output.close(),
            handleExit: (end) => void settle(early ?? end),
          },
          this.#terminals,
        );
        output.of(started);
        this.#outputs.push(output);
        pid = started.pid;
        if (pid !== undefined) this.#groups.add(pid);
      } catch (error) {
        // Arguments that are too long, for one, throw at once.
        output.close();
        void settle({ type: "notStarted", message: messageOf(error) });
        return;
      }
      waitForOutput();
      signal.addEventListener("abort", handleAbort, { once: true });
      if (signal.aborted) handleAbort();
    });
  }
}

function isRetried({ retry }: PlannedStep, end: StepEnd): boolean {
  switch (end.type) {
    case "exited":
    case "killed":
      return retry.on.includes("exit");
    case "timedOut":
    case "silent":
      return retry.on.includes("timeout");
    default:
      return false;
  }
}
