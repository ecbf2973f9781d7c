import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openDatabase } from "../src/store/database.ts";
import { OriginStore } from "../src/store/origin-store.ts";
import { CronTimer } from "../src/triggers/cron-timer.ts";
import { HttpRepository } from "./support/http-repository.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary.ts";

const config = (fields: object, run = "true") => ({
  ".autobuild.json": JSON.stringify({ steps: [{ name: "a", run }], ...fields }),
});

describe("a tag", () => {
  test("is built where the configuration asks for it, and those from before AutoBuild are not", async () => {
    const repository = new TestRepository(
      config({ when: { tag: "v*" } }, "echo on $AUTOBUILD_BRANCH"),
    );
    repository.git("tag", "v0.9");
    const server = await TestServer.start({ repositories: [repository.folder] });
    const { builds } = server.autobuild;
    await server.ended(1);
    repository.git("tag", "nightly");
    repository.git("tag", "-a", "-m", "x", "v1.0");
    expect(await server.ended(2)).toMatchObject({ state: "passed", branch: "tag v1.0" });
    repository.git("branch", "marker");
    expect(await server.ended(3)).toMatchObject({ branch: "marker" });
    expect(builds.list()).toHaveLength(3);
  });

  test("is not built otherwise", async () => {
    const repository = new TestRepository(config({}));
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.ended(1);
    repository.git("tag", "v1.0");
    repository.git("branch", "marker");
    expect(await server.ended(2)).toMatchObject({ branch: "marker" });
    expect(server.autobuild.builds.list()).toHaveLength(2);
  });
});

test("tags are built whatever they are called, and nothing else happens", async () => {
  const repository = new TestRepository(config({ when: { tag: "**" } }, "echo tag $AUTOBUILD_TAG"));
  const server = await TestServer.start({ repositories: [repository.folder] });
  const { builds } = server.autobuild;
  await server.ended(1);
  const names = ["--upload-pack=x", "-h", "$(touch${IFS}x)", "a;b", "ünï😀", "`id`", "%0a", "HEAD"];
  for (const name of names) repository.git("update-ref", `refs/tags/${name}`, "HEAD");
  await server.until(
    "all are built",
    () => builds.list().filter(({ state }) => state === "passed").length === names.length + 1,
  );
  const built = builds.list().slice(0, names.length);
  expect(built.map(({ branch }) => branch).toSorted()).toEqual(
    names.map((name) => `tag ${name}`).toSorted(),
  );
  for (const build of built) expect(await server.logOf(build.id)).toContain(`\n${build.branch}\n`);
});

describe("the configuration of a commit", () => {
  test("says which branches are built, and by which files", async () => {
    const rules = { when: { branch: ["**", "!wip/**"], path: "src/**" } };
    const repository = new TestRepository({ ...config(rules), "src/a": "1", "docs/a": "1" });
    const server = await TestServer.start({ repositories: [repository.folder] });
    const { builds } = server.autobuild;
    await server.ended(1);
    repository.git("branch", "wip/x");
    repository.commit("docs only", { ...config(rules), "src/a": "1", "docs/a": "2" });
    const third = repository.commit("both", { ...config(rules), "src/a": "2", "docs/a": "3" });
    expect(await server.ended(2)).toMatchObject({ sha: third });
    expect(builds.list()).toHaveLength(2);
    // Somebody who asks is asked nothing.
    expect(await builds.build(1, { branch: "wip/x" })).toMatchObject({ cause: "manual" });
    expect(await server.ended(3)).toMatchObject({ state: "passed", branch: "wip/x" });
  });

  test("that is wrong is no reason not to build: the build says what is wrong", async () => {
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.ended(1);
    repository.commit("wrong", { ".autobuild.yml": "steps: [\nwhen: {" });
    expect(await server.ended(2)).toMatchObject({
      state: "failed",
      reason: expect.stringContaining(".autobuild.yml:"),
    });
  });

  test("may let each commit of a branch be built to its end", async () => {
    const repository = new TestRepository(config({ cancelSuperseded: false }));
    const server = await TestServer.start({ repositories: [repository.folder], concurrency: 1 });
    await server.ended(1);
    repository.git("checkout", "--quiet", "-b", "topic");
    for (const id of [2, 3]) {
      repository.commit(
        `commit ${id}`,
        config({ cancelSuperseded: false }, `sleep 0.2; echo ${id}`),
      );
      await server.until(`build ${id} is there`, () => server.autobuild.builds.get(id));
    }
    for (const id of [2, 3]) expect(await server.ended(id)).toMatchObject({ state: "passed" });
  });
});

describe("a build that somebody asks for", () => {
  test("is of the default branch as it is now, though it was built, or of what they name", async () => {
    const repository = await HttpRepository.serve(steps("true"));
    const server = await TestServer.start({
      repositories: [repository.url],
      remotePollMs: 3_600_000,
    });
    const { builds } = server.autobuild;
    const first = await server.ended(1);
    expect(await builds.build(1)).toMatchObject({ sha: first.sha, cause: "manual" });
    await server.ended(2);
    const sha = repository.push("second", steps("true"), "topic");
    repository.work.git("push", "--quiet", "origin", "HEAD:refs/tags/v1");
    expect(await builds.build(1, { branch: "topic" })).toMatchObject({ sha, branch: "topic" });
    expect(await builds.build(1, { tag: "v1" })).toMatchObject({ sha, branch: "tag v1" });
    await expect(builds.build(1, { branch: "--upload-pack=x" })).rejects.toMatchObject({
      code: "AUTOBUILD_NO_SUCH_BRANCH",
    });
    await expect(builds.build(9)).rejects.toThrow("the number of a repository");
  });
});

// A commit between the first look and the beginning of the watch waited for the next poll.
test("a commit at any moment of the start is found without a poll", async () => {
  const repository = new TestRepository(steps("true"));
  const server = await TestServer.start({
    repositories: [repository.folder],
    localPollMs: 3_600_000,
    watchedPollMs: 3_600_000,
  });
  const { builds } = server.autobuild;
  let last = "";
  for (let count = 0; count < 20; count++) {
    last = repository.commit(`commit ${count}`, steps(`echo ${count}`));
    await setImmediate();
  }
  const found = await server.until("the last one is there", () =>
    builds.list().find(({ sha }) => sha === last),
  );
  expect(found.branch).toBe("main");
});

describe("a time table", () => {
  test("has the default branch built when its time comes, though nothing changed", async () => {
    const clock = new ManualClock();
    const repository = new TestRepository(config({ cron: ["0 3 * * *"] }));
    const server = await TestServer.start({
      repositories: [repository.folder],
      clock,
      localPollMs: 3_600_000,
    });
    const first = await server.ended(1);
    clock.advance(24 * 60 * 60_000);
    expect(await server.ended(2)).toMatchObject({
      sha: first.sha,
      branch: "main",
      cause: "cron",
      state: "passed",
    });
  });

  function timer(clock: ManualClock, table = { schedule: "*/10 * * * *", timezone: "UTC" }) {
    const kept = new Map<string, number>();
    const due: string[] = [];
    const make = (): CronTimer => {
      const made = new CronTimer({
        clock,
        lastKept: (key) => kept.get(key),
        saveKept: (key, dueMs) => kept.set(key, dueMs),
        handleDue: () => due.push(new Date(clock.epochMs()).toISOString().slice(11, 16)),
      });
      made.set([table]);
      return made;
    };
    return { due, make };
  }

  test("is kept once for each time, also over a restart and when it is read anew", () => {
    const clock = new ManualClock();
    const { due, make } = timer(clock);
    const first = make();
    clock.advance(30 * 60_000);
    expect(due).toEqual(["08:10", "08:20", "08:30"]);
    first.stop();
    const second = make();
    second.set([{ schedule: "*/10 * * * *", timezone: "UTC" }]);
    clock.advance(60_000);
    expect(due).toHaveLength(3);
    second.stop();
    clock.advance(60 * 60_000);
    expect(due).toHaveLength(3);
  });

  test("is kept once when the clock jumps ahead, and not again when it is set back", () => {
    const clock = new ManualClock();
    const { due, make } = timer(clock);
    make();
    clock.setBy(5 * 60 * 60_000);
    clock.advance(60_000);
    expect(due).toEqual(["13:01"]);
    clock.setBy(-30 * 60_000);
    clock.advance(29 * 60_000);
    expect(due).toHaveLength(1);
    clock.advance(20 * 60_000);
    expect(due).toEqual(["13:01", "13:10", "13:20"]);
    // A clock that was a year ahead does not keep it silent for a year.
    clock.setBy(365 * 24 * 60 * 60_000);
    clock.advance(10 * 60_000);
    clock.setBy(-365 * 24 * 60 * 60_000);
    const before = due.length;
    clock.advance(20 * 60_000);
    expect(due.length).toBeGreaterThan(before);
  });

  test("is refused when it is none, or never comes", async () => {
    const { findPlan } = await import("../src/plan/find-plan.ts");
    const { writeFiles } = await import("./support/repository.ts");
    const check = (cron: unknown) => {
      const folder = temporaryFolder();
      writeFiles(folder, config({ cron }));
      return findPlan(folder);
    };
    for (const good of [
      "0 3 * * *",
      "@daily",
      { schedule: "0 3 * * 1-5", timezone: "Europe/Berlin" },
    ])
      await expect(check(good)).resolves.toBeDefined();
    for (const bad of ["* * * * * *", "61 * * * *", "soon", "0 0 30 2 *", 7])
      await expect(check(bad)).rejects.toThrow("a time table such as");
    await expect(check({ schedule: "@daily", timezone: "Mars/Base" })).rejects.toThrow("time zone");
  });
});

describe("what led to a build", () => {
  test("is kept, and what repeats a build comes from where that came from", async () => {
    const repository = new TestRepository(steps("true"));
    const dataDir = temporaryFolder();
    const server = await TestServer.start({ repositories: [repository.folder], dataDir });
    await server.ended(1);
    server.autobuild.builds.rebuild(1);
    await server.ended(2);
    await server.autobuild.stop();
    const database = openDatabase(dataDir);
    const origins = new OriginStore(database);
    const origin = { event: "push", isDefault: true, isTrusted: true, baseSha: null };
    expect(origins.of(1)).toEqual({ ...origin, isSupersedable: true });
    expect(origins.of(2)).toEqual({ ...origin, isSupersedable: false });
    origins.save(1, { ...origins.of(1), isTrusted: false });
    database.exec(
      `INSERT INTO build (repository_id, branch, sha, author, subject, committed_ms, cause, cause_build_id, queued_ms, state)
       SELECT repository_id, branch, sha, author, subject, committed_ms, 'requeue', 1, 0, 'queued' FROM build WHERE id = 1`,
    );
    expect(origins.of(3)).toMatchObject({ isTrusted: false, isSupersedable: true });
    database.close();
  });
});

describe("many branches", () => {
  test("are built as the queue has room, and none is lost", async () => {
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({
      repositories: [repository.folder],
      maxQueuedBuilds: 2,
      concurrency: 1,
    });
    const { builds } = server.autobuild;
    await server.ended(1);
    const sha = repository.git("rev-parse", "HEAD").trim();
    const refs = Array.from({ length: 300 }, (_, index) => `create refs/heads/b${index} ${sha}\n`);
    repository.gitInput(refs.join(""), "update-ref", "--stdin");
    await server.until("they were seen", () => {
      const [found] = builds.repositories();
      return found?.state.type === "reachable" && found.state.branchCount === 301;
    });
    let most = 0;
    await server.until("some are built", () => {
      most = Math.max(most, builds.queued().length);
      return builds.list().length > 6;
    });
    expect(most).toBeLessThanOrEqual(2);
    expect(new Set(builds.list().map(({ branch }) => branch)).size).toBe(builds.list().length);
  });
});
