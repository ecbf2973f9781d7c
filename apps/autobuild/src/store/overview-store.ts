import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { BuildState } from "../build/build.ts";
import { p90Samples, usualTime, type Forecast } from "../build/forecast.ts";
import { maxBranches, recentBuilds, type RecentBuild } from "../build/overview.ts";
import { integer, integerOrNull, text } from "./row.ts";

/** Branches that are looked at for those that still exist: many may have been built last and be gone. */
const maxBranchesSeen = 500;
/** How long what is no branch stays: nobody tells when it is done with. */
const othersShownMs = 7 * 24 * 3_600_000;
/** Builds whose steps tell the usual times. */
const maxBuildsSeen = 40;

/**
 * What the overview asks: the same few rows, however many builds there are.
 *
 * Every query goes along an index and has a limit; a test holds that by their plans.
 */
export class OverviewStore {
  readonly #statements: Record<keyof typeof overviewQueries, StatementSync>;

  constructor(database: DatabaseSync) {
    this.#statements = Object.fromEntries(
      Object.entries(overviewQueries).map(([name, sql]) => [name, database.prepare(sql)]),
    ) as Record<keyof typeof overviewQueries, StatementSync>;
  }

  /**
   * The branches that are still there or that have a build on its way; the one built last first. Tags and
   * pull requests are among them for a week.
   */
  branches(nowMs: number): { repositoryId: number; branch: string }[] {
    return this.#statements.branches
      .all({ seen: maxBranchesSeen, limit: maxBranches, since: nowMs - othersShownMs })
      .map((row) => ({ repositoryId: integer(row, "repository_id"), branch: text(row, "branch") }));
  }

  /** Whether a branch is among them, or would be if there were fewer. */
  isShown(repositoryId: number, branch: string, nowMs: number): boolean {
    const since = nowMs - othersShownMs;
    return this.#statements.shown.get({ repositoryId, branch, since }) !== undefined;
  }

  /**
   * The same, all of them, a page at a time: the branches of a page that are shown, and the build before which the
   * next page begins; undefined after the last.
   */
  branchPage(
    beforeBuildId: number,
    nowMs: number,
  ): { branches: { repositoryId: number; branch: string }[]; next: number | undefined } {
    const rows = this.#statements.branchPage.all({
      before: beforeBuildId,
      limit: maxBranches,
      since: nowMs - othersShownMs,
    });
    const last = rows.at(-1);
    return {
      branches: rows
        .filter((row) => integer(row, "is_shown") === 1)
        .map((row) => ({
          repositoryId: integer(row, "repository_id"),
          branch: text(row, "branch"),
        })),
      next: last === undefined || rows.length < maxBranches ? undefined : integer(last, "build_id"),
    };
  }

  /** The builds of a branch that have ended, newest first. */
  recent(repositoryId: number, branch: string): RecentBuild[] {
    return this.#statements.recent
      .all({ repositoryId, branch, limit: recentBuilds })
      .map((row) => ({
        id: integer(row, "id"),
        state: text(row, "state") as BuildState,
        durationMs: integerOrNull(row, "duration_ms"),
      }));
  }

  /** The build of a branch that runs, the older one of two; else the one that waits. */
  alive(repositoryId: number, branch: string): number | undefined {
    const row =
      this.#statements.alive.get({ repositoryId, branch, state: "running" }) ??
      this.#statements.alive.get({ repositoryId, branch, state: "queued" });
    return row === undefined ? undefined : integer(row, "id");
  }

  /** The first build of a branch that failed since the last one that passed. */
  failingSince(
    repositoryId: number,
    branch: string,
  ): { buildId: number; finishedMs: number } | undefined {
    const row = this.#statements.failingSince.get({ repositoryId, branch });
    if (row === undefined) return undefined;
    return { buildId: integer(row, "id"), finishedMs: integer(row, "finished_ms") };
  }

  /**
   * The usual times of a branch's steps; where it has too few builds yet, those of the branch that it came from.
   */
  forecast(repositoryId: number, branch: string, headBranch: string | null): Forecast {
    const samples = new Map<string, number[]>();
    for (const one of new Set([branch, headBranch ?? branch])) {
      // Steps that have enough samples of their own branch take none from another.
      const enough = new Set(
        [...samples].filter(([, { length }]) => length > 1).map(([name]) => name),
      );
      for (const row of this.#statements.stepTimes.all({
        repositoryId,
        branch: one,
        builds: maxBuildsSeen,
      })) {
        const name = text(row, "name");
        if (enough.has(name)) continue;
        const times = samples.get(name) ?? [];
        samples.set(name, times);
        if (times.length < p90Samples) times.push(integer(row, "duration_ms"));
      }
    }
    return Object.fromEntries(
      [...samples].flatMap(([name, times]) => {
        const usual = usualTime(times);
        return usual === undefined ? [] : [[name, usual]];
      }),
    );
  }
}

const isShown = `
    EXISTS (SELECT 1 FROM head WHERE head.repository_id = newest.repository_id AND head.branch = newest.branch)
      OR EXISTS (SELECT 1 FROM build WHERE build.id = newest.build_id AND (state IN ('queued', 'running')
        OR (instr(branch, ' ') > 0 AND queued_ms > $since)))`;

export const overviewQueries = {
  branches: `
    SELECT repository_id, branch FROM (SELECT * FROM overview_branch ORDER BY build_id DESC LIMIT $seen) AS newest
    WHERE ${isShown} ORDER BY build_id DESC LIMIT $limit`,
  shown: `
    SELECT 1 FROM overview_branch AS newest
    WHERE repository_id = $repositoryId AND branch = $branch AND (${isShown})`,
  branchPage: `
    SELECT repository_id, branch, build_id, (${isShown}) AS is_shown
    FROM (SELECT * FROM overview_branch WHERE build_id < $before ORDER BY build_id DESC LIMIT $limit) AS newest
    ORDER BY build_id DESC`,
  recent: `
    SELECT id, state, duration_ms FROM build INDEXED BY build_of_branch
    WHERE repository_id = $repositoryId AND branch = $branch AND state NOT IN ('queued', 'running')
    ORDER BY id DESC LIMIT $limit`,
  alive: `
    SELECT id FROM build INDEXED BY build_of_branch_in_state
    WHERE repository_id = $repositoryId AND branch = $branch AND state = $state ORDER BY id LIMIT 1`,
  failingSince: `
    SELECT id, finished_ms FROM build INDEXED BY build_of_branch_in_state
    WHERE repository_id = $repositoryId AND branch = $branch AND state = 'failed' AND id > coalesce(
      (SELECT max(id) FROM build WHERE repository_id = $repositoryId AND branch = $branch AND state = 'passed'), 0)
    ORDER BY id LIMIT 1`,
  stepTimes: `
    SELECT name, step.duration_ms FROM
      (SELECT id FROM build INDEXED BY build_of_branch
        WHERE repository_id = $repositoryId AND branch = $branch ORDER BY id DESC LIMIT $builds) AS newest
      CROSS JOIN step ON step.build_id = newest.id
    WHERE step.state = 'passed' AND step.duration_ms IS NOT NULL ORDER BY newest.id DESC`,
} as const;
