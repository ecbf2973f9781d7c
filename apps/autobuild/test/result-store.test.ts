import { describe, expect, onTestFinished, test } from "vitest";
import type { Build, StepState } from "../src/build/build.ts";
import type { Plan } from "../src/plan/plan.ts";
import { ArtifactFolder } from "../src/results/artifacts.ts";
import { Results } from "../src/results/results.ts";
import type { TestCase, TestState } from "../src/results/test-case.ts";
import { openDatabase } from "../src/store/database.ts";
import { ResultStore } from "../src/store/result-store.ts";
import { Store } from "../src/store/store.ts";
import { newBuildOf } from "./support/builds.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

function rig() {
  const database = openDatabase(temporaryFolder());
  onTestFinished(() => database.close());
  const store = new Store(database);
  const repository = store.repository("/project", "project").id;
  const build = (sha: string, branch = "main"): number => {
    const { id } = store.insertBuild(newBuildOf(repository, { branch, sha }));
    return id;
  };
  return { database, results: new ResultStore(database), store, repository, build };
}

function report(count: number): string {
  const cases = Array.from({ length: count }, (_, index) => `<testcase name="t${index}"/>`);
  return `<testsuite name="s">${cases.join("")}</testsuite>`;
}

function testCase(name: string, state: TestState, more: Partial<TestCase> = {}): TestCase {
  return {
    suite: "suite",
    name,
    state,
    isFlaky: false,
    durationMs: 10,
    message: state === "failed" ? "is wrong" : null,
    details: null,
    file: null,
    line: null,
    ...more,
  };
}

const nothing = { artifacts: [], problems: [] };

describe("results", () => {
  test("list what failed first, and say what failed before on the branch too", async () => {
    const { results, repository, build } = rig();
    const save = (id: number, ...tests: TestCase[]) =>
      results.save(id, repository, { position: 1, tests, ...nothing });
    await save(build("a"), testCase("old", "failed"), testCase("new", "passed"));
    await save(build("x", "other"), testCase("new", "failed"));
    const now = build("b");
    await save(
      now,
      testCase("fast", "passed", { durationMs: 1 }),
      testCase("slow", "passed", { durationMs: 500 }),
      testCase("later", "skipped", { message: "not now", durationMs: 0 }),
      testCase("mended", "passed", { isFlaky: true, message: "first try" }),
      testCase("old", "failed"),
      testCase("new", "failed", { details: "a stack", file: "a.ts", line: 3, durationMs: 20 }),
    );
    expect(results.counts(now)).toEqual({ passed: 3, failed: 2, skipped: 1, flaky: 1 });
    expect(results.tests(now).map(({ name, isNew, message }) => [name, isNew, message])).toEqual([
      ["new", true, "is wrong"],
      ["old", false, "is wrong"],
      ["mended", false, "first try"],
      ["slow", false, null],
      ["fast", false, null],
      ["later", false, "not now"],
    ]);
    expect(results.tests(now)[0]).toMatchObject({ details: "a stack", file: "a.ts", line: 3 });
    expect(results.tests(now, 1)).toHaveLength(1);
  });

  test("saved again take the place of what was saved before, as after a crash in between", async () => {
    const { results, repository, build } = rig();
    const id = build("a");
    const artifact = { position: 1, name: "out/a.txt", bytes: 3, sha256: "a".repeat(64) };
    const first = {
      position: 1,
      tests: [testCase("one", "failed")],
      artifacts: [artifact],
      problems: ["p"],
    };
    await results.save(id, repository, first);
    await results.save(id, repository, {
      ...first,
      tests: [testCase("one", "passed")],
      problems: [],
    });
    await results.save(id, repository, { ...first, position: 2, tests: [], artifacts: [] });
    expect(results.counts(id)).toEqual({ passed: 1, failed: 0, skipped: 0, flaky: 0 });
    expect(results.artifacts(id)).toEqual([artifact]);
    expect(results.artifact(id, 1, "out/a.txt")).toEqual(artifact);
    expect(results.problems(id)).toEqual(["p"]);
    results.forgetArtifacts(id);
    expect(results.artifacts(id)).toEqual([]);
  });

  test("are collected once, also when the server dies before the build's end is written down", async () => {
    const { database, results: store, repository, build } = rig();
    const id = build("a");
    const workspace = temporaryFolder();
    writeFiles(workspace, { "junit.xml": report(2), "out/a.txt": "first" });
    const results = new Results(store, new ArtifactFolder(temporaryFolder()));
    const step = { name: "test", reports: ["junit.xml"], artifacts: ["out/*"] };
    const plan = { steps: [step, { ...step, name: "again" }] } as unknown as Plan;
    const passed = (...states: StepState[]): Build =>
      ({ id, repositoryId: repository, steps: states.map((state) => ({ state })) }) as never;
    // Of the second step nothing is there yet: the server died in between.
    const bytes = await results.collect(passed("passed", "skipped"), plan, workspace);
    writeFiles(workspace, { "junit.xml": report(3), "out/a.txt": "second" });
    expect(await results.collect(passed("passed", "passed"), plan, workspace)).toBeGreaterThan(
      bytes,
    );
    expect(
      results
        .tests(id)
        .map(({ position }) => position)
        .toSorted((left, right) => left - right),
    ).toEqual([0, 0, 1, 1, 1]);
    expect(results.artifacts(id).map(({ position, bytes: size }) => [position, size])).toEqual([
      [0, 5],
      [1, 6],
    ]);
    database.exec("DELETE FROM saved_result");
    await results.collect(passed("passed", "passed"), plan, workspace);
    expect(results.tests(id)).toHaveLength(6);
  });

  test("name what passes and fails by chance, the worst first", async () => {
    const { results, repository, build } = rig();
    const save = (sha: string, ...tests: TestCase[]) =>
      results.save(build(sha), repository, { position: 0, tests, ...nothing });
    await save(
      "old",
      testCase("forgotten", "failed"),
      testCase("forgotten", "passed", { isFlaky: true }),
    );
    await save(
      "a",
      testCase("by chance", "failed"),
      testCase("broken", "failed"),
      testCase("good", "passed"),
    );
    await save(
      "a",
      testCase("by chance", "passed"),
      testCase("broken", "failed"),
      testCase("good", "passed"),
    );
    await save(
      "b",
      testCase("by chance", "failed"),
      testCase("retried", "passed", { isFlaky: true }),
    );
    await save("c", testCase("by chance", "skipped"), testCase("broken", "passed"));
    expect(results.flaky(repository, { builds: 4 })).toEqual([
      { suite: "suite", name: "by chance", runs: 3, failures: 2, lastBuildId: 4 },
      { suite: "suite", name: "retried", runs: 1, failures: 1, lastBuildId: 4 },
    ]);
  });

  test("find the newest build that passed and kept a file", async () => {
    const { results, store, repository, build } = rig();
    const keep = async (sha: string, state: "passed" | "failed"): Promise<number> => {
      const id = build(sha);
      const artifacts = [{ position: 0, name: "app.tgz", bytes: 1, sha256: sha.repeat(64) }];
      await results.save(id, repository, { position: 0, tests: [], artifacts, problems: [] });
      store.startBuild(id, "cookie", 1);
      store.endBuild(id, { state, reason: null, finishedMs: 2, durationMs: 1, logBytes: 0 });
      return id;
    };
    const passed = await keep("a", "passed");
    await keep("b", "failed");
    expect(results.latestWith(repository, "main", "app.tgz")).toBe(passed);
    expect(results.latestWith(repository, "main", "other")).toBeUndefined();
  });

  test("of 20,000 tests are saved and listed whole, bounded", async () => {
    const { results, repository, build } = rig();
    const id = build("a");
    const tests = Array.from({ length: 20_000 }, (_, index) => testCase(`test ${index}`, "passed"));
    await results.save(id, repository, { position: 0, tests, ...nothing });
    expect(results.counts(id).passed).toBe(20_000);
    expect(results.tests(id, 5000)).toHaveLength(1000);
  });
});
