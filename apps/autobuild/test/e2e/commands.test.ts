import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { FaultProxy } from "windsock/testing";
import type { Build } from "../../src/build/build.ts";
import { terminalText } from "../../src/cli/terminal-text.ts";
import { runCommand, type CommandOptions, type CommandResult } from "../support/command.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { until } from "../support/until.ts";

async function started(...lines: string[]) {
  const repository = new TestRepository(steps(...lines));
  const program = await Program.start([repository.folder]);
  const command = (args: readonly string[], options?: CommandOptions): Promise<CommandResult> =>
    runCommand([...args, "--data-dir", program.dataDir], options);
  return { repository, program, command };
}

describe("commands", () => {
  test("show steps that passed at a second attempt, and why a repository is out of reach, on a line", async () => {
    const repository = new TestRepository({
      ".autobuild.json": JSON.stringify({
        steps: [{ name: "unsure", run: "[ -e tried ] || { touch tried; exit 1; }", retry: 1 }],
      }),
    });
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const status = (...args: string[]): Promise<CommandResult> =>
      runCommand(["status", ...args, "--data-dir", program.dataDir]);
    expect((await status("1")).output).toContain("    flaky     unsure: [ -e tried ]");
    renameSync(repository.folder, `${repository.folder}.away`);
    await fetch(`${program.url}/hooks/local`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ repository: repository.folder }),
    });
    let errors = "";
    await until("it is out of reach", async () => {
      ({ errors } = await status());
      return errors !== "";
    });
    expect(errors).toMatch(
      /^.* cannot be reached: git ls-remote exited with 128: fatal: [^\n\uFFFD]+\n$/,
    );
  });

  test("show, run, repeat and cancel builds of the server that runs here", async () => {
    const { repository, program, command } = await started("echo one; exit 3");
    await program.buildEnded(1);
    const status = await command(["status"]);
    expect([status.code, status.output]).toEqual([
      0,
      expect.stringMatching(
        /^✗ #1 project main [0-9a-f]{7} failed in .* s \(step step-1 exited with 3\) {2}first\n$/,
      ),
    ]);
    const one = JSON.parse((await command(["status", "1", "--json"])).output) as Build;
    expect(one).toEqual(await program.build(1));
    expect((await command(["status", "#1"])).output).toContain(
      "failed    step-1 exited with 3: echo one",
    );

    const log = await command(["logs", "1"]);
    expect([log.code, log.output]).toEqual([0, program.logOf(1)]);
    expect((await command(["logs", "1", "-f"])).code).toBe(3);

    repository.commitSteps("fixed", "echo two");
    await program.buildEnded(2);
    const run = await command(["run", "main", "--follow"]);
    expect([run.code, run.output]).toEqual([0, program.logOf(3)]);
    expect((await command(["retry", "--failed"])).errors).toContain(
      "The last build of every branch passed",
    );
    const retried = await command(["retry", "1", "-f"]);
    expect([retried.code, retried.output]).toEqual([3, program.logOf(4)]);

    repository.commitSteps("slow", "sleep 1000");
    await program.buildRuns(5);
    await program.printed(5, "=== step step-1: sleep 1000");
    const soFar = await command(["logs", "5"]);
    expect([soFar.code, soFar.output]).toEqual([0, program.logOf(5)]);
    expect((await command(["cancel", "5"])).output).toMatch(
      /^– #5 project main [0-9a-f]{7} cancelled in/,
    );
    for (const [args, code, message] of [
      [["cancel", "5"], 1, "Expected build 5 to be queued or running"],
      [["status", "99"], 1, "Expected the number of a build, got 99"],
      [["run", "none"], 1, "none"],
      [["logs", "x"], 2, "Expected the number of a build, such as 12, got x."],
      [["cancel"], 2, "Expected the number of a build, got none."],
      [["retry"], 2, "Expected the numbers of builds, or --failed, got neither."],
      [["run", "a", "--branch", "b"], 2, "Expected one branch, got 2: a, b."],
      [["hook"], 2, "Expected install or remove, and one repository, got nothing."],
      [["stauts"], 2, "neither is called so. Did you mean `autobuild status`?"],
      [["status", "--jsno"], 2, 'got "--jsno" (string). Did you mean --json?'],
    ] as const) {
      const result = await command(args);
      expect([args, result.code, result.errors]).toEqual([
        args,
        code,
        expect.stringContaining(message),
      ]);
    }
  }, 120_000);

  test("build a branch of the repository they are typed in, or in a clone of it", async () => {
    const [one, two] = [new TestRepository(steps("true")), new TestRepository(steps("true"))];
    two.git("branch", "topic");
    const program = await Program.start([one.folder, two.folder]);
    await program.buildEnded(2);
    const clone = path.join(temporaryFolder(), "clone");
    two.git("clone", "--quiet", two.folder, clone);
    const run = async (cwd: string, ...args: string[]): Promise<string> => {
      const { code, output, errors } = await runCommand(
        ["run", ...args, "--json", "--data-dir", program.dataDir],
        { cwd },
      );
      if (code !== 0) return errors;
      const { repositoryId, branch } = JSON.parse(output) as Build;
      return `${repositoryId} ${branch}`;
    };
    expect(await run(two.folder, "--branch", "topic")).toBe("2 topic");
    expect(await run(clone)).toBe("2 main");
    expect(await run(one.folder)).toBe("1 main");
    const relative = path.relative(one.folder, two.folder);
    expect(await run(one.folder, "topic", "--repository", relative)).toBe("2 topic");
    const nowhere = temporaryFolder();
    expect(await run(nowhere)).toBe(
      `Expected to know which of 2 repositories is meant, and ${nowhere} is in none of them. Give --repository <name>: ${one.folder}, ${two.folder}.\n`,
    );
    expect(await run(nowhere, "--repository", "none")).toBe(
      `Expected one repository called "none", got 0. Give one of: ${one.folder}, ${two.folder}.\n`,
    );
  }, 120_000);

  test("follow a log over a connection that breaks, to its last byte", async () => {
    const gate = new Gate();
    const { program } = await started(`seq 2000; ${gate.wait}; seq 2000 4000`);
    await program.printed(1, "2000");
    const proxy = await FaultProxy.open(program.port ?? 0);
    onTestFinished(() => proxy.close());
    const { token } = JSON.parse(
      readFileSync(path.join(program.dataDir, "server.json"), "utf8"),
    ) as { token: string };
    const following = runCommand(["logs", "1", "-f", "--url", `http://127.0.0.1:${proxy.port}`], {
      environment: { AUTOBUILD_TOKEN: token },
    });
    await until("it follows", async () => {
      const health = await (await fetch(`${program.url}/healthz`)).text();
      return health.includes('"name":"log/[build]","actors":1,"clients":1');
    });
    proxy.cut();
    gate.open();
    await program.buildEnded(1);
    const { code, output } = await following;
    expect(code).toBe(0);
    expect(output).toBe(program.logOf(1));
  }, 120_000);

  test("add a repository, by a path from where they are typed", async () => {
    const { repository, program, command } = await started("true");
    const second = new TestRepository(steps("true"));
    const added = await command(["add", "."], { cwd: second.folder });
    expect([added.code, added.output]).toEqual([0, `${second.folder} is built from now on.\n`]);
    await program.buildEnded(2);
    expect((await command(["add", "/no/such/folder"])).code).toBe(1);
    const removed = await command(["remove", second.folder]);
    expect([removed.code, removed.errors]).toEqual([0, `${second.folder} is built no more.\n`]);
    expect((await program.builds()).repositories).toHaveLength(1);
    expect((await command(["remove", second.folder])).code).toBe(1);
    const given = await command(["remove", repository.folder]);
    expect([given.code, given.errors]).toEqual([
      1,
      expect.stringContaining("with which AutoBuild was started. Start it without."),
    ]);
    await command(["add", second.folder]);
    await program.stop();
    expect((await command(["remove", second.folder])).code).toBe(0);
    expect((await command(["remove", second.folder])).code).toBe(1);
  }, 120_000);

  test("reproduce a build as a script that runs, and in a shell", async () => {
    const { program, command } = await started(
      `echo "it's $GREETING of $AUTOBUILD_BRANCH" > out; cat out`,
      "exit 7",
    );
    await program.buildEnded(1);
    const script = await command(["reproduce", "1"]);
    expect(script.code).toBe(0);
    expect(script.output).toContain("export AUTOBUILD_BRANCH=main\n");
    const file = path.join(temporaryFolder(), "build.sh");
    writeFileSync(file, script.output.replace("exit 7", "echo end"));
    const ran = execFileSync("sh", [file], {
      encoding: "utf8",
      env: { ...process.env, GREETING: "x" },
    });
    expect(ran).toBe("it's x of main\nend\n");
    const here = await command(["reproduce", "1", "--run"]);
    expect([here.code, here.output]).toEqual([3, "it's  of main\n"]);
    expect(here.errors).toContain("=== step step-2 exited with 7");

    const shell = await command(["shell", "1"], {
      input: 'cat out; echo "$AUTOBUILD_COMMIT $AUTOBUILD_COOKIE"; exit 5\n',
      environment: { SHELL: "/bin/sh" },
    });
    const { sha } = (await program.build(1))!;
    expect([shell.code, shell.output]).toEqual([5, `it's  of main\n${sha} \n`]);
  }, 120_000);

  test("find the server by the repository they are typed in, and say so when there is none", async () => {
    const repository = new TestRepository(steps("true"));
    const home = temporaryFolder();
    const environment = { HOME: home };
    const none = await runCommand(["status", "--url", "http://127.0.0.1:9"], { environment });
    expect([none.code, none.errors]).toEqual([
      1,
      expect.stringMatching(
        /^Expected an AutoBuild at http:\/\/127\.0\.0\.1:9, got none: .*Give|^Expected an AutoBuild at/,
      ),
    ]);
    const token = await runCommand(["token", "list"], { environment, cwd: repository.folder });
    expect([token.code, token.output]).toEqual([0, ""]);
  }, 120_000);

  test("without one explain themselves", async () => {
    const help = await runCommand(["--help"]);
    expect(help.code).toBe(0);
    for (const name of [
      "serve",
      "add",
      "run",
      "status",
      "logs",
      "cancel",
      "retry",
      "reproduce",
      "shell",
      "watch",
      "plan",
      "hook",
      "user",
      "token",
      "secret",
      "backup",
    ])
      expect(help.output).toMatch(new RegExp(`^ {2}${name} `, "m"));
    expect(help.output).toContain("Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3");
  });
});

describe("output of a build in a terminal", () => {
  test.each([
    ["colours stay", "\u001B[1;31mred\u001B[0m", "\u001B[1;31mred\u001B[0m"],
    ["a title", "\u001B]0;title\u0007x", "x"],
    ["a title without an end", "\u001B]0;title", ""],
    ["a link", "\u001B]8;;http://x\u001B\\link\u001B]8;;\u001B\\", "link"],
    ["the clipboard", "\u001B]52;c;aGk=\u0007", ""],
    ["a request for an answer", "\u001B[6n\u001B[c\u001B[>q", ""],
    ["a cleared screen", "\u001B[2J\u001B[Hx", "x"],
    ["a reset", "\u001Bcx", "x"],
    ["a device control string", '\u001BP$q"p\u001B\\x', "x"],
    ["C1 controls", "\u009b31mx\u0085", "31mx"],
    ["bells and backspaces", "a\u0007\bb", "ab"],
    ["a progress bar", "10 %\r50 %\r100 %\r", "100 %"],
    ["CRLF", "line\r", "line"],
    ["direction", "a\u202Eb", "ab"],
    ["an escape at the end", "x\u001B", "x"],
    ["tabs and umlauts stay", "\tä", "\tä"],
  ])("%s", (_what, text, shown) => {
    expect(terminalText(text)).toBe(shown);
    expect(terminalText(`${text}\n${text}`)).toBe(`${shown}\n${shown}`);
  });
});
