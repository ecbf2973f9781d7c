import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { isDiskFull } from "../errors.ts";

/** Who hears of a file that is appended to. */
export interface AppendListener {
  /** Bytes are in the file. Called once per write. */
  handleWritten?(bytes: Buffer): void;
  /** The disk is full. True: there may be room for so many bytes now, so that it is worth another try. */
  makeRoom?(bytes: number): boolean;
  /** The disk refused, once until `resume`. What is appended later is dropped; what was written before stays. */
  handleFailure(error: unknown): void;
}

/** For a log. Short beside the 16 ms after which others are told of it: longer would come on top of those. */
export const logGatherMs = 4;
/** So much is not waited with: it is worth a write. */
const gatheredBytes = 256 * 1024;

/**
 * A file that grows: what is appended waits in memory, for one write at a time.
 *
 * One that gathers writes what comes after a silence at once, and what follows in the next `gatherMs` together: a flood
 * comes in a million small pieces, and a write of each costs more than all else that is done with it.
 *
 * `length` grows only after a write has succeeded, so what a reader has seen is in the file, also after
 * this process was killed. The one who appends keeps memory bounded by waiting when it is asked to.
 */
export class AppendFile {
  readonly #handle: FileHandle;
  readonly #highWaterBytes: number;
  readonly #gatherMs: number;
  readonly #listener: AppendListener;
  #length: number;
  #acceptedLength: number;
  #hasFailed = false;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** Who was asked to send no more. */
  #room: PromiseWithResolvers<void> | undefined;
  /** When the last write began. */
  #writtenMs = -Infinity;
  #flushes = 0;
  #endGathering = (): void => {};

  private constructor(
    handle: FileHandle,
    length: number,
    highWaterBytes: number,
    listener: AppendListener,
    gatherMs: number,
  ) {
    this.#gatherMs = gatherMs;
    this.#handle = handle;
    this.#length = this.#acceptedLength = length;
    this.#highWaterBytes = highWaterBytes;
    this.#listener = listener;
  }

  /**
   * Opens a file to begin it or to add to it. Waiting for more than `highWaterBytes` is asked for by a promise.
   * Writes begin at least `gatherMs` apart, unless there is much to write or somebody waits for it.
   */
  static async open(
    file: string,
    highWaterBytes: number,
    listener: AppendListener,
    gatherMs = 0,
  ): Promise<AppendFile> {
    const handle = await open(
      file,
      constants.O_RDWR | constants.O_CREAT | constants.O_APPEND,
      0o600,
    );
    try {
      return new AppendFile(handle, (await handle.stat()).size, highWaterBytes, listener, gatherMs);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** How much is in the file. */
  get length(): number {
    return this.#length;
  }

  /** Where the next bytes will be, once everything that waits is written. */
  get acceptedLength(): number {
    return this.#acceptedLength;
  }

  /** Takes bytes, which nobody may change afterwards. A promise asks to send no more until it resolves; it never rejects. */
  append(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length === 0 || this.#hasFailed) return undefined;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#acceptedLength += bytes.length;
    this.#writing ??= this.#writeWaiting();
    if (!this.#isPatient) this.#endGathering();
    if (this.#waitingBytes <= this.#highWaterBytes) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Takes bytes again after the disk has refused some: it may have room by now. */
  resume(): void {
    this.#hasFailed = false;
  }

  /** Resolves when all that was appended is in the file, or was refused. */
  async flush(): Promise<void> {
    this.#flushes += 1;
    this.#endGathering();
    while (this.#writing !== undefined) await this.#writing;
    this.#flushes -= 1;
  }

  /** Resolves when all that was appended outlives a power failure, as far as the disk is honest. */
  async sync(): Promise<void> {
    await this.flush();
    await this.#handle.datasync().catch((error: unknown) => this.#fail(error));
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle.close().catch(() => {}); // Some file systems report a full disk only here; `sync` has told by then.
  }

  async #writeWaiting(): Promise<void> {
    // What is appended in the same turn goes out together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#gather();
      this.#writtenMs = performance.now();
      const bytes = Buffer.concat(this.#waiting);
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#write(bytes);
      } catch (error) {
        await this.#fail(error);
        break;
      }
      this.#length += bytes.length;
      this.#listener.handleWritten?.(bytes);
      if (this.#waitingBytes <= this.#highWaterBytes) this.#giveRoom();
    }
    this.#writing = undefined;
    this.#giveRoom();
  }

  #giveRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Whether more may come before there is a write. */
  get #isPatient(): boolean {
    return (
      this.#flushes === 0 &&
      this.#waitingBytes < gatheredBytes &&
      this.#waitingBytes <= this.#highWaterBytes
    );
  }

  async #gather(): Promise<void> {
    const waitMs = this.#writtenMs + this.#gatherMs - performance.now();
    if (waitMs <= 0 || !this.#isPatient) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#endGathering = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endGathering = () => {};
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (;;) {
      try {
        return await this.#handle.appendFile(bytes);
      } catch (error) {
        if (!isDiskFull(error) || this.#listener.makeRoom?.(bytes.length) !== true) throw error;
        // A part of them may be there.
        await this.#handle.truncate(this.#length);
      }
    }
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#acceptedLength = this.#length;
    // A part of the refused bytes may be there: nobody has been told of it.
    await this.#handle.truncate(this.#length).catch(() => {});
    this.#listener.handleFailure(error);
  }
}
