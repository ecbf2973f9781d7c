import { Worker } from "node:worker_threads";
import type { Sealing } from "./sealed-log-writer.ts";

/** What a sealing thread is told to do. */
export type SealingOrder =
  | { readonly type: "seal"; readonly buildId: number; readonly folder: string }
  | { readonly type: "remove"; readonly buildId: number };

/** What it answers, order by order. */
export type SealingAnswer =
  | { readonly type: "done"; readonly sealing: Sealing | null }
  | { readonly type: "failed"; readonly message: string; readonly isDiskFull: boolean };

/** What could not be sealed or removed; all files are where they were. */
export class SealingError extends Error {
  override readonly name = "SealingError";
  readonly isDiskFull: boolean;

  constructor(message: string, isDiskFull: boolean) {
    super(message);
    this.isDiskFull = isDiskFull;
  }
}

/** So long a thread with nothing to do is kept: a sweep has work for it again at once. */
const idleMs = 2000;

/**
 * Writes to `logs.sqlite` in a thread of its own at low priority, one order after the other.
 *
 * The thread is there while it has work. Compressing and waiting for the disk hold up nobody else.
 */
export class SealingThread {
  readonly #dataDir: string;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** Rejects with a `SealingError`. */
  async seal(buildId: number, folder: string): Promise<Sealing> {
    const sealing = await this.#order({ type: "seal", buildId, folder });
    return sealing ?? { files: 0, bytes: 0, storedBytes: 0 };
  }

  /** Rejects with a `SealingError`. */
  async remove(buildId: number): Promise<void> {
    await this.#order({ type: "remove", buildId });
  }

  /** Ends the thread wherever it is: what it was at is as if it had not begun. Orders reject. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#idle);
    await this.#worker?.terminate();
    await this.#last;
  }

  #order(order: SealingOrder): Promise<Sealing | null> {
    const answered = this.#last.then(() => this.#send(order));
    this.#last = answered.catch(() => {});
    return answered;
  }

  async #send(order: SealingOrder): Promise<Sealing | null> {
    if (this.#isStopped) throw new SealingError("AutoBuild stops", false);
    clearTimeout(this.#idle);
    const worker = (this.#worker ??= new Worker(new URL("./sealing-main.ts", import.meta.url), {
      workerData: { dataDir: this.#dataDir },
      execArgv: ["--disable-warning=ExperimentalWarning"],
      // Blocks that were read and written are let go of soon.
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 },
      name: "sealing",
    }));
    try {
      return await new Promise((resolve, reject) => {
        const fail = (error: unknown): void => {
          this.#worker = undefined;
          reject(new SealingError(error instanceof Error ? error.message : String(error), false));
        };
        worker.removeAllListeners();
        worker.once("error", fail);
        worker.once("exit", () => fail(new Error("the thread that seals logs has ended")));
        worker.once("message", (answer: SealingAnswer) => {
          if (answer.type === "done") resolve(answer.sealing);
          else reject(new SealingError(answer.message, answer.isDiskFull));
        });
        worker.postMessage(order);
      });
    } finally {
      if (!this.#isStopped) this.#idle = setTimeout(() => void this.#end(), idleMs).unref();
    }
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.removeAllListeners();
    await worker?.terminate();
  }
}
