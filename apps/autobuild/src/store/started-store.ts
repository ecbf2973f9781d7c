import type { DatabaseSync, StatementSync } from "node:sqlite";
import { integer } from "./row.ts";

/** A build that was started, and how long its log is: 0 while it runs. */
export interface StartedLog {
  readonly buildId: number;
  readonly bytes: number;
}

/** Logs that follow one another in the console. */
export interface StartedLogs {
  /** How long all logs before them are together. */
  readonly bytesBefore: number;
  readonly logs: readonly StartedLog[];
}

/** Every build that was ever started, in that order: of 100,000 those that somebody asks for. */
export class StartedStore {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  /** The newest, so many at least, and all that were started since the oldest that runs. */
  newest(count: number): StartedLogs {
    const first = integer(this.#statements.first.get(count) ?? {}, "first");
    return {
      bytesBefore: integer(this.#statements.bytesBefore.get(first) ?? {}, "bytes"),
      logs: this.#statements.from.all(first).map(logOf),
    };
  }

  /** Those whose logs have the byte at an offset of all logs together and what follows, at most `limit`. Reads through all. */
  at(offset: number, limit: number): StartedLogs {
    const rows = this.#statements.at.all(offset, limit);
    const [first] = rows;
    return {
      bytesBefore: first === undefined ? offset : integer(first, "before"),
      logs: rows.map(logOf),
    };
  }
}

function logOf(row: Parameters<typeof integer>[0]): StartedLog {
  return { buildId: integer(row, "id"), bytes: integer(row, "log_bytes") };
}

function prepareStatements(database: DatabaseSync) {
  return {
    first: database.prepare(
      `SELECT min(
         coalesce((SELECT min(start_number) FROM build WHERE state = 'running'), 9e15),
         coalesce((SELECT max(start_number) FROM build), 0) - ? + 1) AS first`,
    ),
    bytesBefore: database.prepare(
      "SELECT coalesce(sum(log_bytes), 0) AS bytes FROM build WHERE start_number < ?",
    ),
    from: database.prepare(
      "SELECT id, log_bytes FROM build WHERE start_number >= ? ORDER BY start_number",
    ),
    at: database.prepare(
      `SELECT id, log_bytes, until - log_bytes AS before FROM (
         SELECT id, log_bytes, start_number, sum(log_bytes) OVER (ORDER BY start_number) AS until
         FROM build WHERE start_number IS NOT NULL)
       WHERE until > ? ORDER BY start_number LIMIT ?`,
    ),
  } satisfies Record<string, StatementSync>;
}
