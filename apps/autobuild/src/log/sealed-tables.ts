import path from "node:path";
import { constants, type ZstdOptions } from "node:zlib";

/** The file in the data folder. Apart from the builds' own, which so stays small and quick to copy. */
export const sealedLogsFile = "logs.sqlite";

/** Its `user_version`. */
export const sealedLogsVersion = 1;

/** What is compressed by itself: a byte of a file is in its block number `floor(offset / blockBytes)`. Never changes. */
export const blockBytes = 256 * 1024;

/** The format of a block (ADR 0034): with a checksum, so that a damaged one is found out. */
export const blockFormat: ZstdOptions = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 6,
    [constants.ZSTD_c_checksumFlag]: 1,
  },
};

export const sealedTables = `
  CREATE TABLE sealed_file (
    -- Never given again: a reader that is at a removed file finds nothing, and not another one.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    build_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    length INTEGER NOT NULL DEFAULT 0,
    -- In hexadecimal, of all of it.
    sha256 TEXT NOT NULL DEFAULT '',
    -- What its blocks take, compressed.
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    -- 0 while it is copied here. Readers see no such file, and what a crash left of one is removed.
    is_whole INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX sealed_file_of_build ON sealed_file (build_id, name) WHERE is_whole = 1;

  CREATE TABLE sealed_block (
    file_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (file_id, number)
  ) STRICT;
`;

export function sealedLogsPath(dataDir: string): string {
  return path.join(dataDir, sealedLogsFile);
}
