import type { DatabaseSync, StatementSync } from "node:sqlite";
import { integer, text, type Row } from "./row.ts";

/** A secret as it lies on the disk: what it is called, and for whom. */
export interface SecretRow {
  /** The label of the only repository whose builds get it; empty: all of them. */
  readonly scope: string;
  readonly name: string;
  readonly updatedMs: number;
}

/** The migration that adds them. Released, it never changes. */
export const secretTables = `
  CREATE TABLE secret (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The label of the only repository whose builds get it; empty: all of them.
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    -- AES-256-GCM: 12 bytes of nonce, the encrypted value, 16 bytes of tag. Bound to scope and name.
    sealed BLOB NOT NULL,
    updated_ms INTEGER NOT NULL,
    UNIQUE (scope, name)
  ) STRICT;
  `;

/** Sealed secrets, in the database of the data folder. What is in them only `Secrets` knows. */
export class SecretStore {
  readonly #statements: Record<"list" | "get" | "set" | "remove", StatementSync>;

  constructor(database: DatabaseSync) {
    this.#statements = {
      list: database.prepare("SELECT scope, name, updated_ms FROM secret ORDER BY scope, name"),
      get: database.prepare("SELECT sealed FROM secret WHERE scope = ? AND name = ?"),
      set: database.prepare(
        `INSERT INTO secret (scope, name, sealed, updated_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (scope, name) DO UPDATE SET sealed = excluded.sealed, updated_ms = excluded.updated_ms`,
      ),
      remove: database.prepare("DELETE FROM secret WHERE scope = ? AND name = ?"),
    };
  }

  list(): SecretRow[] {
    return this.#statements.list.all().map(rowOf);
  }

  get(scope: string, name: string): Uint8Array | undefined {
    const sealed = this.#statements.get.get(scope, name)?.["sealed"];
    return sealed instanceof Uint8Array ? sealed : undefined;
  }

  set(scope: string, name: string, sealed: Uint8Array, nowMs: number): void {
    this.#statements.set.run(scope, name, sealed, nowMs);
  }

  /** False: there is none of that name. */
  remove(scope: string, name: string): boolean {
    return this.#statements.remove.run(scope, name).changes === 1;
  }
}

function rowOf(row: Row): SecretRow {
  return {
    scope: text(row, "scope"),
    name: text(row, "name"),
    updatedMs: integer(row, "updated_ms"),
  };
}
