import type { DatabaseSync } from "node:sqlite";

/** How a store is filled. */
export interface ManyBuilds {
  readonly builds: number;
  readonly branches: number;
  /** @default 5 */
  readonly steps?: number;
  /** @default 2 */
  readonly repositories?: number;
  /** When the last of them ended. */
  readonly nowMs: number;
}

/** Writes down builds that never ran, in one transaction: many of the first branch, few of each other one. */
export function addManyBuilds(
  database: DatabaseSync,
  { builds, branches, steps = 5, repositories = 2, nowMs }: ManyBuilds,
): void {
  const addRepository = database.prepare(
    "INSERT INTO repository (label, name) VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name RETURNING id",
  );
  const addHead = database.prepare("INSERT OR REPLACE INTO head VALUES (?, ?, ?)");
  const addBuild = database.prepare(
    `INSERT INTO build (repository_id, branch, sha, author, subject, committed_ms, cause, state, reason,
       queued_ms, started_ms, finished_ms, duration_ms, start_number)
     VALUES (?, ?, ?, ?, ?, ?, 'commit', ?, ?, ?, ?, ?, ?,
       (SELECT coalesce(max(start_number), 0) + 1 FROM build)) RETURNING id`,
  );
  const addStep = database.prepare(
    "INSERT INTO step (build_id, position, name, command, state, started_ms, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  database.exec("BEGIN");
  const ids = Array.from({ length: repositories }, (_, index) =>
    Number(addRepository.get(`/srv/project-${index}`, `project-${index}`)?.["id"]),
  );
  for (let index = 0; index < builds; index++) {
    const repositoryId = ids[index % repositories] ?? 0;
    const number = index % 2 === 0 ? 0 : (index * 7919) % branches;
    const branch = number === 0 ? "main" : `feature/${number}`;
    const sha = index.toString(16).padStart(40, "0");
    const isFailed = (index * 31) % 11 === 0;
    const durationMs = 60_000 + ((index * 101) % 30_000);
    const startedMs = nowMs - (builds - index) * 60_000;
    addHead.run(repositoryId, branch, sha);
    const id = Number(
      addBuild.get(
        repositoryId,
        branch,
        sha,
        "Ann",
        `Change ${index}`,
        startedMs - 1000,
        isFailed ? "failed" : "passed",
        isFailed ? "step test exited with 1" : null,
        startedMs - 500,
        startedMs,
        startedMs + durationMs,
        durationMs,
      )?.["id"],
    );
    for (let position = 0; position < steps; position++) {
      const state = isFailed && position === steps - 1 ? "failed" : "passed";
      addStep.run(
        id,
        position,
        `step-${position}`,
        "true",
        state,
        startedMs,
        Math.round(durationMs / steps),
      );
    }
  }
  database.exec("COMMIT");
}
