import type { DatabaseSync, StatementSync } from "node:sqlite";
import { manualOrigin, type BuildOrigin } from "../build/origin.ts";
import type { BuildEvent } from "../plan/when.ts";
import { integer, text, textOrNull } from "./row.ts";

/** The migration for what led to builds, and for the times at which time tables were kept. Never changes. */
export const originTables = `
  CREATE TABLE build_origin (
    build_id INTEGER PRIMARY KEY REFERENCES build (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    base_sha TEXT,
    is_default INTEGER NOT NULL,
    is_trusted INTEGER NOT NULL,
    is_supersedable INTEGER NOT NULL,
    -- The newer build that this one was cancelled for: its commit does not count as built.
    superseded_by INTEGER
  ) STRICT;

  -- What repeats a build comes from where that one came from: a fork's code stays a fork's.
  CREATE TRIGGER build_origin_repeated AFTER INSERT ON build WHEN new.cause_build_id IS NOT NULL BEGIN
    INSERT INTO build_origin
      SELECT new.id, event, base_sha, is_default, is_trusted, is_supersedable AND new.cause = 'requeue', NULL
      FROM build_origin WHERE build_id = new.cause_build_id;
  END;

  CREATE TABLE cron_run (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    schedule TEXT NOT NULL,
    -- The time in the table, not the time at which it was kept.
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (repository_id, schedule)
  ) STRICT, WITHOUT ROWID;
`;

/** What led to each build. Builds from before there was such a record count as asked for by hand. */
export class OriginStore {
  readonly #statements: Record<
    "save" | "find" | "supersede" | "overtakes" | "lastBuilt" | "cronRun" | "saveCronRun",
    StatementSync
  >;

  /** @param database from `openDatabase` */
  constructor(database: DatabaseSync) {
    this.#statements = {
      save: database.prepare("INSERT OR REPLACE INTO build_origin VALUES (?, ?, ?, ?, ?, ?, NULL)"),
      find: database.prepare("SELECT * FROM build_origin WHERE build_id = ?"),
      supersede: database.prepare("UPDATE build_origin SET superseded_by = ? WHERE build_id = ?"),
      overtakes: database.prepare(
        "SELECT count(*) AS count FROM build WHERE id > ? AND start_number IS NOT NULL",
      ),
      lastBuilt: database.prepare(
        `SELECT sha FROM build WHERE repository_id = ? AND branch = ? AND state IN ('passed', 'failed')
           ORDER BY id DESC LIMIT 1`,
      ),
      cronRun: database.prepare(
        "SELECT due_ms FROM cron_run WHERE repository_id = ? AND schedule = ?",
      ),
      saveCronRun: database.prepare("INSERT OR REPLACE INTO cron_run VALUES (?, ?, ?)"),
    };
  }

  save(buildId: number, origin: BuildOrigin): void {
    const { event, baseSha, isDefault, isTrusted, isSupersedable } = origin;
    const flags = [isDefault, isTrusted, isSupersedable].map(Number);
    this.#statements.save.run(buildId, event, baseSha, ...flags);
  }

  of(buildId: number): BuildOrigin {
    const row = this.#statements.find.get(buildId);
    if (row === undefined) return manualOrigin;
    return {
      event: text(row, "event") as BuildEvent,
      baseSha: textOrNull(row, "base_sha"),
      isDefault: integer(row, "is_default") === 1,
      isTrusted: integer(row, "is_trusted") === 1,
      isSupersedable: integer(row, "is_supersedable") === 1,
    };
  }

  /** Writes down that a build is cancelled for a newer one, so that its commit is built should the branch come back to it. */
  supersede(buildId: number, newerId: number): void {
    this.#statements.supersede.run(newerId, buildId);
  }

  /** How many builds that came later than this one have started. */
  overtakes(buildId: number): number {
    return Number(this.#statements.overtakes.get(buildId)?.["count"] ?? 0);
  }

  /** The commit of the newest build of a branch that came to an end by itself. */
  lastBuilt(repositoryId: number, branch: string): string | null {
    const row = this.#statements.lastBuilt.get(repositoryId, branch);
    return row === undefined ? null : text(row, "sha");
  }

  /** Up to when the times of a table are kept (in `due_ms`); undefined before the first. */
  cronRun(repositoryId: number, schedule: string): number | undefined {
    const row = this.#statements.cronRun.get(repositoryId, schedule);
    return row === undefined ? undefined : integer(row, "due_ms");
  }

  saveCronRun(repositoryId: number, schedule: string, untilMs: number): void {
    this.#statements.saveCronRun.run(repositoryId, schedule, untilMs);
  }
}
