import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Trigger } from "../build/trigger.ts";
import { text } from "./row.ts";

/** The migration that makes its tables. Never changes: what comes later is another migration. */
export const detailTables = `
  -- What had a build queued, as JSON. Builds from before there was such a record have none.
  CREATE TABLE build_trigger (
    build_id INTEGER PRIMARY KEY REFERENCES build (id) ON DELETE CASCADE,
    json TEXT NOT NULL
  ) STRICT;

  -- Messages that are longer than the subject, which the build has itself.
  CREATE TABLE commit_message (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    sha TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (repository_id, sha)
  ) STRICT, WITHOUT ROWID;
`;

/** What is told about one build at a time, and is in no list of builds. */
export class DetailStore {
  readonly #statements: Record<
    "trigger" | "saveTrigger" | "message" | "saveMessage",
    StatementSync
  >;

  /** @param database from `openDatabase` */
  constructor(database: DatabaseSync) {
    this.#statements = {
      trigger: database.prepare("SELECT json FROM build_trigger WHERE build_id = ?"),
      saveTrigger: database.prepare("INSERT OR REPLACE INTO build_trigger VALUES (?, ?)"),
      message: database.prepare(
        "SELECT message FROM commit_message WHERE repository_id = ? AND sha = ?",
      ),
      saveMessage: database.prepare(
        "INSERT INTO commit_message VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      ),
    };
  }

  /** Undefined where it was not kept. */
  trigger(buildId: number): Trigger | undefined {
    const row = this.#statements.trigger.get(buildId);
    return row === undefined ? undefined : (JSON.parse(text(row, "json")) as Trigger);
  }

  saveTrigger(buildId: number, trigger: Trigger): void {
    this.#statements.saveTrigger.run(buildId, JSON.stringify(trigger));
  }

  /** The whole message of a commit; undefined for one that is but its subject. */
  message(repositoryId: number, sha: string): string | undefined {
    const row = this.#statements.message.get(repositoryId, sha);
    return row === undefined ? undefined : text(row, "message");
  }

  saveMessage(repositoryId: number, sha: string, message: string): void {
    this.#statements.saveMessage.run(repositoryId, sha, message);
  }
}
