import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as nextRound } from "node:timers/promises";
import type { Artifact } from "../results/artifacts.ts";
import type { TestCase, TestState } from "../results/test-case.ts";
import { integer, integerOrNull, text, textOrNull, type Row } from "./row.ts";
import { inTransaction } from "./transaction.ts";

/** What the reports of a build say, all together. Plain JSON. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of those that passed. */
  readonly flaky: number;
}

/** A test of a build. Plain JSON. */
export interface BuildTest extends TestCase {
  /** The step whose report it is in. */
  readonly position: number;
  /** Failed now, and not when the branch was built before. */
  readonly isNew: boolean;
}

/** A test that passes and fails by chance. Plain JSON. */
export interface FlakyTest {
  readonly suite: string;
  readonly name: string;
  /** Builds, of those looked at, in which it ran. */
  readonly runs: number;
  /** Of them, in which it failed, or passed only after a failure. */
  readonly failures: number;
  /** The newest of those. */
  readonly lastBuildId: number;
}

/** What a build's results are made of when they are saved. */
export interface StepResults {
  readonly position: number;
  readonly tests: readonly TestCase[];
  readonly artifacts: readonly Artifact[];
  /** Sentences for people: what could not be read or kept. */
  readonly problems: readonly string[];
}

/** The migration that makes its tables. Never changes: what comes later is another migration. */
export const resultTables = `
  CREATE TABLE test_name (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repository (id),
    suite TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (repository_id, suite, name)
  ) STRICT;

  CREATE TABLE test_run (
    test_id INTEGER NOT NULL REFERENCES test_name (id),
    build_id INTEGER NOT NULL REFERENCES build (id),
    position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('passed', 'failed', 'skipped')),
    is_flaky INTEGER NOT NULL,
    duration_ms INTEGER,
    PRIMARY KEY (test_id, build_id, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX test_run_of_build ON test_run (build_id, state);

  -- Why a test did not pass. Apart from the runs, which are many and small.
  CREATE TABLE test_reason (
    test_id INTEGER NOT NULL,
    build_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    message TEXT,
    details TEXT,
    file TEXT,
    line INTEGER,
    PRIMARY KEY (build_id, test_id, position)
  ) STRICT;

  CREATE TABLE artifact (
    build_id INTEGER NOT NULL REFERENCES build (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (build_id, position, name)
  ) STRICT;

  CREATE TABLE result_problem (
    build_id INTEGER NOT NULL REFERENCES build (id),
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (build_id, position, number)
  ) STRICT, WITHOUT ROWID;
`;

/** The migration for which steps' results are here as a whole. Never changes. */
export const savedTable = `
  CREATE TABLE saved_result (
    build_id INTEGER NOT NULL REFERENCES build (id),
    position INTEGER NOT NULL,
    PRIMARY KEY (build_id, position)
  ) STRICT, WITHOUT ROWID;
`;

const testsAtOnce = 1000;
const maxListed = 1000;

/**
 * What builds reported and kept: tests and artifacts.
 *
 * Reading is synchronous and touches only the rows that it returns. What it holds of a build comes from
 * outside and is bounded where it is read.
 */
export class ResultStore {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepareStatements(database);
  }

  /**
   * Saves what a step left, in place of what was saved of it before: so it may be tried again after a crash.
   *
   * Takes 1,000 tests at a time, and lets others run in between.
   */
  async save(buildId: number, repositoryId: number, results: StepResults): Promise<void> {
    const { position } = results;
    inTransaction(this.#database, () => {
      const { forgetRuns, forgetReasons, forgetArtifacts, forgetProblems } = this.#statements;
      for (const statement of [forgetRuns, forgetReasons, forgetArtifacts, forgetProblems])
        statement.run({ buildId, position });
      for (const { name, bytes, sha256 } of results.artifacts)
        this.#statements.insertArtifact.run(buildId, position, name, bytes, sha256);
      for (const [number, message] of results.problems.entries())
        this.#statements.insertProblem.run(buildId, position, number, message);
    });
    for (let from = 0; from < results.tests.length; from += testsAtOnce) {
      if (from > 0) await nextRound();
      inTransaction(this.#database, () => {
        for (const test of results.tests.slice(from, from + testsAtOnce))
          this.#saveTest(buildId, repositoryId, position, test);
      });
    }
    this.#statements.insertSaved.run(buildId, position);
  }

  /** Whether a step's results were saved to the last of them. */
  isSaved(buildId: number, position: number): boolean {
    return this.#statements.isSaved.get(buildId, position) !== undefined;
  }

  counts(buildId: number): TestCounts {
    const counts = { passed: 0, failed: 0, skipped: 0, flaky: 0 };
    for (const row of this.#statements.counts.all(buildId)) {
      counts[text(row, "state") as TestState] += integer(row, "count");
      counts.flaky += integer(row, "flaky");
    }
    return counts;
  }

  /** A build's tests: those that failed first, then flaky ones, then the slowest. At most 1,000. */
  tests(buildId: number, limit = maxListed): BuildTest[] {
    return this.#statements.tests
      .all({ buildId, limit: Math.min(limit, maxListed) })
      .map((row) => ({
        position: integer(row, "position"),
        suite: text(row, "suite"),
        name: text(row, "name"),
        state: text(row, "state") as TestState,
        isFlaky: integer(row, "is_flaky") === 1,
        isNew: text(row, "state") === "failed" && text(row, "before") !== "failed",
        durationMs: integerOrNull(row, "duration_ms"),
        message: textOrNull(row, "message"),
        details: textOrNull(row, "details"),
        file: textOrNull(row, "file"),
        line: integerOrNull(row, "line"),
      }));
  }

  /**
   * Tests of a repository that both passed and failed on one commit, or passed only at a second try, within
   * its newest builds. The worst first.
   */
  flaky(repositoryId: number, { builds = 50, limit = 50 } = {}): FlakyTest[] {
    return this.#statements.flaky
      .all({ repositoryId, builds, limit: Math.min(limit, maxListed) })
      .map((row) => ({
        suite: text(row, "suite"),
        name: text(row, "name"),
        runs: integer(row, "runs"),
        failures: integer(row, "failures"),
        lastBuildId: integer(row, "last_build_id"),
      }));
  }

  artifacts(buildId: number): Artifact[] {
    return this.#statements.artifacts.all(buildId).map(artifactOf);
  }

  artifact(buildId: number, position: number, name: string): Artifact | undefined {
    const row = this.#statements.artifact.get(buildId, position, name);
    return row === undefined ? undefined : artifactOf(row);
  }

  /** The newest build of a branch that passed and kept a file of that name. */
  latestWith(repositoryId: number, branch: string, name: string): number | undefined {
    const row = this.#statements.latestWith.get(repositoryId, branch, name);
    return row === undefined ? undefined : integer(row, "build_id");
  }

  /** Sentences about reports that could not be read and files that were not kept. */
  problems(buildId: number): string[] {
    return this.#statements.problems.all(buildId).map((row) => text(row, "message"));
  }

  /** Forgets the kept files of a build: they were removed. */
  forgetArtifacts(buildId: number): void {
    this.#statements.forgetAllArtifacts.run(buildId);
  }

  #saveTest(buildId: number, repositoryId: number, position: number, test: TestCase): void {
    const named = this.#statements.testId.get(repositoryId, test.suite, test.name);
    const testId = integer(named ?? {}, "id");
    const { state, isFlaky, durationMs, message, details, file, line } = test;
    this.#statements.insertRun.run(testId, buildId, position, state, isFlaky ? 1 : 0, durationMs);
    if (state !== "passed" || isFlaky)
      this.#statements.insertReason.run(testId, buildId, position, message, details, file, line);
  }
}

function artifactOf(row: Row): Artifact {
  return {
    position: integer(row, "position"),
    name: text(row, "name"),
    bytes: integer(row, "bytes"),
    sha256: text(row, "sha256"),
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    insertSaved: database.prepare(
      "INSERT INTO saved_result (build_id, position) VALUES (?, ?) ON CONFLICT DO NOTHING",
    ),
    isSaved: database.prepare("SELECT 1 FROM saved_result WHERE build_id = ? AND position = ?"),
    testId: database.prepare(
      `INSERT INTO test_name (repository_id, suite, name) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET name = excluded.name RETURNING id`,
    ),
    // Reports of some tools name several tests alike: the worst of them counts.
    insertRun: database.prepare(
      `INSERT INTO test_run (test_id, build_id, position, state, is_flaky, duration_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = CASE WHEN 'failed' IN (state, excluded.state) THEN 'failed' ELSE excluded.state END,
         is_flaky = max(is_flaky, excluded.is_flaky), duration_ms = coalesce(duration_ms + excluded.duration_ms, duration_ms)`,
    ),
    insertReason: database.prepare(
      `INSERT INTO test_reason (test_id, build_id, position, message, details, file, line) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ),
    insertArtifact: database.prepare(
      "INSERT INTO artifact (build_id, position, name, bytes, sha256) VALUES (?, ?, ?, ?, ?)",
    ),
    insertProblem: database.prepare(
      "INSERT INTO result_problem (build_id, position, number, message) VALUES (?, ?, ?, ?)",
    ),
    forgetRuns: database.prepare(
      "DELETE FROM test_run WHERE build_id = $buildId AND position = $position",
    ),
    forgetReasons: database.prepare(
      "DELETE FROM test_reason WHERE build_id = $buildId AND position = $position",
    ),
    forgetArtifacts: database.prepare(
      "DELETE FROM artifact WHERE build_id = $buildId AND position = $position",
    ),
    forgetProblems: database.prepare(
      "DELETE FROM result_problem WHERE build_id = $buildId AND position = $position",
    ),
    forgetAllArtifacts: database.prepare("DELETE FROM artifact WHERE build_id = ?"),
    counts: database.prepare(
      `SELECT state, count(*) AS count, sum(is_flaky AND state = 'passed') AS flaky
       FROM test_run WHERE build_id = ? GROUP BY state`,
    ),
    tests: database.prepare(
      `WITH listed AS (
         SELECT test_run.*, suite, name FROM test_run JOIN test_name ON test_name.id = test_id
         WHERE build_id = $buildId
         ORDER BY state = 'failed' DESC, is_flaky DESC, duration_ms DESC, suite, name LIMIT $limit
       )
       SELECT listed.*, message, details, file, line, coalesce((
         SELECT older.state FROM test_run AS older JOIN build ON build.id = older.build_id
         WHERE listed.state = 'failed' AND older.test_id = listed.test_id AND older.build_id < $buildId
           AND build.branch = (SELECT branch FROM build WHERE id = $buildId)
         ORDER BY older.build_id DESC LIMIT 1
       ), '') AS before
       FROM listed LEFT JOIN test_reason USING (build_id, test_id, position)
       ORDER BY state = 'failed' DESC, is_flaky DESC, duration_ms DESC, suite, name`,
    ),
    flaky: database.prepare(
      `WITH recent AS (
         SELECT id, sha FROM build WHERE repository_id = $repositoryId ORDER BY id DESC LIMIT $builds
       ), run AS (
         SELECT test_id, build_id, sha, max(is_flaky) AS is_flaky, max(state = 'failed') AS is_failed,
           max(state = 'passed') AS is_passed
         FROM recent JOIN test_run ON build_id = recent.id WHERE state <> 'skipped' GROUP BY test_id, build_id
       ), by_chance AS (
         SELECT test_id FROM run GROUP BY test_id, sha HAVING max(is_flaky) OR (max(is_failed) AND max(is_passed))
       )
       SELECT suite, name, count(*) AS runs, sum(is_failed OR is_flaky) AS failures,
         max(CASE WHEN is_failed OR is_flaky THEN build_id END) AS last_build_id
       FROM run JOIN test_name ON test_name.id = test_id WHERE test_id IN (SELECT test_id FROM by_chance)
       GROUP BY test_id ORDER BY failures DESC, last_build_id DESC LIMIT $limit`,
    ),
    artifacts: database.prepare(
      "SELECT * FROM artifact WHERE build_id = ? ORDER BY position, name",
    ),
    artifact: database.prepare(
      "SELECT * FROM artifact WHERE build_id = ? AND position = ? AND name = ?",
    ),
    latestWith: database.prepare(
      `SELECT build_id FROM build CROSS JOIN artifact ON build_id = build.id
       WHERE repository_id = ? AND branch = ? AND state = 'passed' AND name = ? ORDER BY build.id DESC LIMIT 1`,
    ),
    problems: database.prepare(
      "SELECT message FROM result_problem WHERE build_id = ? ORDER BY position, number",
    ),
  } satisfies Record<string, StatementSync>;
}
