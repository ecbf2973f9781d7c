import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Attempt, StepState } from "../build/build.ts";
import { integer, integerOrNull, text, textOrNull, type Row } from "./row.ts";

export const attemptTable = `
  CREATE TABLE attempt (
    build_id INTEGER NOT NULL REFERENCES build (id),
    position INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'passed', 'failed', 'cancelled')),
    reason TEXT,
    started_ms INTEGER NOT NULL,
    duration_ms INTEGER,
    -- Of its log, known once it has ended.
    log_bytes INTEGER,
    sha256 TEXT,
    PRIMARY KEY (build_id, position, attempt)
  ) STRICT, WITHOUT ROWID;
`;

/** How an attempt ended, as the store takes it. */
export interface AttemptEnd {
  readonly state: StepState;
  readonly reason: string | null;
  readonly durationMs: number;
  readonly logBytes: number;
  readonly sha256: string;
}

/** The attempts of steps, in the database of the store. */
export class Attempts {
  readonly #ofBuild: StatementSync;
  readonly #start: StatementSync;
  readonly #end: StatementSync;
  readonly #endOpen: StatementSync;

  constructor(database: DatabaseSync) {
    this.#ofBuild = database.prepare(
      "SELECT * FROM attempt WHERE build_id = ? ORDER BY position, attempt",
    );
    this.#start = database.prepare(
      "INSERT INTO attempt (build_id, position, attempt, state, started_ms) VALUES (?, ?, ?, 'running', ?) ON CONFLICT DO NOTHING",
    );
    this.#end = database.prepare(
      `UPDATE attempt SET state = ?, reason = ?, duration_ms = ?, log_bytes = ?, sha256 = ?
       WHERE build_id = ? AND position = ? AND attempt = ?`,
    );
    this.#endOpen = database.prepare(
      "UPDATE attempt SET state = 'cancelled' WHERE build_id = ? AND state = 'running'",
    );
  }

  /** By the position of their step, in order. */
  ofBuild(buildId: number): Map<number, Attempt[]> {
    const byPosition = new Map<number, Attempt[]>();
    for (const row of this.#ofBuild.all(buildId)) {
      const position = integer(row, "position");
      const attempts = byPosition.get(position) ?? [];
      attempts.push(attemptOf(row));
      byPosition.set(position, attempts);
    }
    return byPosition;
  }

  start(buildId: number, position: number, attempt: number, startedMs: number): void {
    this.#start.run(buildId, position, attempt, startedMs);
  }

  end(buildId: number, position: number, attempt: number, end: AttemptEnd): void {
    const { state, reason, durationMs, logBytes, sha256 } = end;
    this.#end.run(state, reason, durationMs, logBytes, sha256, buildId, position, attempt);
  }

  /** Of a build that has ended: whatever has no end of its own was cancelled with it. */
  endOpen(buildId: number): void {
    this.#endOpen.run(buildId);
  }
}

function attemptOf(row: Row): Attempt {
  return {
    attempt: integer(row, "attempt"),
    state: text(row, "state") as StepState,
    reason: textOrNull(row, "reason"),
    startedMs: integer(row, "started_ms"),
    durationMs: integerOrNull(row, "duration_ms"),
    logBytes: integerOrNull(row, "log_bytes"),
    sha256: textOrNull(row, "sha256"),
  };
}
