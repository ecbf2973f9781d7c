import type { DatabaseSync, StatementSync } from "node:sqlite";
import { text } from "./row.ts";

/** The migration that makes its table. Never changes: what comes later is another migration. */
export const addedTables = `
  -- What was added to a server that runs, besides the repositories that it was started with.
  CREATE TABLE added_repository (
    location TEXT PRIMARY KEY,
    added_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `;

/** Paths and URLs of repositories that were added while the server ran. */
export class AddedStore {
  readonly #statements: Record<"all" | "add" | "remove", StatementSync>;

  constructor(database: DatabaseSync) {
    this.#statements = {
      all: database.prepare("SELECT location FROM added_repository ORDER BY added_ms, location"),
      add: database.prepare(
        "INSERT INTO added_repository (location, added_ms) VALUES (?, ?) ON CONFLICT DO NOTHING",
      ),
      remove: database.prepare("DELETE FROM added_repository WHERE location = ?"),
    };
  }

  all(): string[] {
    return this.#statements.all.all().map((row) => text(row, "location"));
  }

  add(location: string, nowMs: number): void {
    this.#statements.add.run(location, nowMs);
  }

  /** False: it was not added. */
  remove(location: string): boolean {
    return this.#statements.remove.run(location).changes === 1;
  }
}
