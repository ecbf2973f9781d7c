import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { migrate } from "./migrations.ts";

const busyTimeoutMs = 5000;

/**
 * Opens the database of a data folder and brings it up to this version.
 *
 * Several processes may have it open: the server, and a command that adds a user beside it. What is written
 * is durable against the death of the process.
 */
export function openDatabase(dataDir: string): DatabaseSync {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path.join(dataDir, "autobuild.sqlite"), {
    timeout: busyTimeoutMs,
  });
  try {
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
    );
    migrate(database);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}
