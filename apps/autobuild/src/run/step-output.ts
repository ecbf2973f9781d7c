import { setTimeout as sleep } from "node:timers/promises";
import type { OutputStream } from "./console-log.ts";
import { Masker } from "./mask.ts";
import type { StepProcess } from "./step-process.ts";

const maxNoisyRounds = 10;

/** More pieces than `floodPieces` within `floodMs` are a flood. */
const floodMs = 16;
const floodPieces = 64;
/** A piece of a flood that is smaller shows that we read faster than the step writes. */
const smallBytes = 1024;
/** Not longer: the step goes on while a terminal has room, and that is about 12 KiB. */
const pauseMs = 1;

/** Carries one step's output from its process to the log, without secrets, as fast as the log takes it. */
export class StepOutput {
  readonly #log: OutputStream;
  readonly #masker: Masker;
  readonly #closed = Promise.withResolvers<void>();
  #process: StepProcess | undefined;
  #isClosed = false;
  #chunks = 0;
  #holds = 0;
  #isLogFull = false;
  #floodFromMs = -Infinity;
  #floodPieces = 0;
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
    if (wait !== undefined) {
      this.#isLogFull = true;
      const handleRoom = (): void => void (this.#isLogFull = false);
      this.#holdUntil(wait.then(handleRoom));
    } else if (this.#isAhead(bytes.length)) this.#holdUntil(sleep(pauseMs));
  }

  /**
   * Whether we are woken for each line of a flood. A step gives way to us, so we are as soon as it has written one; which
   * takes the two of them longer than to wait until there are many.
   */
  #isAhead(bytes: number): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#floodFromMs >= floodMs) {
      this.#floodFromMs = nowMs;
      this.#floodPieces = 0;
    }
    this.#floodPieces += 1;
    return this.#floodPieces > floodPieces && bytes < smallBytes;
  }

  #holdUntil(over: Promise<void>): void {
    this.#holds += 1;
    this.#process?.pause();
    void over.then(() => {
      this.#holds -= 1;
      if (this.#holds === 0) this.#process?.resume();
    });
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
      const isHeldBack = this.#isLogFull;
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
