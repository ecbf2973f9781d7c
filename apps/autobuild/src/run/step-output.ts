import { setTimeout as sleep } from "node:timers/promises";
import type { OutputStream } from "./console-log.ts";
import { Masker } from "./mask.ts";
import type { StepProcess } from "./step-process.ts";

const maxNoisyRounds = 10;

/** Carries one step's output from its process to the log, without secrets, as fast as the log takes it. */
export class StepOutput {
  readonly #log: OutputStream;
  readonly #masker: Masker;
  readonly #closed = Promise.withResolvers<void>();
  #process: StepProcess | undefined;
  #isClosed = false;
  #chunks = 0;
  #handleBytes: () => void;

  /** @param handleBytes called whenever something came */
  constructor(log: OutputStream, masked: readonly Buffer[], handleBytes: () => void) {
    this.#log = log;
    this.#masker = new Masker(masked);
    this.#handleBytes = handleBytes;
  }

  /** Says whose output it is: who is held back while the log is full. */
  of(process: StepProcess): void {
    this.#process = process;
  }

  take(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#chunks++;
    this.#handleBytes();
    const wait = this.#log.write(this.#masker.push(bytes));
    if (wait === undefined) return;
    this.#process?.pause();
    void wait.then(() => this.#process?.resume());
  }

  /** Nothing more comes. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    void this.#log.write(this.#masker.end());
    this.#log.end();
    this.#closed.resolve();
  }

  /**
   * Resolves when the output has closed, or nothing came for `quietMs`: a process in the background may hold
   * it open. One that keeps writing is waited for ten times as long.
   */
  async quiet(quietMs: number): Promise<void> {
    let noisyRounds = 0;
    for (let seen = -1; !this.#isClosed && seen !== this.#chunks && noisyRounds < maxNoisyRounds;) {
      // While the log holds it back, silence says nothing.
      const isHeldBack = this.#process?.isPaused ?? false;
      seen = isHeldBack ? -1 : this.#chunks;
      if (!isHeldBack) noisyRounds++;
      await Promise.race([this.#closed.promise, sleep(quietMs)]);
    }
  }

  /** Takes what is still on its way. All writers should be gone; one that hid is cut off. */
  async drain(): Promise<void> {
    await this.quiet(50);
    this.#process?.destroy();
    this.close();
  }
}
