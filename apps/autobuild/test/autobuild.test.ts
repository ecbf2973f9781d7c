import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createAutobuild } from "../src/autobuild.ts";
import { Gate } from "./support/gate.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { steps, TestRepository, writeFiles } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { isRunning, until } from "./support/until.ts";

describe("a repository", () => {
  test("is built at its current branch when first seen, and at each commit that comes", async () => {
    const repository = new TestRepository(steps("echo one"));
    repository.git("branch", "old");
    const server = await TestServer.start({ repositories: [repository.folder] });
    expect(await server.ended(1)).toMatchObject({
      state: "passed",
      branch: "main",
      subject: "first",
      author: "Ann",
      cause: "commit",
    });

    const sha = repository.commitSteps("second", "echo two");
    expect(await server.ended(2)).toMatchObject({ state: "passed", branch: "main", sha });
    repository.git("checkout", "--quiet", "-b", "topic");
    repository.commitSteps("third", "echo three");
    expect(await server.ended(3)).toMatchObject({
      state: "passed",
      branch: "topic",
      subject: "third",
    });
    expect(server.autobuild.builds.list()).toHaveLength(3);
    expect(server.seen).toEqual([
      "1 queued",
      "1 running",
      "1 passed",
      "2 queued",
      "2 running",
      "2 passed",
      "3 queued",
      "3 running",
      "3 passed",
    ]);
  });

  test("is looked at as soon as a branch or a tag moves, without waiting for the next look", async () => {
    const tagged = (run: string) => ({
      ".autobuild.json": JSON.stringify({ when: { tag: "*" }, steps: [{ name: "a", run }] }),
    });
    const repository = new TestRepository(tagged("true"));
    const server = await TestServer.start({
      repositories: [repository.folder],
      localPollMs: 60_000,
    });
    await server.ended(1);
    repository.commit("second", tagged("true"));
    expect(await server.ended(2)).toMatchObject({ subject: "second" });
    repository.git("checkout", "--quiet", "-b", "deep/er/topic");
    expect(await server.ended(3)).toMatchObject({ branch: "deep/er/topic" });
    repository.commit("third", tagged("true"));
    expect(await server.ended(4)).toMatchObject({ subject: "third" });
    repository.git("pack-refs", "--all");
    repository.commit("fourth", tagged("true"));
    expect(await server.ended(5)).toMatchObject({ subject: "fourth" });
    repository.git("tag", "v1");
    expect(await server.ended(6)).toMatchObject({ branch: "tag v1" });
  });

  test("has a commit of a branch built once, also when the branch comes back to it", async () => {
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.ended(1);
    const second = repository.commitSteps("second", "true");
    await server.ended(2);
    repository.git("reset", "--quiet", "--hard", "HEAD~1");
    repository.git("branch", "marker");
    await server.ended(3); // The new branch: looks since the reset are over.
    repository.git("reset", "--quiet", "--hard", second);
    repository.git("branch", "marker-2");
    await server.ended(4);
    expect(server.autobuild.builds.list().map(({ branch }) => branch)).toEqual([
      "marker-2",
      "marker",
      "main",
      "main",
    ]);
  });

  test("has its branches built whatever they are called, and nothing else happens", async () => {
    const repository = new TestRepository(steps('echo "on $AUTOBUILD_BRANCH"'));
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.ended(1);
    const names = [
      "--upload-pack=x",
      "-h",
      "$(touch${IFS}x)",
      "a;b",
      "ünï😀",
      "`id`",
      "%0a",
      "HEAD",
    ];
    for (const name of names) repository.git("update-ref", `refs/heads/${name}`, "HEAD");
    await server.until(
      "all are built",
      () =>
        server.autobuild.builds.list().filter(({ state }) => state === "passed").length ===
        names.length + 1,
    );
    const built = server.autobuild.builds.list().slice(0, names.length);
    expect(built.map(({ branch }) => branch).toSorted()).toEqual(names.toSorted());
    for (const build of built)
      expect(await server.logOf(build.id)).toContain(`\non ${build.branch}\n`);
  });

  test("that is not there says so, is tried again later and later, and is built once it is there", async () => {
    const clock = new ManualClock();
    const repository = new TestRepository(steps("true"));
    const { folder } = repository;
    const aside = `${folder}-aside`;
    repository.git("clone", "--quiet", "--bare", folder, aside);
    repository.remove();
    const server = await TestServer.start({ repositories: [folder], clock, localPollMs: 1000 });
    const waits: (number | undefined)[] = [];
    for (let failures = 1; failures <= 3; failures++) {
      const state = await server.until(`look ${failures} has failed`, () => {
        const [found] = server.autobuild.builds.repositories();
        return (
          found?.state.type === "unreachable" && found.state.failures === failures && found.state
        );
      });
      expect(state.message).toContain("does not appear to be a git repository");
      await until("the next look is planned", () => clock.nextDelayMs !== undefined);
      waits.push(clock.nextDelayMs);
      if (failures < 3) clock.advance(clock.nextDelayMs ?? 0);
    }
    expect(waits).toEqual([2000, 4000, 8000]);
    new TestRepository().git("clone", "--quiet", aside, folder);
    clock.advance(8000);
    expect(await server.ended(1)).toMatchObject({ state: "passed" });
  });

  test("that disappears and comes back goes on, and what moved meanwhile is built, also by force", async () => {
    const repository = new TestRepository(steps("true"));
    const { folder } = repository;
    const server = await TestServer.start({ repositories: [folder], maxBackoffMs: 200 });
    const stateIs = (type: string) => () =>
      server.autobuild.builds.repositories()[0]?.state.type === type;
    await server.ended(1);
    renameSync(folder, `${folder}-aside`);
    await server.until("it is out of reach", stateIs("unreachable"));
    renameSync(`${folder}-aside`, folder);
    repository.git("commit", "--quiet", "--amend", "-m", "amended");
    expect(await server.ended(2)).toMatchObject({ state: "passed", subject: "amended" });
    expect(stateIs("reachable")()).toBe(true);
    repository.git("checkout", "--quiet", "--orphan", "other");
    repository.commitSteps("from nothing", "true");
    repository.git("branch", "--force", "main", "other");
    await server.ended(3);
    const both = [await server.ended(3), await server.ended(4)].map(({ branch }) => branch);
    expect(both.toSorted()).toEqual(["main", "other"]);
  });

  // The watch had gone with the one that was moved: commits of the other were seen by polls alone.
  test("in whose place another one lies is watched as that one", async () => {
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({
      repositories: [repository.folder],
      localPollMs: 3_600_000,
    });
    await server.ended(1);
    const look = () =>
      server.autobuild.webhooks.handle(
        new Request("http://127.0.0.1/hooks/local", {
          method: "POST",
          body: JSON.stringify({ repository: repository.folder }),
        }),
        "local",
      );
    const other = new TestRepository(steps("echo other"));
    renameSync(repository.folder, `${repository.folder}-away`);
    renameSync(other.folder, repository.folder);
    await look();
    await server.ended(2);
    repository.commitSteps("seen at once", "true");
    expect(await server.ended(3)).toMatchObject({ subject: "seen at once" });
  });

  test("whose copy somebody removed is copied anew", async () => {
    const repository = new TestRepository(steps("true"));
    const dataDir = temporaryFolder();
    const server = await TestServer.start({ repositories: [repository.folder], dataDir });
    await server.ended(1);
    rmSync(path.join(dataDir, "mirrors"), { recursive: true });
    repository.commitSteps("second", "true");
    expect(await server.ended(2)).toMatchObject({ state: "passed", subject: "second" });
  });

  test("without commits waits for the first one", async () => {
    const repository = new TestRepository();
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.until("it was looked at", () => {
      const [found] = server.autobuild.builds.repositories();
      return found?.state.type === "reachable" && found.state.headBranch === null;
    });
    repository.commitSteps("first", "true");
    expect(await server.ended(1)).toMatchObject({ state: "passed", subject: "first" });
  });

  test("on no branch has that commit built", async () => {
    const repository = new TestRepository(steps("true"));
    repository.git("checkout", "--quiet", "--detach");
    const sha = repository.commitSteps("loose", "true");
    const server = await TestServer.start({ repositories: [repository.folder] });
    expect(await server.ended(1)).toMatchObject({ state: "passed", branch: "detached HEAD", sha });
  });

  test("has what moved while AutoBuild was off built at its next start", async () => {
    const repository = new TestRepository(steps("true"));
    const dataDir = temporaryFolder();
    const first = await TestServer.start({ repositories: [repository.folder], dataDir });
    await first.ended(1);
    await first.autobuild.stop();
    repository.commitSteps("second", "true");
    const second = await TestServer.start({ repositories: [repository.folder], dataDir });
    expect(await second.ended(2)).toMatchObject({ subject: "second" });
    expect(second.autobuild.builds.list()).toHaveLength(2);
  });
});

describe("a build", () => {
  test("tells its course in the log, from a header to a result", async () => {
    const repository = new TestRepository();
    repository.commitSteps(
      "say \u001b[31mred",
      "printf '\\033[32mok\\033[0m\\r\\n'",
      "exit 3",
      "echo never",
    );
    const server = await TestServer.start({ repositories: [repository.folder] });
    const build = await server.ended(1);
    expect(build).toMatchObject({ state: "failed", reason: "step step-2 exited with 3" });
    expect(build.steps.map(({ name, state, reason }) => [name, state, reason])).toEqual([
      ["step-1", "passed", null],
      ["step-2", "failed", "exited with 3"],
      ["step-3", "skipped", null],
    ]);
    expect((await server.logOf(1)).replaceAll(/\d+\.\d s/g, "N s").split("\n")).toEqual([
      `=== build 1 of project main ${build.sha.slice(0, 7)} say \ufffd[31mred`,
      "=== plan: found .autobuild.json with 3 steps",
      "=== step step-1: printf '\\033[32mok\\033[0m\\r\\n'",
      "\u001b[32mok\u001b[0m",
      "=== step step-2: exit 3",
      "=== step step-2 exited with 3 after N s",
      "=== build 1 failed in N s: step step-2 exited with 3",
      "",
    ]);
    expect(build.logBytes).toBe(Buffer.byteLength(await server.logOf(1)));
  });

  test("that fails does not keep the next one from running", async () => {
    const repository = new TestRepository(steps("false"));
    const server = await TestServer.start({ repositories: [repository.folder] });
    expect(await server.ended(1)).toMatchObject({ state: "failed" });
    repository.commitSteps("better", "true");
    expect(await server.ended(2)).toMatchObject({ state: "passed" });
  });

  test("that does not know how, or has a wrong configuration, fails with a sentence", async () => {
    const repository = new TestRepository({ "README.md": "hello" });
    const server = await TestServer.start({ repositories: [repository.folder] });
    expect(await server.ended(1)).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("found none of: .autobuild.yml"),
    });
    expect(await server.logOf(1)).toMatch(
      /Add a file \.autobuild\.yml such as:\nsteps:\n  - name: test\n.*\n$/,
    );
    repository.commit("wrong", { ".autobuild.json": '{"steps":7}' });
    expect(await server.ended(2)).toMatchObject({
      state: "failed",
      reason:
        '.autobuild.json:1:10: Expected `steps` to be an array of 1 to 100 steps, got 7 (number).\n> 1 | {"steps":7}\n    |          ^',
    });
  });

  test("that takes too long is ended, and says so", async () => {
    const repository = new TestRepository();
    repository.commit("slow", {
      ".autobuild.json": JSON.stringify({
        steps: [{ name: "slow", run: ["sleep", "1000"], timeoutMs: 300 }],
      }),
    });
    const server = await TestServer.start({ repositories: [repository.folder] });
    expect(await server.ended(1)).toMatchObject({
      state: "failed",
      reason: "step slow ran out of its time of 0.3 s",
    });
  });

  test("that takes too long as a whole is ended, too", async () => {
    const repository = new TestRepository();
    repository.commit("slow", {
      ".autobuild.json": JSON.stringify({
        steps: [{ name: "slow", run: ["sleep", "1000"] }],
        timeout: "2s",
      }),
    });
    const server = await TestServer.start({ repositories: [repository.folder] });
    expect(await server.ended(1)).toMatchObject({
      state: "failed",
      reason: "the build ran out of its time of 2.0 s",
      // On a slow machine its time is over before the step begins.
      steps: [{ state: expect.stringMatching(/^(?:cancelled|skipped)$/) }],
    });
  });

  // "0.1 s", and half a second between its start and its end: the duration left out the runner's own start.
  test("takes as long as it says: from its start to its end", async () => {
    const repository = new TestRepository(steps("true"));
    const preload = path.join(temporaryFolder(), "late.cjs");
    writeFiles(path.dirname(preload), {
      "late.cjs":
        "if (/runner-main/.test(process.argv[1])) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);",
    });
    vi.stubEnv("NODE_OPTIONS", `--require=${preload}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const server = await TestServer.start({ repositories: [repository.folder] });
    const { startedMs, finishedMs, durationMs } = await server.ended(1);
    expect(durationMs).toBeGreaterThan(2900);
    expect(Math.abs(finishedMs! - startedMs! - durationMs!)).toBeLessThan(2900);
  });

  test("can be repeated", async () => {
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({ repositories: [repository.folder] });
    const first = await server.ended(1);
    expect(server.autobuild.builds.rebuild(1)).toMatchObject({
      id: 2,
      state: "queued",
      cause: "rebuild",
      causeBuildId: 1,
    });
    expect(await server.ended(2)).toMatchObject({
      state: "passed",
      sha: first.sha,
      branch: "main",
    });
    expect(() => server.autobuild.builds.rebuild(99)).toThrow(
      expect.objectContaining({ code: "AUTOBUILD_NO_SUCH_BUILD" }),
    );
  });

  test("can be cancelled while it runs, and is so when nothing of it is left", async () => {
    const repository = new TestRepository(
      steps("echo $$ > ../pid; echo started; exec sleep 1000", "echo never"),
    );
    const dataDir = temporaryFolder();
    const server = await TestServer.start({ repositories: [repository.folder], dataDir });
    await server.printed(1, "started");
    const pid = Number(readFileSync(path.join(dataDir, "workspaces/pid"), "utf8"));
    expect(isRunning(pid)).toBe(true);
    const build = await server.autobuild.builds.cancel(1, "Ann");
    expect(isRunning(pid)).toBe(false);
    expect(build).toMatchObject({ state: "cancelled", reason: "cancelled by Ann" });
    expect(build.steps.map(({ state }) => state)).toEqual(["cancelled", "skipped"]);
    expect(await server.logOf(1)).toMatch(
      /\n=== build 1 cancelled after .* s: cancelled by Ann\n$/,
    );
    await expect(server.autobuild.builds.cancel(1)).rejects.toMatchObject({
      code: "AUTOBUILD_BUILD_ENDED",
    });
  });

  test.each([
    [
      "stands still, once that has had a minute",
      (_runner: number, clock: ManualClock) => clock.advance(60_000),
      "cancelled by Ann; its runner did not end it within 60 s, and was killed",
    ],
    [
      "dies of it, and is not built again",
      (runner: number) => process.kill(runner, "SIGKILL"),
      "cancelled by Ann; its runner has gone",
    ],
  ])("can be cancelled though its runner %s", async (_what, happens, reason) => {
    const repository = new TestRepository(steps("echo started; exec sleep 1000", "echo never"));
    const dataDir = temporaryFolder();
    const clock = new ManualClock();
    const server = await TestServer.start({ repositories: [repository.folder], dataDir, clock });
    await server.printed(1, "started");
    const file = path.join(dataDir, "builds/1/runner.json");
    const { pid } = JSON.parse(readFileSync(file, "utf8")) as { pid: number };
    process.kill(pid, "SIGSTOP");
    const cancelled = server.autobuild.builds.cancel(1, "Ann");
    happens(pid, clock);
    const build = await cancelled;
    expect(isRunning(pid)).toBe(false);
    expect(build).toMatchObject({ state: "cancelled", reason: expect.stringContaining(reason) });
    expect(build.steps.map(({ state }) => state)).toEqual(["cancelled", "skipped"]);
    expect(await server.logOf(1)).toMatch(/\n=== build 1 cancelled: cancelled by Ann; .*\n$/);
    expect(server.autobuild.builds.list()).toHaveLength(1);
  });

  test("can be cancelled while it waits, and then has no log", async () => {
    const repository = new TestRepository(steps("echo started; sleep 1000"));
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.printed(1, "started");
    const { builds } = server.autobuild;
    builds.rebuild(1);
    expect(builds.queued().map(({ id }) => id)).toEqual([2]);
    expect(builds.running().map(({ id }) => id)).toEqual([1]);
    expect(await builds.cancel(2, "Ann")).toMatchObject({
      state: "cancelled",
      reason: "cancelled by Ann before it started",
    });
    expect(builds.log(2)).toBeUndefined();
    expect(server.autobuild.console.startOf(2)).toBeUndefined();
  });

  test.runIf(existsSync("/dev/full"))(
    "whose log the disk refuses fails and says why, and AutoBuild goes on",
    async () => {
      const repository = new TestRepository(steps("echo started; sleep 1000"));
      const dataDir = temporaryFolder();
      mkdirSync(path.join(dataDir, "builds/1"), { recursive: true });
      symlinkSync("/dev/full", path.join(dataDir, "builds/1/console.log"));
      const server = await TestServer.start({ repositories: [repository.folder], dataDir });
      expect(await server.ended(1)).toMatchObject({
        state: "failed",
        reason: expect.stringMatching(
          /^AutoBuild could not write the build's log: ENOSPC.* Make room on the disk/,
        ),
        logBytes: 0,
      });
      repository.commitSteps("second", "true");
      expect(await server.ended(2)).toMatchObject({ state: "passed" });
      expect(await server.consoleText()).toMatch(/^=== build 2 of /);
    },
  );

  test("keeps the newest workspaces only", async () => {
    const repository = new TestRepository(steps("true"));
    const dataDir = temporaryFolder();
    const server = await TestServer.start({
      repositories: [repository.folder],
      dataDir,
      keptWorkspaces: 2,
    });
    await server.ended(1);
    for (const id of [2, 3, 4]) {
      server.autobuild.builds.rebuild(1);
      await server.ended(id);
    }
    await server.autobuild.stop();
    expect(
      [1, 2, 3, 4].filter((id) => existsSync(path.join(dataDir, "workspaces", String(id)))),
    ).toEqual([3, 4]);
  });
});

describe("the queue", () => {
  test("when full gives up the oldest commit that a newer one of its branch has overtaken", async () => {
    const repository = new TestRepository(steps("echo started; sleep 1000"));
    const server = await TestServer.start({
      repositories: [repository.folder],
      maxQueuedBuilds: 1,
    });
    const { builds } = server.autobuild;
    await server.printed(1, "started");
    repository.commitSteps("second", "true");
    await server.until("the second waits", () => builds.get(2)?.state === "queued");
    repository.commitSteps("third", "true");
    expect(await server.ended(2)).toMatchObject({
      state: "cancelled",
      reason: expect.stringContaining("a newer commit of its branch"),
    });
    expect(builds.queued().map(({ subject }) => subject)).toEqual(["third"]);
    expect(() => builds.rebuild(1)).toThrow(
      expect.objectContaining({ code: "AUTOBUILD_QUEUE_FULL" }),
    );
  });

  test("when full of what nothing has overtaken lets a commit wait outside, and takes it later", async () => {
    const repository = new TestRepository(steps("echo started; sleep 1000"));
    const server = await TestServer.start({
      repositories: [repository.folder],
      maxQueuedBuilds: 1,
      concurrency: 1,
    });
    const { builds } = server.autobuild;
    await server.printed(1, "started");
    repository.git("branch", "one");
    await server.until("the first branch waits", () => builds.get(2)?.branch === "one");
    repository.git("checkout", "--quiet", "-b", "two");
    repository.commitSteps("second", "true");
    await server.until("the other branch was seen", () => {
      const [found] = builds.repositories();
      return found?.state.type === "reachable" && found.state.branchCount === 3;
    });
    expect(builds.list()).toHaveLength(2);
    await builds.cancel(1);
    await builds.cancel(2).catch(() => {});
    expect(await server.ended(3)).toMatchObject({ state: "passed", branch: "two" });
  });

  test("gives a branch up for its newer commit, whether it waits or runs, and builds it should the branch come back", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps("true"));
    const server = await TestServer.start({ repositories: [repository.folder], concurrency: 1 });
    const { builds } = server.autobuild;
    await server.ended(1);
    repository.git("checkout", "--quiet", "-b", "topic");
    const second = repository.commitSteps("second", "echo started", gate.wait);
    await server.printed(2, "started");
    repository.commitSteps("third", "true");
    expect(await server.ended(2)).toMatchObject({
      state: "cancelled",
      reason: "superseded by build 3, a newer commit of its branch",
    });
    expect(await server.ended(3)).toMatchObject({ state: "passed", subject: "third" });
    repository.git("reset", "--quiet", "--hard", second);
    gate.open();
    expect(await server.ended(4)).toMatchObject({ state: "passed", sha: second });
    expect(builds.list()).toHaveLength(4);
  });

  test("lets each commit of the default branch be built, one after another, and says so", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps("echo started", gate.wait));
    const server = await TestServer.start({ repositories: [repository.folder], concurrency: 2 });
    const { builds } = server.autobuild;
    await server.printed(1, "started");
    repository.commitSteps("second", "true");
    await server.until("the second waits", () => builds.get(2));
    repository.commitSteps("third", "true");
    await server.until("the third waits", () => builds.get(3));
    expect(builds.queued().map(({ id, reason }) => [id, reason])).toEqual([
      [2, "waiting for build 1 of the same branch"],
      [3, "waiting for build 1 of the same branch"],
    ]);
    gate.open();
    for (const id of [1, 2, 3]) expect(await server.ended(id)).toMatchObject({ state: "passed" });
  });

  test("runs builds of two repositories side by side", async () => {
    const gate = new Gate();
    const repositories = [1, 2].map(() => new TestRepository(steps("echo started", gate.wait)));
    const server = await TestServer.start({
      repositories: repositories.map(({ folder }) => folder),
      concurrency: 2,
    });
    await server.printed(1, "started");
    await server.printed(2, "started");
    expect(server.autobuild.builds.running()).toHaveLength(2);
    gate.open();
    await server.ended(1);
    await server.ended(2);
  });

  test("runs as many at a time as it may, and the console still shows one after the other", async () => {
    const repository = new TestRepository(
      steps("echo started; while [ ! -e ../go-$AUTOBUILD_BUILD ]; do sleep 0.01; done; echo going"),
    );
    const dataDir = temporaryFolder();
    const server = await TestServer.start({
      repositories: [repository.folder],
      concurrency: 2,
      dataDir,
    });
    await server.printed(1, "started");
    repository.git("branch", "topic");
    await server.printed(2, "started");
    expect(server.autobuild.console.startOf(2)).toBeUndefined();
    writeFiles(dataDir, { "workspaces/go-2": "" });
    await server.ended(2);
    expect(await server.consoleText()).toBe(await server.logOf(1));
    writeFiles(dataDir, { "workspaces/go-1": "" });
    await server.ended(1);
    expect(await server.consoleText()).toBe((await server.logOf(1)) + (await server.logOf(2)));
  });
});

describe("the console", () => {
  test("is all logs in the order of starts, at offsets that a restart keeps", async () => {
    const repository = new TestRepository(steps("echo ünï; seq 1 50"));
    const dataDir = temporaryFolder();
    const first = await TestServer.start({ repositories: [repository.folder], dataDir });
    await first.ended(1);
    repository.commitSteps("second", "echo two; false");
    await first.ended(2);
    const text = await first.consoleText();
    expect(text).toBe((await first.logOf(1)) + (await first.logOf(2)));
    expect(first.autobuild.console.head()).toBe(Buffer.byteLength(text));
    const start = first.autobuild.console.startOf(2);
    expect(start).toBe(Buffer.byteLength(await first.logOf(1)));
    await first.autobuild.stop();

    const second = await TestServer.start({ repositories: [repository.folder], dataDir });
    repository.commitSteps("third", "echo three");
    await second.ended(3);
    const { console } = second.autobuild;
    expect(console.startOf(2)).toBe(start);
    const whole = await second.consoleText();
    expect(whole.startsWith(text)).toBe(true);
    for (const maxBytes of [1, 40, 300, 1e6]) {
      let read = "";
      let next = 0;
      for (let turns = 0; next < console.head(); turns++) {
        expect(turns).toBeLessThan(1000);
        const slice = await console.read(next, maxBytes);
        expect(slice.text.endsWith("\n")).toBe(true);
        expect(slice.next).toBe(next + Buffer.byteLength(slice.text));
        read += slice.text;
        next = slice.next;
      }
      expect(read).toBe(whole);
      expect(await console.read(next, maxBytes)).toEqual({ text: "", next });
    }
  });

  test("passes over a log that somebody removed", async () => {
    const repository = new TestRepository(steps("echo one"));
    const dataDir = temporaryFolder();
    const server = await TestServer.start({ repositories: [repository.folder], dataDir });
    await server.ended(1);
    repository.commitSteps("second", "echo two");
    await server.ended(2);
    rmSync(path.join(dataDir, "builds/1/console.log"));
    const slice = await server.autobuild.console.read(0, 1e6);
    expect(slice).toEqual({ text: await server.logOf(2), next: server.autobuild.console.head() });
  });

  test("grows while a build runs, and tells", async () => {
    const repository = new TestRepository(steps("echo started; sleep 1000"));
    const server = await TestServer.start({ repositories: [repository.folder] });
    let told = 0;
    server.autobuild.on("logAdvanced", () => told++);
    await server.printed(1, "started");
    expect(await server.consoleText()).toMatch(/^=== build 1 of project main .*\nstarted\n$/s);
    expect(told).toBeGreaterThan(0);
  });
});

describe("stopping and starting", () => {
  test("stop ends what runs, queues it again, and the next start builds it", async () => {
    const repository = new TestRepository(
      steps("if [ -e ../again ]; then exit 0; fi; touch ../again; echo started; sleep 1000"),
    );
    const dataDir = temporaryFolder();
    const first = await TestServer.start({ repositories: [repository.folder], dataDir });
    await first.printed(1, "started");
    await first.autobuild.stop();
    expect(first.seen.at(-1)).toBe("1 cancelled");

    const second = await TestServer.start({ repositories: [repository.folder], dataDir });
    expect(second.autobuild.builds.get(1)).toMatchObject({
      state: "cancelled",
      reason: expect.stringContaining("AutoBuild was stopped"),
    });
    expect(await second.ended(2)).toMatchObject({
      state: "passed",
      cause: "requeue",
      causeBuildId: 1,
    });
  });

  test("stop lets what runs go on, and the next start takes it on where it is", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps(`seq 100; echo started; ${gate.wait}; seq 100 200`, "echo second"),
    );
    const dataDir = temporaryFolder();
    const first = await TestServer.start({ repositories: [repository.folder], dataDir });
    await first.printed(1, "started");
    const shown = await first.consoleText();
    await first.autobuild.stop(false);
    expect(first.seen.at(-1)).toBe("1 running");

    const second = await TestServer.start({ repositories: [repository.folder], dataDir });
    expect(second.autobuild.builds.get(1)).toMatchObject({ state: "running" });
    expect(await second.consoleText()).toBe(shown);
    gate.open();
    expect(await second.ended(1)).toMatchObject({
      state: "passed",
      steps: [{ state: "passed" }, { state: "passed" }],
    });
    expect(await second.logOf(1)).toContain("\n200\n=== step step-2: echo second\nsecond\n");
    expect((await second.logOf(1)).startsWith(shown)).toBe(true);
    expect(second.autobuild.builds.list()).toHaveLength(1);
  });

  test("a build that ended while nobody looked is settled at the next start", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo started; ${gate.wait}; echo alone; exit 3`));
    const dataDir = temporaryFolder();
    const first = await TestServer.start({ repositories: [repository.folder], dataDir });
    await first.printed(1, "started");
    await first.autobuild.stop(false);
    gate.open();
    const journal = path.join(dataDir, "builds/1/journal.ndjson");
    await until("it has ended", () => readFileSync(journal, "utf8").includes('"type":"ended"'));
    const endedMs = Date.now();
    const second = await TestServer.start({ repositories: [repository.folder], dataDir });
    const build = await second.ended(1);
    expect(build).toMatchObject({ state: "failed", reason: "step step-1 exited with 3" });
    // It was said to have ended when somebody looked.
    expect(build.finishedMs).toBeLessThanOrEqual(endedMs);
    expect(await second.logOf(1)).toMatch(/\nalone\n.*\n=== build 1 failed in .*\n$/);
  });

  test("a build that was taken on can be cancelled", async () => {
    const repository = new TestRepository(steps("echo started; sleep 1000"));
    const dataDir = temporaryFolder();
    const first = await TestServer.start({ repositories: [repository.folder], dataDir });
    await first.printed(1, "started");
    await first.autobuild.stop(false);
    const second = await TestServer.start({ repositories: [repository.folder], dataDir });
    expect(await second.autobuild.builds.cancel(1, "Ann")).toMatchObject({
      state: "cancelled",
      reason: "cancelled by Ann",
    });
  });

  test("a data folder with a name longer than a socket's may be is served like any other", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`echo started; ${gate.wait}`));
    const dataDir = path.join(temporaryFolder(), "long".repeat(30));
    mkdirSync(dataDir);
    const server = await TestServer.start({ repositories: [repository.folder], dataDir });
    await server.printed(1, "started");
    gate.open();
    expect(await server.ended(1)).toMatchObject({ state: "passed" });
  });

  test.runIf(process.platform === "linux")(
    "a killed server's build goes on; one whose runner is killed as well is lost, its processes are ended, and no shown line is gone",
    async () => {
      const repository = new TestRepository(
        steps(
          "if [ -e ../again ]; then exit 0; fi; touch ../again; setsid sh -c 'echo $$ > ../pid; exec sleep 1000' & seq 1 100; echo started; sleep 1000",
        ),
      );
      const dataDir = temporaryFolder();
      const server = spawn(
        process.execPath,
        [path.join(import.meta.dirname, "support/crashing-server.ts"), dataDir, repository.folder],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      onTestFinished(() => void server.kill("SIGKILL"));
      let said = "";
      server.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
      const logFile = path.join(dataDir, "builds/1/console.log");
      await until(
        "the build has printed",
        () => existsSync(logFile) && readFileSync(logFile, "utf8").endsWith("started\n"),
      );
      const shown = readFileSync(logFile, "utf8");
      repository.commitSteps("second", "echo two");
      await until("the second build waits", () => said.includes("2 queued"));
      const pid = Number(readFileSync(path.join(dataDir, "workspaces/pid"), "utf8"));
      const runner = JSON.parse(
        readFileSync(path.join(dataDir, "builds/1/runner.json"), "utf8"),
      ) as { pid: number };
      server.kill("SIGKILL");
      await until("the server is gone", () => server.signalCode !== null);
      expect([isRunning(pid), isRunning(runner.pid)]).toEqual([true, true]);
      process.kill(runner.pid, "SIGKILL");
      await until("the runner is gone", () => !isRunning(runner.pid));

      const next = await TestServer.start({ repositories: [repository.folder], dataDir });
      const lost = await next.ended(1);
      expect(isRunning(pid)).toBe(false);
      expect(lost).toMatchObject({
        state: "lost",
        reason: expect.stringMatching(
          /^its runner has gone; (?:1 process that it left was|\d+ processes that it left were) killed$/,
        ),
      });
      expect(await next.logOf(1)).toMatch(/\nstarted\n=== build 1 lost: its runner has gone.*\n$/);
      expect(await next.ended(2)).toMatchObject({ state: "passed", subject: "second" });
      expect(await next.ended(3)).toMatchObject({
        state: "passed",
        cause: "requeue",
        causeBuildId: 1,
      });
      const text = await next.consoleText();
      expect(text.startsWith(shown)).toBe(true);
      expect(text).toBe((await next.logOf(1)) + (await next.logOf(2)) + (await next.logOf(3)));
    },
  );

  test("a data folder serves one AutoBuild at a time", async () => {
    const dataDir = temporaryFolder();
    const first = createAutobuild({ dataDir, repositories: [] });
    expect(() => createAutobuild({ dataDir, repositories: [] })).toThrow(
      expect.objectContaining({ code: "AUTOBUILD_DATA_DIR_IN_USE" }),
    );
    await first.stop();
    await createAutobuild({ dataDir, repositories: [] }).stop();
  });

  test("options that are wrong are refused with a sentence", () => {
    const make = (options: object) => () =>
      createAutobuild({ dataDir: temporaryFolder(), repositories: [], ...options });
    expect(make({ concurrency: 0 })).toThrow(
      "Expected `concurrency` to be an integer of at least 1, got 0 (number).",
    );
    expect(make({ maxQueuedBuilds: "200" })).toThrow(
      'Expected `maxQueuedBuilds` to be an integer of at least 1, got "200" (string).',
    );
    expect(make({ sealAfterMs: -1 })).toThrow(
      "Expected `sealAfterMs` to be an integer of at least 0, or null for never, got -1 (number).",
    );
    expect(make({ repositories: ["/etc"], repositoryRoots: ["/srv"] })).toThrow("outside of /srv");
    expect(make({ repositories: ["ext::sh"] })).toThrow(
      expect.objectContaining({ code: "AUTOBUILD_BAD_SOURCE" }),
    );
  });

  test("a repository that is added later lies in an allowed folder, too, also at the next start", async () => {
    const inside = new TestRepository(steps("true"));
    const outside = new TestRepository(steps("true"));
    const dataDir = temporaryFolder();
    const repositoryRoots = [path.dirname(inside.folder)];
    const first = await TestServer.start({ repositories: [], dataDir, repositoryRoots });
    await expect(first.autobuild.addRepository(outside.folder)).rejects.toThrow("lies outside of");
    await first.autobuild.addRepository(inside.folder);
    await first.autobuild.stop();
    const other = new TestRepository(steps("true"));
    const options = { dataDir, repositoryRoots: [other.folder] };
    const second = await TestServer.start({ ...options, repositories: [other.folder] });
    expect(second.problems).toEqual([
      expect.stringMatching(/^One that was added is not built: .* lies outside of /),
    ]);
    await second.until("the other one is built", () =>
      second.autobuild.builds.list().some(({ state }) => state === "passed"),
    );
    expect(second.autobuild.builds.repositories().map(({ label }) => label)).toEqual([
      other.folder,
    ]);
    // It can be taken back all the same.
    await second.autobuild.removeRepository(inside.folder);
    await second.autobuild.stop();
    const third = await TestServer.start({ repositories: [other.folder], dataDir });
    expect(third.problems).toEqual([]);
    expect(third.autobuild.builds.repositories()).toHaveLength(1);
  });

  test("a repository that is removed is looked at no more, and what waits of it is cancelled", async () => {
    const given = new TestRepository(steps("true"));
    const repository = new TestRepository(steps("echo started; sleep 1000"));
    const server = await TestServer.start({ repositories: [given.folder], concurrency: 1 });
    await server.ended(1);
    const { autobuild } = server;
    const removed: string[] = [];
    autobuild.on("repositoryRemoved", ({ label }) => removed.push(label));
    await autobuild.addRepository(repository.folder);
    await server.printed(2, "started");
    repository.commitSteps("next", "true");
    await server.until("it waits", () => autobuild.builds.get(3)?.state === "queued");
    await autobuild.removeRepository(repository.folder);
    expect(removed).toEqual([repository.folder]);
    expect(autobuild.builds.get(3)).toMatchObject({
      state: "cancelled",
      reason: "its repository is built no more",
    });
    expect(autobuild.builds.get(2)).toMatchObject({ state: "running" });
    expect(autobuild.builds.repositories().map(({ label }) => label)).toEqual([given.folder]);
    await expect(autobuild.builds.build(2)).rejects.toThrow("Expected the number of a repository");
    await expect(autobuild.removeRepository(repository.folder)).rejects.toThrow("and none is");
    await expect(autobuild.removeRepository(given.folder)).rejects.toThrow("Start it without");
    // Its user was in the way: it was taken off the list, and looked at all the same.
    await autobuild.addRepository("ssh://git@127.0.0.1:1/ann/project.git");
    const labelOf = () => autobuild.builds.repositories()[1];
    expect(labelOf()).toMatchObject({
      label: "ssh://127.0.0.1:1/ann/project.git",
      isAdded: true,
    });
    expect(autobuild.builds.repositories()[0]?.isAdded).toBe(false);
    await autobuild.removeRepository("ssh://127.0.0.1:1/ann/project.git");
    expect(labelOf()).toBeUndefined();
    await autobuild.builds.cancel(2);
    repository.commitSteps("unseen", "true");
    given.commitSteps("seen", "true");
    expect(await server.ended(4)).toMatchObject({ repositoryId: 1, subject: "seen" });
  });

  test("a listener that throws hurts nobody", async () => {
    const repository = new TestRepository(steps("true"));
    const server = new TestServer({ repositories: [repository.folder] });
    const warnings: string[] = [];
    const handleWarning = (warning: Error): void => void warnings.push(warning.message);
    process.on("warning", handleWarning);
    onTestFinished(() => void process.off("warning", handleWarning));
    server.autobuild.on("buildChanged", () => {
      throw new Error("page is broken");
    });
    await server.autobuild.start();
    expect(await server.ended(1)).toMatchObject({ state: "passed" });
    await until("it is reported", () =>
      warnings.some((message) => message.includes("page is broken")),
    );
  });
});
