import type { EndState, StepState } from "../build/build.ts";
import type { Clock } from "../clock.ts";
import type { Plan } from "../plan/plan.ts";
import { AppendFile, type AppendListener } from "./append-file.ts";
import type { Machine } from "./machine.ts";
import type { StepEnd } from "./runner.ts";
import type { EndedLog } from "./step-log-writer.ts";

/** What happens in a build. Positions count from 0, attempts from 1. */
export type BuildEvent =
  /** The commit is checked out and how to build it is known. */
  | { readonly type: "plan"; readonly plan: Plan }
  /** Where it is carried out. */
  | { readonly type: "machine"; readonly machine: Machine }
  /** Versions of what its steps name, by name, as far as they were known in time. */
  | { readonly type: "tools"; readonly versions: Readonly<Record<string, string>> }
  | { readonly type: "stepStarted"; readonly position: number }
  | { readonly type: "attemptStarted"; readonly position: number; readonly attempt: number }
  | {
      readonly type: "attemptEnded";
      readonly position: number;
      readonly attempt: number;
      readonly end: StepEnd;
      readonly durationMs: number;
      readonly length: number;
      readonly sha256: string;
    }
  /** Also of a step that never started: it was `skipped`, and took 0 ms in 0 attempts. */
  | {
      readonly type: "stepEnded";
      readonly position: number;
      readonly state: StepState;
      readonly reason: string | null;
      readonly durationMs: number;
      readonly attempts: number;
    }
  /** The setup log grows no more: the first step starts, or there will be none. */
  | ({ readonly type: "setupEnded" } & EndedLog)
  /** The last of a build. Nothing of it runs any more. */
  | {
      readonly type: "ended";
      readonly state: EndState;
      readonly reason: string | null;
      readonly durationMs: number;
      /** Of the console log. */
      readonly length: number;
    };

/** A line of the journal: what happened, when, and as the how-manieth, counted from 1. */
export type JournalEntry = { readonly seq: number; readonly t: number } & BuildEvent;

/** Writes the journal of one build: one JSON object a line. */
export class Journal {
  readonly #file: AppendFile;
  readonly #clock: Clock;
  #seq = 0;

  private constructor(file: AppendFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  static async open(file: string, clock: Clock, listener: AppendListener): Promise<Journal> {
    return new Journal(await AppendFile.open(file, 1024 * 1024, listener), clock);
  }

  write(event: BuildEvent): void {
    const entry: JournalEntry = { seq: ++this.#seq, t: this.#clock.epochMs(), ...event };
    void this.#file.append(Buffer.from(`${JSON.stringify(entry)}\n`));
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  async close(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
  }
}
