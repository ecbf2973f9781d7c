/** The migration that keeps what steps need: a JSON array of names; null for the builds before. Never changes. */
export const stepNeeds = "ALTER TABLE step ADD COLUMN needs TEXT;";

/**
 * The migration for the overview: which branches there are, and their builds in order.
 *
 * A trigger keeps `overview_branch`, so that no writer has to think of it. Never changes: what comes later
 * is another migration.
 */
export const overviewTables = `
  CREATE TABLE overview_branch (
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    branch TEXT NOT NULL,
    -- The newest of the branch.
    build_id INTEGER NOT NULL,
    PRIMARY KEY (repository_id, branch)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX overview_branch_newest ON overview_branch (build_id);
  INSERT INTO overview_branch SELECT repository_id, branch, max(id) FROM build GROUP BY repository_id, branch;

  CREATE TRIGGER overview_build_added AFTER INSERT ON build BEGIN
    INSERT INTO overview_branch VALUES (new.repository_id, new.branch, new.id)
      ON CONFLICT DO UPDATE SET build_id = max(build_id, excluded.build_id);
  END;
  CREATE TRIGGER overview_build_removed AFTER DELETE ON build BEGIN
    DELETE FROM overview_branch
      WHERE repository_id = old.repository_id AND branch = old.branch AND build_id = old.id;
    INSERT OR IGNORE INTO overview_branch
      SELECT repository_id, branch, max(id) FROM build
      WHERE repository_id = old.repository_id AND branch = old.branch GROUP BY repository_id, branch;
  END;

  CREATE INDEX build_of_branch ON build (repository_id, branch, id);
  CREATE INDEX build_of_branch_in_state ON build (repository_id, branch, state, id);
`;
