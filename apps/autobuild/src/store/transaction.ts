import type { DatabaseSync } from "node:sqlite";

/** Runs `change` whole or not at all. Within another transaction it is a part of that. */
export function inTransaction<Result>(database: DatabaseSync, change: () => Result): Result {
  if (database.isTransaction) return change();
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = change();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk ends the transaction by itself, and a second ROLLBACK would hide the first error.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
