import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { systemCodeOf } from "../errors.ts";
import { integer, text } from "../store/row.ts";
import { inTransaction } from "../store/transaction.ts";
import {
  blockBytes,
  blockFormat,
  sealedLogsPath,
  sealedLogsVersion,
  sealedTables,
} from "./sealed-tables.ts";

/** What came of sealing a build's files. */
export interface Sealing {
  readonly files: number;
  readonly bytes: number;
  /** What they take now. */
  readonly storedBytes: number;
}

/** Blocks of one transaction, 4 MiB: so much a crash does over, and the journal of SQLite grows by. */
const blocksAtOnce = 16;

/** Pages given back to the disk in one transaction. */
const pagesAtOnce = 2000;

/** Logs, and the indexes of their times: what grows no more when a build has ended. The journal stays. */
const sealedName = /^[a-z0-9.]{1,20}\.(?:log|idx)$/;

/**
 * Moves the files of ended builds into `logs.sqlite`, and removes them from there. Synchronous, so for a thread of
 * its own; one at a time.
 *
 * A file is removed when all of it is on the disk in the database, and was read back from there with the same hash.
 * Whatever ends this before then leaves the file where it is.
 */
export class SealedLogWriter {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** @param maxPages how large the database may become; SQLite's own bound unless it is said */
  constructor(dataDir: string, { maxPages }: { readonly maxPages?: number } = {}) {
    this.#database = new DatabaseSync(sealedLogsPath(dataDir), { timeout: 5000 });
    try {
      this.#prepareDatabase();
      if (maxPages !== undefined) this.#database.exec(`PRAGMA max_page_count = ${maxPages}`);
      this.#statements = prepareStatements(this.#database);
      this.#removeUnfinished();
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Seals what a build's folder has of logs. A folder that is not there has none.
   *
   * A file that changes meanwhile stays as it is: whoever writes to it is not done. Throws what the disk or SQLite
   * said; all files are where they were then.
   */
  seal(buildId: number, folder: string): Sealing {
    const copies: Copy[] = [];
    try {
      // What is lost of a copy in a power failure is made anew: only the last transaction waits for the disk.
      this.#database.exec("PRAGMA synchronous = NORMAL");
      for (const name of namesIn(folder)) {
        const copy = this.#copyFile(buildId, name, path.join(folder, name));
        if (copy !== undefined) copies.push(copy);
      }
      this.#database.exec("PRAGMA synchronous = FULL");
      inTransaction(this.#database, () => {
        for (const copy of copies) this.#finish(buildId, copy);
      });
    } catch (error) {
      this.#tryToRemove(copies);
      throw error;
    }
    for (const { file } of copies) rmSync(file, { force: true });
    return {
      files: copies.length,
      bytes: copies.reduce((sum, { length }) => sum + length, 0),
      storedBytes: copies.reduce((sum, copy) => sum + copy.storedBytes, 0),
    };
  }

  /** The builds that have sealed files. */
  buildIds(): number[] {
    return this.#statements.buildIds.all().map((row) => integer(row, "build_id"));
  }

  /**
   * Writes a build's files back into its folder, and forgets them. Returns how many bytes came back.
   *
   * Throws where a block is damaged; what is sealed stays then.
   */
  unseal(buildId: number, folder: string): number {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    let bytes = 0;
    for (const row of this.#statements.wholeOf.all(buildId)) {
      const name = text(row, "name");
      // A crash between copy and removal: the file has it all.
      if (existsSync(path.join(folder, name))) continue;
      this.#writeBack(integer(row, "id"), path.join(folder, name), text(row, "sha256"));
      bytes += integer(row, "length");
    }
    this.remove(buildId);
    return bytes;
  }

  /** Forgets a build's files, and gives their room back to the disk. */
  remove(buildId: number): void {
    for (const row of this.#statements.idsOf.all(buildId)) this.#removeFile(integer(row, "id"));
    this.#giveBack();
  }

  /** Undefined where the file is gone, or has changed meanwhile. */
  #copyFile(buildId: number, name: string, file: string): Copy | undefined {
    const handle = openIfThere(file);
    if (handle === undefined) return undefined;
    let copy: Copy | undefined;
    try {
      const before = fstatSync(handle);
      copy = { id: 0, name, file, length: 0, sha256: "", storedBytes: 0 };
      this.#copy(buildId, handle, copy);
      const after = fstatSync(handle);
      if (after.size !== copy.length || after.mtimeMs !== before.mtimeMs) {
        this.#removeFile(copy.id);
        return undefined;
      }
      if (this.#hashOf(copy.id) !== copy.sha256)
        throw new Error(
          `expected the copy of ${name} to read as its ${copy.length} bytes, got others`,
        );
      return copy;
    } catch (error) {
      if (copy !== undefined) this.#tryToRemove([copy]);
      throw error;
    } finally {
      closeSync(handle);
    }
  }

  #copy(buildId: number, handle: number, copy: Copy): void {
    const hash = createHash("sha256");
    const block = Buffer.allocUnsafe(blockBytes);
    for (let number = 0, isLast = false; !isLast;) {
      inTransaction(this.#database, () => {
        if (number === 0)
          copy.id = Number(this.#statements.begin.run(buildId, copy.name).lastInsertRowid);
        for (let count = 0; count < blocksAtOnce && !isLast; count++) {
          const part = block.subarray(0, fill(handle, block, copy.length));
          isLast = part.length < blockBytes;
          if (part.length === 0) break;
          hash.update(part);
          const data = zstdCompressSync(part, blockFormat);
          this.#statements.insertBlock.run(copy.id, number++, data);
          copy.length += part.length;
          copy.storedBytes += data.length;
        }
      });
    }
    copy.sha256 = hash.digest("hex");
  }

  /** Shows a copy to readers, who still prefer the file. */
  #finish(buildId: number, { id, name, length, sha256, storedBytes }: Copy): void {
    // An earlier copy, whose file a crash kept from being removed.
    for (const row of this.#statements.wholeIdsNamed.all(buildId, name))
      this.#deleteFile(integer(row, "id"));
    this.#statements.finish.run(length, sha256, storedBytes, id);
  }

  #tryToRemove(copies: readonly Copy[]): void {
    try {
      for (const { id } of copies) this.#removeFile(id);
    } catch {
      // As on a full disk: nobody sees them, and the next writer removes them.
    }
  }

  #writeBack(fileId: number, file: string, sha256: string): void {
    const partial = `${file}.partial`;
    const handle = openSync(partial, "w", 0o600);
    try {
      const hash = createHash("sha256");
      for (const row of this.#statements.blocks.iterate(fileId)) {
        const block = zstdDecompressSync(row["data"] as Uint8Array);
        hash.update(block);
        writeFileSync(handle, block);
      }
      if (hash.digest("hex") !== sha256)
        throw new Error(`expected ${file} to have the hash that it had, got another`);
      fsyncSync(handle);
      renameSync(partial, file);
    } catch (error) {
      rmSync(partial, { force: true });
      throw error;
    } finally {
      closeSync(handle);
    }
  }

  /** Of what the database gives back. */
  #hashOf(fileId: number): string {
    const hash = createHash("sha256");
    for (const row of this.#statements.blocks.iterate(fileId))
      hash.update(zstdDecompressSync(row["data"] as Uint8Array));
    return hash.digest("hex");
  }

  #removeFile(fileId: number): void {
    inTransaction(this.#database, () => this.#deleteFile(fileId));
  }

  #deleteFile(fileId: number): void {
    this.#statements.deleteBlocks.run(fileId);
    this.#statements.deleteFile.run(fileId);
  }

  #removeUnfinished(): void {
    const unfinished = this.#statements.unfinished.all();
    for (const row of unfinished) this.#removeFile(integer(row, "id"));
    if (unfinished.length > 0) this.#giveBack();
  }

  #giveBack(): void {
    for (;;) {
      const free = Number(
        this.#database.prepare("PRAGMA freelist_count").get()?.["freelist_count"],
      );
      if (free === 0) break;
      this.#database.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`);
    }
    // Shortens the file; where somebody reads just now, the next time does it.
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #prepareDatabase(): void {
    const database = this.#database;
    database.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;");
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > sealedLogsVersion)
      throw new Error(
        `expected version ${sealedLogsVersion} of it or older, got ${version}, which a newer AutoBuild wrote`,
      );
    if (version < sealedLogsVersion)
      database.exec(
        `BEGIN IMMEDIATE; ${sealedTables} PRAGMA user_version = ${sealedLogsVersion}; COMMIT;`,
      );
  }
}

/** A file on its way into the database. */
interface Copy {
  id: number;
  readonly name: string;
  readonly file: string;
  length: number;
  sha256: string;
  storedBytes: number;
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter(
      (name) => sealedName.test(name) && lstatSync(path.join(folder, name)).isFile(),
    );
  } catch (error) {
    // Retention came first.
    if (systemCodeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** Reads until the buffer is full or the file has ended. Returns how many bytes came. */
function fill(handle: number, buffer: Buffer, position: number): number {
  let filled = 0;
  while (filled < buffer.length) {
    const bytes = readSync(handle, buffer, filled, buffer.length - filled, position + filled);
    if (bytes === 0) break;
    filled += bytes;
  }
  return filled;
}

function prepareStatements(database: DatabaseSync) {
  return {
    begin: database.prepare("INSERT INTO sealed_file (build_id, name) VALUES (?, ?)"),
    insertBlock: database.prepare(
      "INSERT INTO sealed_block (file_id, number, data) VALUES (?, ?, ?)",
    ),
    blocks: database.prepare("SELECT data FROM sealed_block WHERE file_id = ? ORDER BY number"),
    finish: database.prepare(
      "UPDATE sealed_file SET length = ?, sha256 = ?, stored_bytes = ?, is_whole = 1 WHERE id = ?",
    ),
    wholeIdsNamed: database.prepare(
      "SELECT id FROM sealed_file WHERE build_id = ? AND name = ? AND is_whole = 1",
    ),
    idsOf: database.prepare("SELECT id FROM sealed_file WHERE build_id = ?"),
    buildIds: database.prepare(
      "SELECT DISTINCT build_id FROM sealed_file WHERE is_whole = 1 ORDER BY build_id",
    ),
    wholeOf: database.prepare("SELECT * FROM sealed_file WHERE build_id = ? AND is_whole = 1"),
    unfinished: database.prepare("SELECT id FROM sealed_file WHERE is_whole = 0"),
    deleteBlocks: database.prepare("DELETE FROM sealed_block WHERE file_id = ?"),
    deleteFile: database.prepare("DELETE FROM sealed_file WHERE id = ?"),
  } satisfies Record<string, StatementSync>;
}
