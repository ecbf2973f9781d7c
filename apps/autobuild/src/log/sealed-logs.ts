import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { integer, text } from "../store/row.ts";

/** The file in the data folder. Apart from the builds' own, which so stays small and quick to copy. */
export const sealedLogsFile = "logs.sqlite";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What a read takes off the disk at once, uncompressed. */
const blockBytes = 64 * 1024;

/** What a sealed file is. */
export interface SealedFile {
  readonly length: number;
  /** In hexadecimal, of all of it. */
  readonly sha256: string;
}

const schema = `
  CREATE TABLE IF NOT EXISTS sealed_file (
    id INTEGER PRIMARY KEY,
    build_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    length INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    stored_bytes INTEGER NOT NULL,
    UNIQUE (build_id, name)
  ) STRICT;

  -- Compressed each by itself, so that a read takes one or two of them.
  CREATE TABLE IF NOT EXISTS sealed_block (
    file_id INTEGER NOT NULL REFERENCES sealed_file (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (file_id, number)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * The files of builds that have ended, compressed: a file with the same name and bytes for every one of
 * them, a tenth as large.
 *
 * A log that grows is a plain file, which readers can follow and a crash cannot hurt. Once it grows no more it
 * is sealed: copied here in blocks of 64 KiB, and the file is removed when all of it is stored.
 */
export class SealedLogs {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(dataDir: string) {
    this.#database = new DatabaseSync(path.join(dataDir, sealedLogsFile), { timeout: 5000 });
    this.#database.exec(
      `PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
       PRAGMA foreign_keys = ON; ${schema}`,
    );
    this.#statements = prepareStatements(this.#database);
  }

  close(): void {
    this.#database.close();
  }

  find(buildId: number, name: string): SealedFile | undefined {
    const row = this.#statements.find.get(buildId, name);
    return row === undefined
      ? undefined
      : { length: integer(row, "length"), sha256: text(row, "sha256") };
  }

  /** The names of a build's sealed files. */
  names(buildId: number): string[] {
    return this.#statements.names.all(buildId).map((row) => text(row, "name"));
  }

  /** What all sealed files take, compressed. */
  storedBytes(): number {
    return integer(this.#statements.storedBytes.get() ?? {}, "bytes");
  }

  /** What a build's sealed files take, compressed. */
  storedBytesOf(buildId: number): number {
    return integer(this.#statements.storedBytesOf.get(buildId) ?? {}, "bytes");
  }

  /**
   * Stores a file that grows no more, under that name. The file stays where it is.
   *
   * In place of what was stored under the name before: what a crash left of an earlier try is never seen.
   */
  async seal(buildId: number, name: string, file: string): Promise<SealedFile> {
    const handle = await open(file);
    try {
      const hash = createHash("sha256");
      const blocks: Buffer[] = [];
      const block = Buffer.allocUnsafe(blockBytes);
      let length = 0;
      let storedBytes = 0;
      const fileId = this.#begin(buildId, name);
      for (let number = 0; ;) {
        const bytes = await fill(handle, block, length);
        if (bytes > 0) {
          const part = block.subarray(0, bytes);
          hash.update(part);
          const data = await compress(part, {
            params: { [constants.ZSTD_c_compressionLevel]: 6 },
          });
          blocks.push(data);
          length += bytes;
          storedBytes += data.length;
        }
        const isLast = bytes < blockBytes;
        if (blocks.length === blocksAtOnce || isLast) {
          this.#store(fileId, number, blocks);
          number += blocks.length;
          blocks.length = 0;
        }
        if (isLast) break;
      }
      const sha256 = hash.digest("hex");
      this.#statements.finish.run(name, length, sha256, storedBytes, fileId);
      return { length, sha256 };
    } finally {
      await handle.close();
    }
  }

  /** Bytes of a sealed file from an offset on; empty at its end, undefined where there is no such file. */
  async read(
    buildId: number,
    name: string,
    from: number,
    maxBytes: number,
  ): Promise<Buffer | undefined> {
    const row = this.#statements.find.get(buildId, name);
    if (row === undefined) return undefined;
    const end = Math.min(from + maxBytes, integer(row, "length"));
    if (from >= end) return Buffer.alloc(0);
    const first = Math.floor(from / blockBytes);
    const last = Math.floor((end - 1) / blockBytes);
    const rows = this.#statements.blocks.all(integer(row, "id"), first, last);
    const blocks = await Promise.all(rows.map(({ data }) => decompress(data as Uint8Array)));
    const start = first * blockBytes;
    return Buffer.concat(blocks).subarray(from - start, end - start);
  }

  /** Forgets a build's files, and gives their room back to the disk. */
  remove(buildId: number): void {
    this.#statements.remove.run(buildId);
    this.#database.exec("PRAGMA incremental_vacuum(1000)");
  }

  /** A file under a name that no reader asks for, until all of it is there. */
  #begin(buildId: number, name: string): number {
    const unfinished = `${name} (unfinished)`;
    this.#statements.removeNamed.run(buildId, unfinished);
    return Number(this.#statements.begin.run(buildId, unfinished).lastInsertRowid);
  }

  #store(fileId: number, from: number, blocks: readonly Buffer[]): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const [index, data] of blocks.entries())
        this.#statements.insertBlock.run(fileId, from + index, data);
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** Blocks of one transaction: a megabyte, so that nobody waits long for it. */
const blocksAtOnce = 16;

/** Reads until the buffer is full or the file has ended. */
async function fill(
  handle: Awaited<ReturnType<typeof open>>,
  buffer: Buffer,
  position: number,
): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(
      buffer,
      filled,
      buffer.length - filled,
      position + filled,
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

function prepareStatements(database: DatabaseSync) {
  return {
    find: database.prepare("SELECT * FROM sealed_file WHERE build_id = ? AND name = ?"),
    names: database.prepare(
      "SELECT name FROM sealed_file WHERE build_id = ? AND sha256 <> '' ORDER BY name",
    ),
    storedBytes: database.prepare(
      "SELECT coalesce(sum(stored_bytes), 0) AS bytes FROM sealed_file",
    ),
    storedBytesOf: database.prepare(
      "SELECT coalesce(sum(stored_bytes), 0) AS bytes FROM sealed_file WHERE build_id = ?",
    ),
    begin: database.prepare(
      "INSERT INTO sealed_file (build_id, name, length, sha256, stored_bytes) VALUES (?, ?, 0, '', 0)",
    ),
    finish: database.prepare(
      `UPDATE OR REPLACE sealed_file SET name = ?, length = ?, sha256 = ?, stored_bytes = ? WHERE id = ?`,
    ),
    insertBlock: database.prepare(
      "INSERT INTO sealed_block (file_id, number, data) VALUES (?, ?, ?)",
    ),
    blocks: database.prepare(
      "SELECT data FROM sealed_block WHERE file_id = ? AND number BETWEEN ? AND ? ORDER BY number",
    ),
    remove: database.prepare("DELETE FROM sealed_file WHERE build_id = ?"),
    removeNamed: database.prepare("DELETE FROM sealed_file WHERE build_id = ? AND name = ?"),
  } satisfies Record<string, StatementSync>;
}
