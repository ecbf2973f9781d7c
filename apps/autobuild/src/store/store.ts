import type { DatabaseSync, StatementSync } from "node:sqlite";
import type {
  Attempt,
  Build,
  BuildCause,
  BuildState,
  EndState,
  NewBuild,
  Step,
  StepState,
} from "../build/build.ts";
import { Attempts } from "./attempts.ts";
import { integer, integerOrNull, one, text, textOrNull, type Row } from "./row.ts";
import { inTransaction } from "./transaction.ts";

/** A repository as the store knows it. */
export interface RepositoryRow {
  readonly id: number;
  readonly label: string;
  readonly name: string;
}

/** Which builds to list; newest first. */
export interface BuildQuery {
  /** @default 50, at most 1000 */
  readonly limit?: number;
  /** Only builds older than this one: the last id of the page before. */
  readonly beforeId?: number;
  readonly repositoryId?: number;
  readonly branch?: string;
}

const maxListed = 1000;

/**
 * Repositories, builds and steps in SQLite; the truth about every build.
 *
 * Calls are synchronous, and durable against the death of the process when they return. Only the rules
 * (`build/`) write.
 */
export class Store {
  readonly attempts: Attempts;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;

  /** @param database from `openDatabase`; other stores may use it too */
  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepareStatements(this.#database);
    this.attempts = new Attempts(this.#database);
  }

  /** Runs `change` whole or not at all. Within another one it is a part of that. */
  transaction<Result>(change: () => Result): Result {
    return inTransaction(this.#database, change);
  }

  /** Finds the repository of that label, or writes it down. */
  repository(label: string, name: string): RepositoryRow {
    return repositoryOf(one(this.#statements.upsertRepository.get(label, name)));
  }

  /** The branches as last seen; empty when the repository was never looked at. */
  heads(repositoryId: number): Map<string, string> {
    return new Map(
      this.#statements.heads
        .all(repositoryId)
        .map((row) => [text(row, "branch"), text(row, "sha")]),
    );
  }

  saveHead(repositoryId: number, branch: string, sha: string): void {
    this.#statements.saveHead.run(repositoryId, branch, sha);
  }

  forgetHead(repositoryId: number, branch: string): void {
    this.#statements.forgetHead.run(repositoryId, branch);
  }

  /** Whether a build of that commit of that branch exists, in whatever state but cancelled for a newer one. */
  hasBuilt(repositoryId: number, branch: string, sha: string): boolean {
    return this.#statements.hasBuilt.get(repositoryId, branch, sha) !== undefined;
  }

  insertBuild(build: NewBuild): Build {
    const row = one(
      this.#statements.insertBuild.get(
        build.repositoryId,
        build.branch,
        build.sha,
        build.author,
        build.subject,
        build.committedMs,
        build.cause,
        build.causeBuildId,
        build.queuedMs,
      ),
    );
    return this.#expect(integer(row, "id"));
  }

  build(id: number): Build | undefined {
    const row = this.#statements.build.get(id);
    return row === undefined ? undefined : this.#buildOf(row);
  }

  builds(query: BuildQuery = {}): Build[] {
    const {
      limit = 50,
      beforeId = Number.MAX_SAFE_INTEGER,
      repositoryId = null,
      branch = null,
    } = query;
    const rows = this.#statements.builds.all({
      limit: Math.min(limit, maxListed),
      beforeId,
      repositoryId,
      branch,
    });
    return rows.map((row) => this.#buildOf(row));
  }

  /** Builds in that state, oldest first. */
  buildsIn(state: "queued" | "running"): Build[] {
    return this.#statements.buildsIn.all(state).map((row) => this.#buildOf(row));
  }

  cookieOf(buildId: number): string | null {
    return textOrNull(one(this.#statements.cookieOf.get(buildId)), "cookie");
  }

  /** queued -> running */
  startBuild(id: number, cookie: string, startedMs: number): Build {
    this.#move(this.#statements.startBuild.run(cookie, startedMs, id).changes, id, "running");
    return this.#expect(id);
  }

  /** queued -> cancelled, or running -> any end; steps that did not come to run are skipped. */
  endBuild(
    id: number,
    end: {
      state: EndState;
      reason: string | null;
      finishedMs: number;
      durationMs: number | null;
      logBytes: number;
    },
  ): Build {
    return this.transaction(() => {
      const { changes } = this.#statements.endBuild.run(
        end.state,
        end.reason,
        end.finishedMs,
        end.durationMs,
        end.logBytes,
        id,
      );
      this.#move(changes, id, end.state);
      this.#statements.endSteps.run(id);
      this.attempts.endOpen(id);
      return this.#expect(id);
    });
  }

  insertSteps(
    buildId: number,
    steps: readonly { name: string; command: string; needs?: readonly string[] }[],
  ): Build {
    this.transaction(() => {
      for (const [position, step] of steps.entries())
        this.#statements.insertStep.run(
          buildId,
          position,
          step.name,
          step.command,
          step.needs === undefined ? null : JSON.stringify(step.needs),
        );
    });
    return this.#expect(buildId);
  }

  startStep(buildId: number, position: number, startedMs: number): Build {
    this.#statements.startStep.run(startedMs, buildId, position);
    return this.#expect(buildId);
  }

  endStep(
    buildId: number,
    position: number,
    end: { state: StepState; reason: string | null; durationMs: number },
  ): Build {
    this.#statements.endStep.run(end.state, end.reason, end.durationMs, buildId, position);
    return this.#expect(buildId);
  }

  #expect(id: number): Build {
    const build = this.build(id);
    if (build === undefined) throw new Error(`Build ${id} is not in the store.`);
    return build;
  }

  #move(changes: number | bigint, id: number, state: BuildState): void {
    if (changes !== 1)
      throw new Error(
        `Build ${id} cannot become ${state}: it is ${this.build(id)?.state ?? "not there"}.`,
      );
  }

  #buildOf(row: Row): Build {
    const id = integer(row, "id");
    const attempts = this.attempts.ofBuild(id);
    return {
      id,
      repositoryId: integer(row, "repository_id"),
      repository: text(row, "repository"),
      branch: text(row, "branch"),
      sha: text(row, "sha"),
      author: text(row, "author"),
      subject: text(row, "subject"),
      committedMs: integer(row, "committed_ms"),
      cause: text(row, "cause") as BuildCause,
      causeBuildId: integerOrNull(row, "cause_build_id"),
      state: text(row, "state") as BuildState,
      reason: textOrNull(row, "reason"),
      queuedMs: integer(row, "queued_ms"),
      startedMs: integerOrNull(row, "started_ms"),
      finishedMs: integerOrNull(row, "finished_ms"),
      durationMs: integerOrNull(row, "duration_ms"),
      logBytes: integer(row, "log_bytes"),
      steps: this.#statements.steps.all(id).map((step) => stepOf(step, attempts)),
    };
  }
}

function prepareStatements(database: DatabaseSync): Record<StatementName, StatementSync> {
  const selectBuild =
    "SELECT build.*, repository.name AS repository FROM build JOIN repository ON repository.id = build.repository_id";
  return {
    upsertRepository: database.prepare(
      "INSERT INTO repository (label, name) VALUES (?, ?) ON CONFLICT (label) DO UPDATE SET name = excluded.name RETURNING *",
    ),
    heads: database.prepare("SELECT branch, sha FROM head WHERE repository_id = ?"),
    saveHead: database.prepare(
      "INSERT INTO head (repository_id, branch, sha) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sha = excluded.sha",
    ),
    forgetHead: database.prepare("DELETE FROM head WHERE repository_id = ? AND branch = ?"),
    hasBuilt: database.prepare(
      `SELECT 1 FROM build WHERE repository_id = ? AND branch = ? AND sha = ? AND NOT EXISTS
         (SELECT 1 FROM build_origin WHERE build_id = build.id AND superseded_by IS NOT NULL) LIMIT 1`,
    ),
    insertBuild: database.prepare(
      `INSERT INTO build (repository_id, branch, sha, author, subject, committed_ms, cause, cause_build_id, queued_ms, state)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued') RETURNING id`,
    ),
    build: database.prepare(`${selectBuild} WHERE build.id = ?`),
    builds: database.prepare(
      `${selectBuild} WHERE build.id < $beforeId AND ($repositoryId IS NULL OR repository_id = $repositoryId)
         AND ($branch IS NULL OR branch = $branch) ORDER BY build.id DESC LIMIT $limit`,
    ),
    buildsIn: database.prepare(`${selectBuild} WHERE state = ? ORDER BY build.id`),
    cookieOf: database.prepare("SELECT cookie FROM build WHERE id = ?"),
    startBuild: database.prepare(
      `UPDATE build SET state = 'running', cookie = ?, started_ms = ?,
         start_number = (SELECT coalesce(max(start_number), 0) + 1 FROM build) WHERE id = ? AND state = 'queued'`,
    ),
    endBuild: database.prepare(
      `UPDATE build SET state = ?1, reason = ?2, finished_ms = ?3, duration_ms = ?4, log_bytes = ?5
       WHERE id = ?6 AND (state = 'running' OR (state = 'queued' AND ?1 = 'cancelled'))`,
    ),
    endSteps: database.prepare(
      `UPDATE step SET state = CASE state WHEN 'running' THEN 'cancelled' ELSE 'skipped' END
       WHERE build_id = ? AND state IN ('waiting', 'running')`,
    ),
    steps: database.prepare("SELECT * FROM step WHERE build_id = ? ORDER BY position"),
    insertStep: database.prepare(
      "INSERT INTO step (build_id, position, name, command, needs, state) VALUES (?, ?, ?, ?, ?, 'waiting') ON CONFLICT DO NOTHING",
    ),
    startStep: database.prepare(
      "UPDATE step SET state = 'running', started_ms = ? WHERE build_id = ? AND position = ?",
    ),
    endStep: database.prepare(
      "UPDATE step SET state = ?, reason = ?, duration_ms = ? WHERE build_id = ? AND position = ?",
    ),
  };
}

type StatementName =
  | "upsertRepository"
  | "heads"
  | "saveHead"
  | "forgetHead"
  | "hasBuilt"
  | "insertBuild"
  | "build"
  | "builds"
  | "buildsIn"
  | "cookieOf"
  | "startBuild"
  | "endBuild"
  | "endSteps"
  | "steps"
  | "insertStep"
  | "startStep"
  | "endStep";

function repositoryOf(row: Row): RepositoryRow {
  return { id: integer(row, "id"), label: text(row, "label"), name: text(row, "name") };
}

function stepOf(row: Row, attempts: ReadonlyMap<number, readonly Attempt[]>): Step {
  const position = integer(row, "position");
  return {
    position,
    name: text(row, "name"),
    command: text(row, "command"),
    needs: needsOf(textOrNull(row, "needs")),
    state: text(row, "state") as StepState,
    reason: textOrNull(row, "reason"),
    startedMs: integerOrNull(row, "started_ms"),
    durationMs: integerOrNull(row, "duration_ms"),
    attempts: attempts.get(position) ?? [],
  };
}

function needsOf(json: string | null): readonly string[] | null {
  return json === null ? null : (JSON.parse(json) as string[]);
}
