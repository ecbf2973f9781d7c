import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Verdict } from "../notify/verdict.ts";
import { integer, integerOrNull, text, type Row } from "./row.ts";
import { inTransaction } from "./transaction.ts";

/** What of a build is told: that it runs, or how it ended. */
export type Moment = "started" | "ended";

/** Something that a target is still to be told. */
export interface WaitingNotice {
  readonly id: number;
  readonly buildId: number;
  readonly moment: Moment;
  readonly verdict: Verdict;
  /** Tries so far. */
  readonly attempts: number;
  readonly createdMs: number;
  readonly dueMs: number;
}

/** The migration that makes its tables. Never changes: what comes later is another migration. */
export const noticeTables = `
  CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    build_id INTEGER NOT NULL REFERENCES build (id),
    moment TEXT NOT NULL CHECK (moment IN ('started', 'ended')),
    verdict TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    UNIQUE (target, build_id, moment)
  ) STRICT;
  CREATE INDEX notice_of_target ON notice (target, id);

  -- Builds whose end has been looked at, so that one which ended as the server died is looked at once more.
  CREATE TABLE noticed (build_id INTEGER PRIMARY KEY REFERENCES build (id)) STRICT;
  INSERT INTO noticed SELECT id FROM build WHERE state NOT IN ('queued', 'running');
`;

/** What is still to be told, durably: it outlives the server and the receiver's bad hours. */
export class NoticeStore {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepareStatements(database);
  }

  /** Puts down who is to be told of a build's start. Of builds that are told already, nothing. */
  addStart(buildId: number, targets: readonly string[], nowMs: number): void {
    for (const target of targets)
      this.#statements.insert.run(target, buildId, "started", "none", nowMs, nowMs);
  }

  /** Puts down who is to be told how a build ended, once. False: that was done before. */
  addEnd(buildId: number, targets: readonly string[], verdict: Verdict, nowMs: number): boolean {
    return inTransaction(this.#database, () => {
      const isNew = this.#statements.markNoticed.run(buildId).changes === 1;
      if (isNew) {
        this.#statements.dropStarts.run(buildId);
        for (const target of targets)
          this.#statements.insert.run(target, buildId, "ended", verdict, nowMs, nowMs);
      }
      return isNew;
    });
  }

  /** Builds that ended and were not looked at: the server died in between. */
  missed(): number[] {
    return this.#statements.missed.all().map((row) => integer(row, "id"));
  }

  /** The number of the build before that one on its branch that passed or failed. */
  before(buildId: number): number | undefined {
    const row = this.#statements.before.get({ buildId });
    return row === undefined ? undefined : integer(row, "id");
  }

  /** What a target is to be told first. */
  first(target: string): WaitingNotice | undefined {
    const row = this.#statements.first.get(target);
    return row === undefined ? undefined : noticeOf(row);
  }

  count(target: string): number {
    return integer(this.#statements.count.get(target) ?? {}, "count");
  }

  remove(id: number): void {
    this.#statements.remove.run(id);
  }

  putOff(id: number, dueMs: number): void {
    this.#statements.putOff.run(dueMs, id);
  }

  /** Removes what waits for targets that there are no more. */
  keepOnly(targets: readonly string[]): void {
    this.#statements.keepOnly.run(JSON.stringify(targets));
  }
}

function noticeOf(row: Row): WaitingNotice {
  return {
    id: integer(row, "id"),
    buildId: integer(row, "build_id"),
    moment: text(row, "moment") as Moment,
    verdict: text(row, "verdict") as Verdict,
    attempts: integer(row, "attempts"),
    createdMs: integer(row, "created_ms"),
    dueMs: integerOrNull(row, "due_ms") ?? 0,
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    insert: database.prepare(
      `INSERT INTO notice (target, build_id, moment, verdict, created_ms, due_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ),
    markNoticed: database.prepare(
      "INSERT INTO noticed (build_id) VALUES (?) ON CONFLICT DO NOTHING",
    ),
    // A start that nobody took in time says nothing once the build has ended.
    dropStarts: database.prepare("DELETE FROM notice WHERE build_id = ? AND moment = 'started'"),
    missed: database.prepare(
      `SELECT id FROM build WHERE state NOT IN ('queued', 'running')
       AND NOT EXISTS (SELECT 1 FROM noticed WHERE build_id = build.id) ORDER BY id`,
    ),
    before: database.prepare(
      `SELECT older.id FROM build JOIN build AS older USING (repository_id, branch)
       WHERE build.id = $buildId AND older.id < $buildId AND older.state IN ('passed', 'failed')
       ORDER BY older.id DESC LIMIT 1`,
    ),
    first: database.prepare("SELECT * FROM notice WHERE target = ? ORDER BY id LIMIT 1"),
    count: database.prepare("SELECT count(*) AS count FROM notice WHERE target = ?"),
    remove: database.prepare("DELETE FROM notice WHERE id = ?"),
    putOff: database.prepare("UPDATE notice SET attempts = attempts + 1, due_ms = ? WHERE id = ?"),
    keepOnly: database.prepare(
      "DELETE FROM notice WHERE target NOT IN (SELECT value FROM json_each(?))",
    ),
  } satisfies Record<string, StatementSync>;
}
