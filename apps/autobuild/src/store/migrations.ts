import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { AutobuildError } from "../errors.ts";
import { accountTables } from "./account-store.ts";
import { addedTables } from "./added-store.ts";
import { attemptTable } from "./attempts.ts";
import { detailTables } from "./detail-store.ts";
import { keptSealed, keptTables, keptTriggers } from "./kept-store.ts";
import { noticeTables } from "./notice-store.ts";
import { originTables } from "./origin-store.ts";
import { overviewTables, stepNeeds } from "./overview-tables.ts";
import { resultTables, savedTable } from "./result-store.ts";
import { secretTables } from "./secret-store.ts";

/** Each entry takes the database from its index to the next `user_version`. Released entries never change. */
const migrations: readonly string[] = [
  `
  CREATE TABLE repository (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
  ) STRICT;

  -- The branches as they were when last looked at; a branch that differs from its row has moved.
  CREATE TABLE head (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    branch TEXT NOT NULL,
    sha TEXT NOT NULL,
    PRIMARY KEY (repository_id, branch)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE build (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    branch TEXT NOT NULL,
    sha TEXT NOT NULL,
    author TEXT NOT NULL,
    subject TEXT NOT NULL,
    committed_ms INTEGER NOT NULL,
    cause TEXT NOT NULL,
    cause_build_id INTEGER REFERENCES build (id),
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'passed', 'failed', 'cancelled', 'lost')),
    reason TEXT,
    queued_ms INTEGER NOT NULL,
    started_ms INTEGER,
    finished_ms INTEGER,
    duration_ms INTEGER,
    -- Numbers the builds in the order in which they started: the order of the console.
    start_number INTEGER UNIQUE,
    -- Marks every process of the build, so that the next server finds those that outlive this one.
    cookie TEXT,
    log_bytes INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX build_of_commit ON build (repository_id, branch, sha);
  CREATE INDEX build_alive ON build (state) WHERE state IN ('queued', 'running');

  CREATE TABLE step (
    build_id INTEGER NOT NULL REFERENCES build (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    command TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'passed', 'failed', 'cancelled', 'skipped')),
    reason TEXT,
    started_ms INTEGER,
    duration_ms INTEGER,
    PRIMARY KEY (build_id, position)
  ) STRICT, WITHOUT ROWID;
  `,
  resultTables,
  overviewTables,
  accountTables,
  secretTables,
  noticeTables,
  keptTables,
  originTables,
  attemptTable,
  keptTriggers,
  stepNeeds,
  addedTables,
  keptSealed,
  detailTables,
  savedTable,
];

const keptCopies = 2;

/**
 * Brings a database up to this version of AutoBuild, or up to an earlier one, each migration in a transaction of
 * its own.
 */
export function migrate(database: DatabaseSync, upTo: number = migrations.length): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    throw new AutobuildError(
      "AUTOBUILD_DATA_DIR_TOO_NEW",
      `Expected a data folder of version ${migrations.length} or older, got version ${version}. ` +
        "A newer AutoBuild wrote it: start that one, or give another --data-dir.",
    );
  }
  if (version > 0 && version < migrations.length) keepCopy(database, version);
  for (const [index, migration] of migrations.entries()) {
    if (index < version || index >= upTo) continue;
    database.exec(`BEGIN IMMEDIATE; ${migration} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}

/**
 * Copies the database beside itself before it is changed, as `autobuild.sqlite.before-v3`: the way back to the
 * AutoBuild that wrote it. The copy of the version before is kept too, older ones are removed.
 */
function keepCopy(database: DatabaseSync, version: number): void {
  const file = database.location();
  if (file === null) return;
  const copy = `${file}.before-v${version}`;
  rmSync(copy, { force: true });
  database.prepare("VACUUM INTO ?").run(copy);
  const copies = readdirSync(path.dirname(file))
    .filter((name) => /^.+\.before-v\d+$/.test(name) && name.startsWith(path.basename(file)))
    .toSorted((left, right) => versionIn(right) - versionIn(left));
  for (const name of copies.slice(keptCopies)) rmSync(path.join(path.dirname(file), name));
}

function versionIn(name: string): number {
  return Number(/\d+$/.exec(name)?.[0]);
}
