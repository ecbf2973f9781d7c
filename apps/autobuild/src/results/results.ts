import type { ReadStream } from "node:fs";
import type { Build } from "../build/build.ts";
import type { Plan } from "../plan/plan.ts";
import type { BuildTest, FlakyTest, ResultStore, TestCounts } from "../store/result-store.ts";
import type { Artifact, ArtifactFolder, ByteRange } from "./artifacts.ts";
import { readReports } from "./reports.ts";

/** What a build reported and kept, in numbers. Plain JSON. */
export interface ResultSummary {
  readonly tests: TestCounts;
  readonly artifacts: number;
  /** Sentences about reports that could not be read and files that were not kept. */
  readonly problems: readonly string[];
}

/** Tests and artifacts of builds. Reading is synchronous and cheap. */
export class Results {
  readonly #store: ResultStore;
  readonly #folder: ArtifactFolder;

  constructor(store: ResultStore, folder: ArtifactFolder) {
    this.#store = store;
    this.#folder = folder;
  }

  /**
   * Reads the reports and keeps the artifacts of a build's steps, from its workspace, as soon as nothing of the
   * build runs any more. Of steps that were skipped there are none.
   *
   * Done again, as after a crash, it takes up where it was: what a step left is read once. Rejects only for what the
   * store or the disk did.
   * Returns how many bytes are kept.
   */
  async collect(build: Build, plan: Plan, workspace: string): Promise<number> {
    for (const [position, step] of plan.steps.entries()) {
      const state = build.steps[position]?.state;
      if (state === undefined || state === "skipped" || state === "waiting") continue;
      if (step.reports.length === 0 && step.artifacts.length === 0) continue;
      if (this.#store.isSaved(build.id, position)) continue;
      const { tests, problems } = await readReports(workspace, step.reports);
      const kept = await this.#folder.keep(build.id, position, workspace, step.artifacts);
      await this.#store.save(build.id, build.repositoryId, {
        position,
        tests,
        artifacts: kept.artifacts,
        problems: [...problems, ...kept.problems].map((problem) => `Step ${step.name}: ${problem}`),
      });
    }
    return this.#folder.bytesOf(build.id);
  }

  summary(buildId: number): ResultSummary {
    return {
      tests: this.#store.counts(buildId),
      artifacts: this.#store.artifacts(buildId).length,
      problems: this.#store.problems(buildId),
    };
  }

  /** A build's tests: those that failed first, then flaky ones, then the slowest. At most 1,000. */
  tests(buildId: number): BuildTest[] {
    return this.#store.tests(buildId);
  }

  flaky(repositoryId: number): FlakyTest[] {
    return this.#store.flaky(repositoryId);
  }

  artifacts(buildId: number): Artifact[] {
    return this.#store.artifacts(buildId);
  }

  artifact(buildId: number, position: number, name: string): Artifact | undefined {
    return this.#store.artifact(buildId, position, name);
  }

  /** The newest build of a branch that passed and kept a file of that name, and the file. */
  latest(
    repositoryId: number,
    branch: string,
    name: string,
  ): { buildId: number; artifact: Artifact } | undefined {
    const buildId = this.#store.latestWith(repositoryId, branch, name);
    if (buildId === undefined) return undefined;
    const artifact = this.#store.artifacts(buildId).findLast((each) => each.name === name);
    return artifact === undefined ? undefined : { buildId, artifact };
  }

  /** An artifact's bytes; undefined where they were removed. The one who opens it ends the stream. */
  open(buildId: number, artifact: Artifact, range?: ByteRange): Promise<ReadStream | undefined> {
    return this.#folder.open(buildId, artifact.sha256, range);
  }

  /** Removes a build's artifacts; its tests stay. */
  async removeArtifacts(buildId: number): Promise<void> {
    this.#store.forgetArtifacts(buildId);
    await this.#folder.remove(buildId);
  }
}
