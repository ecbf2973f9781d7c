import { open } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { LineDecoder } from "../log/line-decoder.ts";
import { AppendFile, logGatherMs } from "./append-file.ts";
import type { LogFiles } from "./build-folder.ts";
import { TimeIndex } from "./time-index.ts";

/** Bounds of a build's console log. */
export interface ConsoleLogOptions {
  /** A longer line is broken. @default 16 KiB */
  readonly maxLineBytes: number;
  /** Output past this is left out, and the log says so once; the logs of the steps have it. @default 64 MiB */
  readonly maxLogBytes: number;
  /** Output waiting for the disk past this stops the step until the disk has caught up. @default 1 MiB */
  readonly highWaterBytes: number;
}

export const consoleLogDefaults: ConsoleLogOptions = {
  maxLineBytes: 16 * 1024,
  maxLogBytes: 64 * 1024 * 1024,
  highWaterBytes: 1024 * 1024,
};

/** A place that a step's output goes to. */
export interface OutputStream {
  /** Takes bytes. A promise asks the caller to send nothing more until it resolves; it never rejects. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Completes an unfinished line. Nothing may be written afterwards. */
  end(): void;
}

/** Who hears of a console log. */
export interface ConsoleLogListener {
  handleGrown(length: number): void;
  makeRoom?(bytes: number): boolean;
  /** The disk refused, once per log. */
  handleFailure(error: unknown): void;
}

/**
 * A build as one plain text: the lines of all its steps and AutoBuild's own, in the order in which they
 * became whole. Append-only UTF-8; it is what `/websocket/status` sends.
 */
export class ConsoleLog {
  readonly #file: AppendFile;
  readonly #index: TimeIndex;
  readonly #options: ConsoleLogOptions;
  #isCapped = false;

  private constructor(file: AppendFile, index: TimeIndex, options: ConsoleLogOptions) {
    this.#file = file;
    this.#index = index;
    this.#options = options;
  }

  /** Begins a build's console log, or adds to one whose writer was killed. */
  static async open(
    files: LogFiles,
    options: ConsoleLogOptions,
    clock: Clock,
    listener: ConsoleLogListener,
  ): Promise<ConsoleLog> {
    const append: AppendFile = await AppendFile.open(
      files.log,
      options.highWaterBytes,
      {
        handleWritten: () => listener.handleGrown(append.length),
        makeRoom: (bytes) => listener.makeRoom?.(bytes) === true,
        handleFailure: (error) => listener.handleFailure(error),
      },
      logGatherMs,
    );
    try {
      // A killed writer can leave half a line of its last write.
      if (!(await endsLine(files.log, append.length))) void append.append(Buffer.from("\n"));
      const index = await TimeIndex.open(files.index, options.highWaterBytes, clock, {
        handleFailure: (error) => listener.handleFailure(error),
      });
      return new ConsoleLog(append, index, options);
    } catch (error) {
      await append.close();
      throw error;
    }
  }

  get length(): number {
    return this.#file.length;
  }

  /** A stream for one step's output: its own decoder, so that two steps never share a line. */
  stream(): OutputStream {
    const decoder = new LineDecoder(this.#options);
    return {
      write: (bytes) => this.#acceptOutput(decoder.push(bytes)),
      end: () => void this.#acceptOutput(decoder.end()),
    };
  }

  /** Adds a line of AutoBuild's own. The cap does not hold for it. */
  line(text: string): void {
    const decoder = new LineDecoder(this.#options);
    void this.#append(Buffer.concat([decoder.push(Buffer.from(`${text}\n`)), decoder.end()]));
  }

  /** Takes lines again after the disk has refused some. */
  resume(): void {
    this.#file.resume();
  }

  /** Resolves when all that was added is in the file, or refused by the disk. */
  flush(): Promise<void> {
    return this.#file.flush();
  }

  async close(): Promise<void> {
    await Promise.all([this.#file.sync(), this.#index.sync()]);
    await Promise.all([this.#file.close(), this.#index.close()]);
  }

  #append(lines: Buffer): Promise<void> | undefined {
    if (lines.length === 0) return undefined;
    this.#index.note(this.#file.acceptedLength);
    return this.#file.append(lines);
  }

  #acceptOutput(lines: Buffer): Promise<void> | undefined {
    if (lines.length === 0 || this.#isCapped) return undefined;
    const room = this.#options.maxLogBytes - this.#file.acceptedLength;
    if (lines.length <= room) return this.#append(lines);
    this.#isCapped = true;
    const fitting = room <= 0 ? 0 : lines.lastIndexOf(0x0a, room - 1) + 1;
    void this.#append(lines.subarray(0, fitting));
    this.line(
      `=== the console has reached its limit of ${this.#options.maxLogBytes} bytes for one build: the build goes on, and the logs of its steps have the rest`,
    );
    return undefined;
  }
}

async function endsLine(file: string, length: number): Promise<boolean> {
  if (length === 0) return true;
  const handle = await open(file, "r");
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, length - 1);
    return buffer[0] === 0x0a;
  } finally {
    await handle.close();
  }
}
