import { mkdir } from "node:fs/promises";
import type { EndState, StepState } from "../build/build.ts";
import type { Clock } from "../clock.ts";
import type { Plan, PlannedStep } from "../plan/plan.ts";
import { Reserve } from "../reserve.ts";
import { BuildFolder } from "./build-folder.ts";
import { ConsoleLog, type ConsoleLogOptions, type OutputStream } from "./console-log.ts";
import { Journal, type BuildEvent } from "./journal.ts";
import { sayEnd, type StepEnd } from "./runner.ts";
import { StepLogWriter, type EndedLog, type StepLogOptions } from "./step-log-writer.ts";

/** For the rest of a journal of a hundred steps, and the last line of the console. */
const reserveBytes = 256 * 1024;

export interface RecordOptions extends StepLogOptions, ConsoleLogOptions {}

/** Who hears of what is written down. */
export interface RecordListener {
  handleJournalGrown(): void;
  handleConsoleGrown(length: number): void;
  /** `position` is null for the setup log. */
  handleLogGrown(position: number | null, attempt: number, length: number): void;
  /** The disk refused, once. */
  handleFailure(error: unknown): void;
}

/** One attempt of one step, being written down. */
export interface AttemptRecord {
  readonly output: OutputStream;
  /** A line of AutoBuild's own. */
  remark(text: string): void;
  end(end: StepEnd, durationMs: number): Promise<void>;
}

/** What a record is written to, and with. */
interface RecordParts {
  readonly folder: BuildFolder;
  readonly options: RecordOptions;
  readonly clock: Clock;
  readonly listener: RecordListener;
  readonly handleFailure: (error: unknown) => void;
  readonly journal: Journal;
  readonly console: ConsoleLog;
  readonly reserve: Reserve;
  /** Of the console, which may take of the reserve then. */
  readonly phase: { isEnding: boolean };
}

/** Writes down what happens in a build: the journal, the logs of its steps, and the console's. */
export class BuildRecord {
  readonly #parts: RecordParts;
  #setup: StepLogWriter | undefined;
  #steps: readonly PlannedStep[] = [];

  private constructor(parts: RecordParts, setup: StepLogWriter) {
    this.#parts = parts;
    this.#setup = setup;
  }

  static async open(
    path: string,
    options: RecordOptions,
    clock: Clock,
    listener: RecordListener,
  ): Promise<BuildRecord> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const folder = new BuildFolder(path);
    let hasFailed = false;
    const handleFailure = (error: unknown): void => {
      if (hasFailed) return;
      hasFailed = true;
      listener.handleFailure(error);
    };
    // The journal may always take of it, for what has happened must be known; the console for its last line alone.
    const reserve = new Reserve(folder.reserve, reserveBytes);
    const makeRoom = (bytes: number): boolean => reserve.give(bytes);
    const phase = { isEnding: false };
    const journal = await Journal.open(folder.journal, clock, {
      handleFailure,
      makeRoom,
      handleWritten: () => listener.handleJournalGrown(),
    });
    const console = await ConsoleLog.open(folder.console, options, clock, {
      handleFailure,
      makeRoom: (bytes) => phase.isEnding && makeRoom(bytes),
      handleGrown: (length) => listener.handleConsoleGrown(length),
    });
    const setup = await StepLogWriter.open(folder.setup, options, clock, {
      handleFailure,
      handleGrown: (length) => listener.handleLogGrown(null, 1, length),
    });
    return new BuildRecord(
      { folder, options, clock, listener, handleFailure, journal, console, reserve, phase },
      setup,
    );
  }

  get consoleLength(): number {
    return this.#parts.console.length;
  }

  /** A line about the build as a whole: in the console, and in the setup log until the first step starts. */
  line(text: string): void {
    this.#parts.console.line(`=== ${text}`);
    this.#setup?.line(`=== ${text}`);
  }

  /** The last line about the build, for which there is room also when the disk had none for others. */
  lastLine(text: string): void {
    this.#parts.phase.isEnding = true;
    this.#parts.console.resume();
    this.line(text);
  }

  plan(plan: Plan): void {
    this.#steps = plan.steps;
    this.line(`plan: ${plan.reason}`);
    this.#write({ type: "plan", plan });
  }

  /** What the build's page says about where it ran. */
  facts(event: Extract<BuildEvent, { readonly type: "machine" | "tools" }>): void {
    this.#write(event);
  }

  /** Ends the setup log: no line about the build goes there from now on. */
  async endSetup(): Promise<void> {
    const setup = this.#setup;
    if (setup === undefined) return;
    this.#setup = undefined;
    this.#write({ type: "setupEnded", ...(await setup.end()) });
  }

  startStep(position: number): void {
    this.#write({ type: "stepStarted", position });
  }

  async startAttempt(position: number, attempt: number): Promise<AttemptRecord> {
    const step = this.#steps[position];
    const { folder, options, clock, listener, handleFailure } = this.#parts;
    const log = await StepLogWriter.open(folder.attempt(position, attempt), options, clock, {
      handleFailure,
      handleGrown: (length) => listener.handleLogGrown(position, attempt, length),
    });
    this.#write({ type: "attemptStarted", position, attempt });
    const again = attempt === 1 ? "" : ` (attempt ${attempt})`;
    this.#parts.console.line(`=== step ${step?.name}${again}: ${step?.command}`);
    const console = this.#parts.console.stream();
    let hasEnded = false;
    return {
      output: {
        write(bytes) {
          // What something in the background prints after its step has ended goes to the console alone.
          const wait = hasEnded ? undefined : log.write(bytes);
          const consoleWait = console.write(bytes);
          return wait === undefined ? consoleWait : wait.then(() => consoleWait);
        },
        end: () => console.end(),
      },
      remark: (text) => {
        log.remark(text);
        this.#parts.console.line(`=== step ${step?.name} ${text}`);
      },
      end: async (end, durationMs) => {
        hasEnded = true;
        const ended: EndedLog = await log.end();
        this.#write({ type: "attemptEnded", position, attempt, end, durationMs, ...ended });
        await this.#parts.journal.sync();
      },
    };
  }

  endStep(
    position: number,
    state: StepState,
    end: StepEnd | null,
    durationMs: number,
    attempts: number,
  ): void {
    const reason = end === null || end.type === "passed" ? null : sayEnd(end);
    this.#write({ type: "stepEnded", position, state, reason, durationMs, attempts });
  }

  /** Resolves when all lines so far are in the console, or refused by the disk. */
  flush(): Promise<void> {
    return this.#parts.console.flush();
  }

  /** Writes the end, and closes everything. */
  async end(state: EndState, reason: string | null, durationMs: number): Promise<void> {
    await this.endSetup();
    await this.#parts.console.close();
    this.#write({ type: "ended", state, reason, durationMs, length: this.#parts.console.length });
    await this.#parts.journal.close();
    this.#parts.reserve.remove();
  }

  #write(event: BuildEvent): void {
    this.#parts.journal.write(event);
  }
}
