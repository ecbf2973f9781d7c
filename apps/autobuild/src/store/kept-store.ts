import type { DatabaseSync, StatementSync } from "node:sqlite";
import { integer } from "./row.ts";

/** What of a build takes room on the disk. */
export type KeptKind = "log" | "artifacts";

/** The migration that makes its table. Never changes: what comes later is another migration. */
export const keptTables = `
  -- What the disk still holds of builds that ended.
  CREATE TABLE kept (
    kind TEXT NOT NULL CHECK (kind IN ('log', 'artifacts')),
    build_id INTEGER NOT NULL REFERENCES build (id),
    bytes INTEGER NOT NULL,
    PRIMARY KEY (kind, build_id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO kept SELECT 'log', id, log_bytes FROM build WHERE finished_ms IS NOT NULL AND start_number IS NOT NULL;
`;

/** What a build printed takes room from the transaction on in which it ends. Never changes. */
export const keptTriggers = `
  CREATE TRIGGER kept_log AFTER UPDATE OF finished_ms ON build
  WHEN new.finished_ms IS NOT NULL AND old.finished_ms IS NULL AND new.start_number IS NOT NULL
  BEGIN
    INSERT INTO kept (kind, build_id, bytes) VALUES ('log', new.id, new.log_bytes) ON CONFLICT DO NOTHING;
  END;
`;

/** When a build's logs were sealed (ADR 0034); null while they are files. Never changes. */
export const keptSealed = `
  ALTER TABLE kept ADD COLUMN sealed_ms INTEGER;
  CREATE INDEX kept_unsealed ON kept (build_id) WHERE kind = 'log' AND sealed_ms IS NULL;
`;

/** How long things are kept. Whatever the bounds say, the newest build of a branch that passed, and that failed, keeps its own. */
export interface KeepBounds {
  /** Older ones go. */
  readonly maxAgeMs: number;
  /** Of each branch, older ones go. */
  readonly maxPerBranch: number;
  /** In all: the oldest go until the rest fits. */
  readonly maxBytes: number;
}

/** Knows what the disk holds of each build, and what of it may go. */
export class KeptStore {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  add(kind: KeptKind, buildId: number, bytes: number): void {
    this.#statements.add.run(kind, buildId, bytes);
  }

  remove(kind: KeptKind, buildId: number): void {
    this.#statements.remove.run(kind, buildId);
  }

  has(kind: KeptKind, buildId: number): boolean {
    return this.#statements.has.get(kind, buildId) !== undefined;
  }

  bytes(kind: KeptKind): number {
    return integer(this.#statements.bytes.get(kind) ?? {}, "bytes");
  }

  /** Builds that ended before then and whose logs are files, in their order after `afterId`. */
  unsealed(endedBeforeMs: number, afterId: number, limit: number): number[] {
    return this.#statements.unsealed
      .all(afterId, endedBeforeMs, limit)
      .map((row) => integer(row, "build_id"));
  }

  /** Notes that a build's logs are sealed, and what they take now. Nothing where retention came first. */
  seal(buildId: number, bytes: number, sealedMs: number): void {
    this.#statements.seal.run(bytes, sealedMs, buildId);
  }

  /** Notes that a build's logs are files again, and what they take. */
  unseal(buildId: number, bytes: number): void {
    this.#statements.seal.run(bytes, null, buildId);
  }

  /** The builds whose things go, the oldest first. */
  superfluous(
    kind: KeptKind,
    { maxAgeMs, maxPerBranch, maxBytes }: KeepBounds,
    nowMs: number,
  ): number[] {
    return this.#statements.superfluous
      .all({ kind, before: nowMs - maxAgeMs, maxPerBranch, maxBytes })
      .map((row) => integer(row, "id"));
  }
}

function prepareStatements(database: DatabaseSync) {
  return {
    add: database.prepare(
      "INSERT INTO kept (kind, build_id, bytes) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes",
    ),
    remove: database.prepare("DELETE FROM kept WHERE kind = ? AND build_id = ?"),
    has: database.prepare("SELECT 1 FROM kept WHERE kind = ? AND build_id = ?"),
    bytes: database.prepare("SELECT coalesce(sum(bytes), 0) AS bytes FROM kept WHERE kind = ?"),
    unsealed: database.prepare(
      `SELECT build_id FROM kept JOIN build ON build.id = build_id
       WHERE kind = 'log' AND sealed_ms IS NULL AND build_id > ? AND finished_ms <= ? ORDER BY build_id LIMIT ?`,
    ),
    seal: database.prepare(
      "UPDATE kept SET bytes = ?, sealed_ms = ? WHERE kind = 'log' AND build_id = ?",
    ),
    superfluous: database.prepare(
      `WITH ranked AS (
         SELECT build.id, finished_ms, bytes, state,
           row_number() OVER (PARTITION BY repository_id, branch ORDER BY build.id DESC) AS place,
           row_number() OVER (PARTITION BY repository_id, branch, state ORDER BY build.id DESC) AS place_of_state
         FROM kept JOIN build ON build.id = build_id
         -- What is still being settled is nothing old, whatever it holds.
         WHERE kind = $kind AND finished_ms IS NOT NULL
       ), free AS (
         SELECT *, place > $maxPerBranch OR finished_ms < $before AS is_due FROM ranked
         WHERE NOT (state IN ('passed', 'failed') AND place_of_state = 1)
       ), counted AS (
         -- What stays in any case, and then from the newest down.
         SELECT *, (SELECT coalesce(sum(bytes), 0) FROM ranked WHERE state IN ('passed', 'failed') AND place_of_state = 1)
           + sum(iif(is_due, 0, bytes)) OVER (ORDER BY id DESC) AS bytes_to_here FROM free
       )
       SELECT id FROM counted WHERE is_due OR bytes_to_here > $maxBytes ORDER BY id`,
    ),
  } satisfies Record<string, StatementSync>;
}
