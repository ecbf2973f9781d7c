import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../store/database.ts";
import { findDataDir, type Where } from "./find-server.ts";

/** A database, while it is open. */
export interface OpenedDatabase {
  readonly database: DatabaseSync;
  readonly dataDir: string;
  /** Whether the data folder was made for it. */
  readonly isNew: boolean;
}

/** Opens the database of the data folder that is meant, for as long as `use` takes. A folder that is not there is made. */
export async function withDatabase<Result>(
  where: Where,
  environment: NodeJS.ProcessEnv,
  cwd: string,
  use: (opened: OpenedDatabase) => Promise<Result>,
): Promise<Result> {
  const dataDir = await findDataDir(where, environment, cwd);
  const isNew = !existsSync(dataDir);
  const database = openDatabase(dataDir);
  try {
    return await use({ database, dataDir, isNew });
  } finally {
    database.close();
  }
}
