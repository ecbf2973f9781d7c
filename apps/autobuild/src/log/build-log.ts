import { constants } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { LineDecoder } from "./line-decoder.ts";
import { clamp, readLogFile, wholeLines, type LogReader, type LogSlice } from "./log-reader.ts";
import { TailWindow } from "./tail-window.ts";

/** Bounds of a build's log. */
export interface LogOptions {
  /** A longer line is broken. @default 16 KiB */
  readonly maxLineBytes: number;
  /** Output past this is dropped, and the log says so once; the build goes on. @default 64 MiB */
  readonly maxLogBytes: number;
  /** Output waiting for the disk past this stops the child until the disk has caught up. @default 1 MiB */
  readonly highWaterBytes: number;
  /** Bytes kept in memory for viewers at the end. @default 512 KiB */
  readonly tailBytes: number;
}

export const logDefaults: LogOptions = {
  maxLineBytes: 16 * 1024,
  maxLogBytes: 64 * 1024 * 1024,
  highWaterBytes: 1024 * 1024,
  tailBytes: 512 * 1024,
};

/** A place that a child's output goes to. */
export interface OutputStream {
  /** Takes bytes. A promise asks the caller to send nothing more until it resolves; it never rejects. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Completes an unfinished line. Nothing may be written afterwards. */
  end(): void;
}

/** Who hears of a log. */
export interface LogListener {
  /** Lines became readable. Called once per write to the disk, so at most some thousand times a second. */
  handleAdvance(): void;
  /** The disk refused, once per log. Later output is dropped; lines written before stay readable. */
  handleFailure(error: unknown): void;
}

/**
 * The log of one build while it runs: one append-only UTF-8 file, of which only whole lines are visible.
 *
 * Appends wait in memory, bounded, for one write at a time. `length` grows only after a write has
 * succeeded, so what a reader has seen is in the file, also after the server was killed.
 */
export class BuildLog implements LogReader {
  readonly file: string;
  readonly #options: LogOptions;
  readonly #listener: LogListener;
  readonly #handle: FileHandle;
  readonly #tail: TailWindow;
  #length: number;
  #acceptedBytes: number;
  #isCapped = false;
  #hasFailed = false;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;

  private constructor(
    file: string,
    handle: FileHandle,
    length: number,
    options: LogOptions,
    listener: LogListener,
  ) {
    this.file = file;
    this.#handle = handle;
    this.#length = this.#acceptedBytes = length;
    this.#options = options;
    this.#listener = listener;
    this.#tail = new TailWindow(options.tailBytes, length);
  }

  /** Opens a build's log, to begin it or to add to one that a killed server left. */
  static async open(file: string, options: LogOptions, listener: LogListener): Promise<BuildLog> {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(
      file,
      constants.O_RDWR | constants.O_CREAT | constants.O_APPEND,
      0o600,
    );
    try {
      return new BuildLog(file, handle, await completeLastLine(handle), options, listener);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get length(): number {
    return this.#length;
  }

  async read(from: number, maxBytes: number): Promise<LogSlice> {
    const start = clamp(from, this.#length);
    if (start === this.#length) return { text: "", next: start };
    const readFrom = Math.max(0, start - 1);
    if (readFrom >= this.#tail.start)
      return wholeLines(this.#tail.from(readFrom), readFrom, start, maxBytes);
    return readLogFile(this.file, this.#length, start, maxBytes, this.#options.maxLineBytes);
  }

  /** A stream for one child's output: its own decoder, so that two children never share a line. */
  stream(): OutputStream {
    const decoder = new LineDecoder(this.#options);
    return {
      write: (bytes) => {
        this.#acceptOutput(decoder.push(bytes));
        return this.#waitingBytes > this.#options.highWaterBytes ? this.#writing : undefined;
      },
      end: () => this.#acceptOutput(decoder.end()),
    };
  }

  /** Adds a line of AutoBuild's own. The cap does not hold for it, and it is tried also after the disk refused. */
  line(text: string): void {
    const decoder = new LineDecoder(this.#options);
    this.#append(Buffer.concat([decoder.push(Buffer.from(`${text}\n`)), decoder.end()]));
  }

  /** Resolves when all that was added is on the disk, or refused by it. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle.close().catch(() => {}); // Some file systems report a full disk only here; it was reported before.
  }

  #acceptOutput(lines: Buffer): void {
    if (lines.length === 0 || this.#isCapped || this.#hasFailed) return;
    const room = this.#options.maxLogBytes - this.#acceptedBytes;
    if (lines.length <= room) return this.#append(lines);
    this.#isCapped = true;
    const fitting = room <= 0 ? 0 : lines.lastIndexOf(0x0a, room - 1) + 1;
    this.#append(lines.subarray(0, fitting));
    this.line(
      `=== the log has reached its limit of ${this.#options.maxLogBytes} bytes: the build goes on, the rest of its output is dropped`,
    );
  }

  #append(lines: Buffer): void {
    if (lines.length === 0) return;
    this.#waiting.push(lines);
    this.#waitingBytes += lines.length;
    this.#acceptedBytes += lines.length;
    this.#writing ??= this.#writeWaiting();
  }

  async #writeWaiting(): Promise<void> {
    // Lines of the same turn go out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const bytes = Buffer.concat(this.#waiting);
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#handle.appendFile(bytes);
      } catch (error) {
        await this.#fail(error);
        break;
      }
      this.#tail.append(bytes);
      this.#length += bytes.length;
      this.#listener.handleAdvance();
    }
    this.#writing = undefined;
  }

  async #fail(error: unknown): Promise<void> {
    const isFirst = !this.#hasFailed;
    this.#hasFailed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    // A part of the refused bytes may be there: readers must never meet half a line.
    await this.#handle.truncate(this.#length).catch(() => {});
    if (isFirst) this.#listener.handleFailure(error);
  }
}

/** The log's length, made to end in a whole line: a killed server can leave half a line of its last write. */
async function completeLastLine(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  if (size === 0) return 0;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  if (last[0] === 0x0a) return size;
  await handle.appendFile("\n");
  return size + 1;
}
