import { existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { messageOf } from "../errors.ts";
import { integer, text } from "../store/row.ts";
import { blockBytes, sealedLogsFile, sealedLogsPath, sealedLogsVersion } from "./sealed-tables.ts";

const decompress = promisify(zstdDecompress);

/** What a sealed file is. */
export interface SealedFile {
  readonly id: number;
  readonly length: number;
  /** In hexadecimal, of all of it. */
  readonly sha256: string;
}

/** Blocks that are decompressed at once, and held for who reads on: a megabyte. */
const blocksAtOnce = 4;

/** So long at most blocks are held. */
const forgetMs = 10_000;

/**
 * The files of builds that ended a while ago, compressed: read like the files that they were.
 *
 * A read takes the blocks that it touches and no others. In place of a block that is damaged come as many bytes
 * that say so, and all offsets stay what they were. This only reads; `SealedLogWriter` writes, elsewhere.
 */
export class SealedLogs {
  readonly #file: string;
  readonly #handleProblem: (message: string, error: unknown) => void;
  #open: { database: DatabaseSync; statements: Statements } | undefined;
  /** Blocks that were read last, by the hash of their file and their number; the last one is the last. */
  readonly #recent = new Map<string, Buffer>();
  #forget: NodeJS.Timeout | undefined;
  /** What was told: each once. */
  readonly #told = new Set<string>();

  /** `handleProblem` is told once of a database that cannot be read, and once of each file that is damaged. */
  constructor(dataDir: string, handleProblem: (message: string, error: unknown) => void) {
    this.#file = sealedLogsPath(dataDir);
    this.#handleProblem = handleProblem;
  }

  close(): void {
    clearTimeout(this.#forget);
    this.#open?.database.close();
    this.#open = undefined;
  }

  find(buildId: number, name: string): SealedFile | undefined {
    return this.#ask((statements) => {
      const row = statements.find.get(buildId, name);
      return row === undefined
        ? undefined
        : { id: integer(row, "id"), length: integer(row, "length"), sha256: text(row, "sha256") };
    });
  }

  /** What a build's sealed files take, compressed. */
  storedBytesOf(buildId: number): number {
    return (
      this.#ask(({ storedBytesOf }) => integer(storedBytesOf.get(buildId) ?? {}, "bytes")) ?? 0
    );
  }

  /** Whether there is a database of them, readable or not. */
  isThere(): boolean {
    return existsSync(this.#file);
  }

  /** Bytes of a sealed file from an offset on; fewer where it ends. Undefined where there is no such file. */
  async read(
    buildId: number,
    name: string,
    from: number,
    length: number,
  ): Promise<Buffer | undefined> {
    const file = this.find(buildId, name);
    if (file === undefined) return undefined;
    const end = Math.min(from + length, file.length);
    if (from >= end) return Buffer.alloc(0);
    const result = Buffer.allocUnsafe(end - from);
    const last = Math.floor((end - 1) / blockBytes);
    for (let first = Math.floor(from / blockBytes); first <= last; first += blocksAtOnce) {
      const numbers = range(first, Math.min(last, first + blocksAtOnce - 1));
      const blocks = await Promise.all(
        numbers.map((number) => this.#block(buildId, name, file, number)),
      );
      for (const [index, block] of blocks.entries()) {
        const start = (first + index) * blockBytes;
        block.copy(result, Math.max(0, start - from), Math.max(0, from - start), end - start);
      }
    }
    return result;
  }

  async #block(buildId: number, name: string, file: SealedFile, number: number): Promise<Buffer> {
    const length = Math.min(blockBytes, file.length - number * blockBytes);
    const key = `${file.sha256}/${number}`;
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent;
    try {
      // Not by #ask: a page that SQLite finds damaged costs this block, and not the database.
      const row = this.#open?.statements.block.get(file.id, number);
      if (row === undefined) throw new Error("it is not there");
      const block = await decompress(row["data"] as Uint8Array, { maxOutputLength: blockBytes });
      if (block.length !== length)
        throw new Error(`it has ${block.length} bytes instead of ${length}`);
      this.#keep(key, block);
      return block;
    } catch (error) {
      this.#tell(
        `The log ${name} of build ${buildId} is damaged in ${sealedLogsFile}, at byte ${number * blockBytes}: ${messageOf(error)}. ` +
          "The rest of it can be read. A backup may have it whole.",
        error,
      );
      return damaged(length);
    }
  }

  /** Who reads a log, reads on: a search and a viewer take a block in several pieces. */
  #keep(key: string, block: Buffer): void {
    this.#recent.set(key, block);
    for (const oldest of this.#recent.keys()) {
      if (this.#recent.size <= blocksAtOnce) break;
      this.#recent.delete(oldest);
    }
    this.#forget ??= setTimeout(() => {
      this.#forget = undefined;
      this.#recent.clear();
    }, forgetMs).unref();
  }

  #ask<Answer>(question: (statements: Statements) => Answer): Answer | undefined {
    try {
      if (this.#open === undefined) {
        if (!this.isThere()) return undefined;
        this.#open = open(this.#file);
      }
      return question(this.#open.statements);
    } catch (error) {
      this.#tell(
        `Sealed logs cannot be read from ${this.#file}: ${messageOf(error)}. They are shown as empty. ` +
          "Put the file of a backup in its place while AutoBuild is stopped, or move it away.",
        error,
      );
      return undefined;
    }
  }

  #tell(message: string, error: unknown): void {
    if (this.#told.has(message) || this.#told.size >= maxTold) return;
    this.#told.add(message);
    this.#handleProblem(message, error);
  }
}

/** Sentences about damage past this number say nothing new. */
const maxTold = 1000;

/** The fewest pages that SQLite keeps: what is read here is read once. */
const cacheKibibytes = 256;

interface Statements {
  readonly find: StatementSync;
  readonly block: StatementSync;
  readonly storedBytesOf: StatementSync;
}

function open(file: string): { database: DatabaseSync; statements: Statements } {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > sealedLogsVersion)
      throw new Error(
        `expected version ${sealedLogsVersion} of it or older, got ${version}, which a newer AutoBuild wrote`,
      );
    database.exec(`PRAGMA cache_size = -${cacheKibibytes}`);
    const statements = {
      find: database.prepare(
        "SELECT id, length, sha256 FROM sealed_file WHERE build_id = ? AND name = ? AND is_whole = 1",
      ),
      block: database.prepare("SELECT data FROM sealed_block WHERE file_id = ? AND number = ?"),
      storedBytesOf: database.prepare(
        "SELECT coalesce(sum(stored_bytes), 0) AS bytes FROM sealed_file WHERE build_id = ? AND is_whole = 1",
      ),
    };
    return { database, statements };
  } catch (error) {
    database.close();
    throw error;
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** As many bytes as a block had, that say what became of it, in a line of their own. */
function damaged(length: number): Buffer {
  const sentence = `\n=== ${length} bytes of this log are damaged in ${sealedLogsFile}, and cannot be shown`;
  const bytes = Buffer.alloc(length, " ");
  bytes.write(sentence);
  bytes.write("\n", length - 1);
  return bytes;
}
