import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { isRunning, until } from "../support/until.ts";
import { Watcher } from "../support/watcher.ts";

describe("the program", () => {
  test("says that its port is taken, and has built nothing by then", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await until("the other one listens", () => other.listening);
    const { port } = other.address() as AddressInfo;
    const witness = path.join(temporaryFolder(), "ran");
    const repository = new TestRepository(steps(`touch '${witness}'`));
    const program = new Program([repository.folder], { port });
    expect(await program.ended()).toBe(1);
    expect(program.errors).toMatch(
      new RegExp(`^Expected port ${port} of 127\\.0\\.0\\.1 to be free, got it taken.*\\n$`),
    );
    expect(program.output).toBe("");
    expect(existsSync(witness)).toBe(false);
    expect(existsSync(path.join(program.dataDir, "builds"))).toBe(false);
  });

  test("says what is wrong with a repository that is none", async () => {
    const none = /^Expected a git repository at .*, and found none\. Name another path or a URL\./;
    const cases: [string, RegExp][] = [
      ["/no/such/folder", none],
      [temporaryFolder(), none],
      ["ext::sh -c id", /can run any program/],
    ];
    for (const [repository, message] of cases) {
      const program = new Program([repository]);
      expect([repository, await program.ended()]).toEqual([repository, 1]);
      expect(program.errors).toMatch(message);
      expect(program.errors).not.toContain("    at ");
    }
    const option = new Program(["--upload-pack=x"]);
    expect(await option.ended()).toBe(2);
    expect(option.errors).toContain('Expected an option that there is, got "--upload-pack"');
  });

  test("says what is missing where the bundler of the page is not installed for this machine", async () => {
    vi.stubEnv("NAPI_RS_FORCE_WASI", "error");
    onTestFinished(() => void vi.unstubAllEnvs());
    const program = new Program([new TestRepository(steps("true")).folder]);
    expect(await program.ended()).toBe(1);
    expect(program.errors).toMatch(
      /^Expected rolldown, .* with its binding for \w+-\w+, got none that loads\. Run `npx -y pnpm@12 install` .*\n$/,
    );
    expect(program.output).toBe("");
  });

  test("leaves a data folder to the one that has it", async () => {
    const repository = new TestRepository(steps("true"));
    const first = await Program.start([repository.folder]);
    const second = new Program([repository.folder], { dataDir: first.dataDir });
    expect(await second.ended()).toBe(1);
    expect(second.errors).toContain("Expected to be the only AutoBuild that uses");
    expect(await first.buildEnded(1)).toMatchObject({ state: "passed" });
  });

  test("shows a URL that leads nowhere as a problem, and builds the others", async () => {
    const repository = new TestRepository(steps("echo fine"));
    const nowhere = "http://127.0.0.1:9/nowhere.git";
    const program = await Program.start([nowhere, repository.folder]);
    expect(await program.buildEnded(1)).toMatchObject({ state: "passed", repository: "project" });
    await until("it is a problem", async () => {
      const { repositories } = await program.builds();
      return repositories.some(({ state }) => state.type === "unreachable");
    });
    const { repositories } = await program.builds();
    expect(repositories.find(({ label }) => label === nowhere)?.state).toMatchObject({
      type: "unreachable",
      message: expect.stringMatching(/^git ls-remote exited with 128: .*127\.0\.0\.1/s),
    });
    expect(program.errors).toContain(nowhere);
    program.child.kill("SIGTERM");
    expect(await program.ended()).toBe(0);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "ends on %s with 0, without a child, and with its viewers told",
    async (signal) => {
      const pids = path.join(temporaryFolder(), "pids");
      const repository = new TestRepository(
        steps(`sleep 1000 & echo $! $$ > '${pids}'; echo begin; sleep 1000`),
      );
      const program = await Program.start([repository.folder]);
      await program.printed(1, "begin");
      const watcher = await Watcher.open(`${program.url}/websocket/status`);
      program.child.kill(signal);
      // A package manager between the terminal and us hands the signal of one key on a second time.
      if (signal === "SIGINT") program.child.kill(signal);
      expect(await program.ended()).toBe(0);
      for (const pid of readFileSync(pids, "utf8").trim().split(" "))
        await until(`${pid} is gone`, () => !isRunning(Number(pid)));
      await watcher.seen("it is told", ({ closed }) => closed?.code === 1012);
      expect(program.errors).toBe("");
    },
  );

  test.each(["SIGKILL", "SIGTERM"] as const)(
    "ended by %s leaves its build to go on, and the next one shows it without a line lost",
    async (signal) => {
      const gate = new Gate();
      const repository = new TestRepository(
        steps(`seq 500; echo begin; ${gate.wait}; seq 500 1000`),
      );
      const ended = await Program.start([repository.folder], { leavesBuilds: true });
      await ended.printed(1, "begin");
      const watcher = await Watcher.open(`${ended.url}/websocket/status`);
      await watcher.seen("the lines", ({ log }) => log.endsWith("begin\n"));
      ended.child.kill(signal);
      await ended.ended();
      expect(ended.output.includes("build 1 goes on")).toBe(signal === "SIGTERM");

      const { dataDir } = ended;
      const program = await Program.start([repository.folder], { dataDir });
      expect(await program.build(1)).toMatchObject({ state: "running" });
      gate.open();
      expect(await program.buildEnded(1)).toMatchObject({ state: "passed" });
      expect(program.logOf(1).slice(0, watcher.log.length)).toBe(watcher.log);
      expect(program.logOf(1)).toMatch(/\nbegin\n500\n.*\n1000\n=== build 1 passed in .*\n$/s);
      expect((await program.builds()).builds).toHaveLength(1);
    },
  );

  test("lives on when the terminal that it was started in has gone", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    program.child.stdout?.destroy();
    program.child.stderr?.destroy();
    repository.commitSteps("talkative", "seq 20000");
    expect(await program.buildEnded(2)).toMatchObject({ state: "passed" });
  });
});
