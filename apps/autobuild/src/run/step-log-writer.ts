import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import { AppendFile, logGatherMs } from "./append-file.ts";
import type { LogFiles } from "./build-folder.ts";
import { TimeIndex } from "./time-index.ts";

/** Bounds of the log of one attempt. */
export interface StepLogOptions {
  /** Past this only the newest output is kept, until the step ends; the step goes on. @default 256 MiB */
  readonly maxStepLogBytes: number;
  /** How much of the newest output is kept of a longer log. @default 1 MiB */
  readonly keptTailBytes: number;
  /** Output waiting for the disk past this stops the step until the disk has caught up. @default 1 MiB */
  readonly highWaterBytes: number;
}

export const stepLogDefaults: StepLogOptions = {
  maxStepLogBytes: 256 * 1024 * 1024,
  keptTailBytes: 1024 * 1024,
  highWaterBytes: 1024 * 1024,
};

/** A log that grows no more. */
export interface EndedLog {
  readonly length: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Who hears of a step's log. */
export interface StepLogListener {
  handleGrown(length: number): void;
  /** The disk refused, once per log. */
  handleFailure(error: unknown): void;
}

const newline = 0x0a;

/**
 * Writes the log of one attempt, and when its bytes came.
 *
 * A log that grows past its bound keeps its head as it is. What follows is left out, said in the log at
 * that place, but for the newest, which is appended when the step ends.
 */
export class StepLogWriter {
  readonly #log: AppendFile;
  readonly #index: TimeIndex;
  readonly #options: StepLogOptions;
  readonly #hash: ReturnType<typeof createHash>;
  #endsLine = true;
  #tail: Tail | undefined;

  private constructor(
    log: AppendFile,
    index: TimeIndex,
    hash: ReturnType<typeof createHash>,
    options: StepLogOptions,
  ) {
    this.#log = log;
    this.#index = index;
    this.#hash = hash;
    this.#options = options;
  }

  static async open(
    files: LogFiles,
    options: StepLogOptions,
    clock: Clock,
    listener: StepLogListener,
  ): Promise<StepLogWriter> {
    const hash = createHash("sha256");
    const log = await AppendFile.open(
      files.log,
      options.highWaterBytes,
      {
        handleWritten(bytes) {
          hash.update(bytes);
          listener.handleGrown(log.length);
        },
        handleFailure: (error) => listener.handleFailure(error),
      },
      logGatherMs,
    );
    try {
      const index = await TimeIndex.open(files.index, options.highWaterBytes, clock, {
        handleFailure: (error) => listener.handleFailure(error),
      });
      return new StepLogWriter(log, index, hash, options);
    } catch (error) {
      await log.close();
      throw error;
    }
  }

  get length(): number {
    return this.#log.length;
  }

  /** Takes output, which nobody may change afterwards. A promise asks to send no more until it resolves; it never rejects. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length === 0) return undefined;
    if (this.#tail !== undefined) {
      this.#tail.push(bytes);
      return undefined;
    }
    const room = this.#options.maxStepLogBytes - this.#log.acceptedLength;
    if (bytes.length <= room) return this.#append(bytes);
    void this.#append(bytes.subarray(0, Math.max(0, room)));
    this.remark(
      `the log has reached its limit of ${this.#options.maxStepLogBytes} bytes: the step goes on, and of what follows the newest ${this.#options.keptTailBytes} bytes are kept and come when it has ended`,
    );
    this.#tail = new Tail(this.#options.keptTailBytes);
    this.#tail.push(bytes.subarray(Math.max(0, room)));
    return undefined;
  }

  /** A line of AutoBuild's own within the output, after whatever the bound held back. */
  remark(text: string): void {
    this.endOutput();
    const before = this.#endsLine ? "" : "\n";
    void this.#append(Buffer.from(`${before}\u001b[2m=== ${text}\u001b[0m\n`));
  }

  /** A plain line. */
  line(text: string): void {
    void this.#append(Buffer.from(`${text}\n`));
  }

  /** Appends what the bound held back. */
  endOutput(): void {
    const tail = this.#tail;
    if (tail === undefined) return;
    this.#tail = undefined;
    const { bytes, leftOut } = tail.take();
    if (leftOut > 0) this.remark(`${leftOut} bytes are left out here`);
    void this.#append(bytes);
  }

  /** Resolves when everything is on the disk, also after a power failure. */
  async end(): Promise<EndedLog> {
    this.endOutput();
    await Promise.all([this.#log.sync(), this.#index.sync()]);
    await Promise.all([this.#log.close(), this.#index.close()]);
    return { length: this.#log.length, sha256: this.#hash.digest("hex") };
  }

  #append(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length === 0) return undefined;
    this.#index.note(this.#log.acceptedLength);
    this.#endsLine = bytes.at(-1) === newline;
    return this.#log.append(bytes);
  }
}

/** The newest bytes of what is left out, at most `capacity` of them. */
class Tail {
  readonly #capacity: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #leftOut = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    // Joined at twice the size, so that a byte is copied once per capacity and many small chunks cost no more.
    if (this.#bytes > 2 * this.#capacity || this.#chunks.length > 4096) this.#trim();
  }

  take(): { readonly bytes: Buffer; readonly leftOut: number } {
    this.#trim();
    return { bytes: Buffer.concat(this.#chunks), leftOut: this.#leftOut };
  }

  #trim(): void {
    const kept = Buffer.concat(this.#chunks).subarray(-this.#capacity);
    this.#leftOut += this.#bytes - kept.length;
    this.#chunks = [Buffer.from(kept)];
    this.#bytes = kept.length;
  }
}
