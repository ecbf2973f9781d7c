import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { defaultStepTimeoutMs, step, type PlannedStep } from "../src/plan/plan.ts";
import { buildEnvironment } from "../src/run/environment.ts";
import { ProcessRunner } from "../src/run/process-runner.ts";
import type { RunEnd, RunOrder, StepEnd } from "../src/run/runner.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { writeFiles } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { isRunning, until } from "./support/until.ts";

/** A run in a temporary folder, whose output is kept as text. */
class TestRun {
  readonly folder = temporaryFolder();
  readonly abort = new AbortController();
  readonly steps: string[] = [];
  output = "";
  readonly order: RunOrder;

  constructor(commands: readonly (string | PlannedStep)[], cookie: string = crypto.randomUUID()) {
    this.order = {
      cookie,
      workspace: this.folder,
      environmentOf: (planned, hasTerminals) =>
        buildEnvironment({
          buildId: 12,
          sha: "abc",
          branch: "main",
          isTerminal: planned.tty && hasTerminals,
          cookie,
          configured: planned.environment,
          passEnv: [],
        }),
      secrets: {},
      steps: commands.map((command, index) =>
        typeof command === "string"
          ? {
              ...shell(command),
              name: `step ${index}`,
              needs: index === 0 ? [] : [`step ${index - 1}`],
            }
          : command,
      ),
      startAttempt: async () => ({
        output: {
          write: (bytes) => {
            this.output += Buffer.from(bytes).toString("utf8");
            return undefined;
          },
          end() {},
        },
        remark() {},
        end: async () => {},
      }),
      handleStepStart: (position) => this.steps.push(`${position} starts`),
      handleStepEnd: ({ position, state, end, attempts }) =>
        this.steps.push(
          `${position} ${end?.type ?? state}${attempts > 1 ? ` at attempt ${attempts}` : ""}`,
        ),
      signal: this.abort.signal,
    };
  }

  run(runner = new ProcessRunner()): Promise<RunEnd> {
    return runner.run(this.order);
  }

  /** The process number that a step wrote into a file. */
  async pidIn(name: string): Promise<number> {
    const file = path.join(this.folder, name);
    await until(
      `${name} is written`,
      () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"),
    );
    return Number(readFileSync(file, "utf8"));
  }
}

function shell(line: string, timeoutMs = defaultStepTimeoutMs): PlannedStep {
  return { ...step("step", "/bin/sh", "-c", line), command: line, timeoutMs, tty: false };
}

async function endOf(...commands: (string | PlannedStep)[]): Promise<StepEnd | undefined> {
  const end = await new TestRun(commands).run();
  return end.type === "failed" ? end.end : undefined;
}

describe("steps", () => {
  // It ended by SIGHUP at once: nobody had its terminal open any more.
  test("may send their own output elsewhere, and close it", async () => {
    const redirected = new TestRun([
      { ...shell("echo before; exec >out.log 2>&1; sleep 0.3; echo after; exit 3"), tty: true },
    ]);
    expect(await redirected.run()).toMatchObject({ end: { type: "exited", code: 3 } });
    expect(redirected.output).toBe("before\r\n");
    expect(readFileSync(path.join(redirected.folder, "out.log"), "utf8")).toBe("after\n");
    const closed = new TestRun([{ ...shell("exec >&- 2>&-; sleep 0.3"), tty: true }]);
    expect(await closed.run()).toEqual({ type: "passed" });
  });

  test("run in order, in the workspace, without input; the first that fails ends the build", async () => {
    const run = new TestRun(["pwd; cat; echo one > file", "cat file; exit 3", "echo never"]);
    expect(await run.run()).toEqual({
      type: "failed",
      position: 1,
      end: { type: "exited", code: 3 },
    });
    expect(run.steps).toEqual(["0 starts", "0 passed", "1 starts", "1 exited", "2 skipped"]);
    expect(run.output).toBe(`${run.folder}\none\n`);
  });

  test.each([true, false])(
    "may print more small pieces than anybody reads one by one (terminal: %j)",
    async (tty) => {
      const flood =
        "const { writeSync } = require('node:fs'); for (let n = 0; n < 20000; n++) writeSync(1, n + '\\n')";
      const run = new TestRun([{ ...shell(""), argv: [process.execPath, "-e", flood], tty }]);
      expect(await run.run()).toEqual({ type: "passed" });
      const lines = Array.from({ length: 20_000 }, (_, n) => `${n}\n`).join("");
      expect(run.output.replaceAll("\r\n", "\n") === lines).toBe(true);
    },
  );

  test("have their two outputs merged in the order they were written", async () => {
    const lines = Array.from(
      { length: 50 },
      (_, index) => `echo ${index} >&${1 + (index % 2)}`,
    ).join("; ");
    const run = new TestRun([lines]);
    await run.run();
    expect(run.output).toBe(Array.from({ length: 50 }, (_, index) => `${index}\n`).join(""));
  });

  test("get arguments as they are, with no shell between", async () => {
    const run = new TestRun([
      { ...shell(""), argv: ["printf", "%s|", "$HOME", "a b", "'", "-x", "*"] },
    ]);
    await run.run();
    expect(run.output).toBe("$HOME|a b|'|-x|*|");
  });

  test("that cannot run fail with what the system says", async () => {
    expect(await endOf({ ...shell(""), argv: ["no-such-program"] })).toEqual({
      type: "exited",
      code: 127,
    });
    expect(await endOf({ ...shell(""), argv: ["/bin/echo", "x".repeat(3_000_000)] })).toMatchObject(
      { type: "notStarted", message: expect.stringContaining("E2BIG") },
    );
    expect(await endOf("kill -SEGV $$")).toEqual({ type: "killed", signal: "SIGSEGV" });
  });

  test("leave nothing behind, and do not wait for what they put into the background", async () => {
    const run = new TestRun([
      "sleep 1000 & echo $! > pid; echo done",
      "kill -0 $(cat pid) && echo still there",
    ]);
    expect(await run.run()).toEqual({ type: "passed" });
    expect(run.output).toBe("done\nstill there\n");
    expect(isRunning(await run.pidIn("pid"))).toBe(false);
  });

  test("have all their output taken, however much it is", async () => {
    const run = new TestRun(["seq 1 200000"]);
    await run.run();
    expect(run.output.length).toBe(1_288_895);
    expect(run.output.endsWith("\n200000\n")).toBe(true);
  });
});

describe("steps that need others", () => {
  const named = (name: string, line: string, ...needs: string[]): PlannedStep => ({
    ...shell(line),
    name,
    needs,
  });

  test("run beside each other, and start when what they need has passed", async () => {
    const run = new TestRun([
      named("a", "until [ -e b ]; do sleep 0.01; done; touch a"),
      named("b", "touch b; until [ -e a ]; do sleep 0.01; done"),
      named("c", "[ -e a ] && [ -e b ] && echo both", "a", "b"),
    ]);
    expect(await run.run()).toEqual({ type: "passed" });
    expect(run.output).toBe("both\n");
    expect(run.steps.slice(0, 2)).toEqual(["0 starts", "1 starts"]);
  });

  test("are skipped when one of them fails, with all that needs them; others run on", async () => {
    const run = new TestRun([
      named("bad", "exit 1"),
      named("after bad", "echo never", "bad"),
      named("after that", "echo never", "after bad"),
      named("other", "until [ -e go ]; do sleep 0.01; done"),
      named("last", "echo last", "other"),
    ]);
    const ended = run.run();
    await until("the skipped ones are said", () => run.steps.includes("2 skipped"));
    writeFiles(run.folder, { go: "" });
    expect(await ended).toEqual({
      type: "failed",
      position: 0,
      end: { type: "exited", code: 1 },
    });
    expect(run.output).toBe("last\n");
  });

  test("are no more at a time than there is room for", async () => {
    const run = new TestRun(
      Array.from({ length: 6 }, (_, index) =>
        named(
          String(index),
          "mkdir slot$$; ls -d slot* 2>/dev/null | wc -l; sleep 0.05; rmdir slot$$",
        ),
      ),
    );
    expect(await run.run(new ProcessRunner({ maxParallel: 2 }))).toEqual({ type: "passed" });
    expect(Math.max(...run.output.trim().split("\n").map(Number))).toBeLessThanOrEqual(2);
  });
});

describe("attempts", () => {
  const flaky = (line: string, times: number, ...on: ("exit" | "timeout")[]): PlannedStep => ({
    ...shell(line),
    retry: { times, on },
  });
  const failTwice = "echo x >> tries; [ $(wc -l < tries) -ge 3 ]";

  test("follow one that failed, as often as the plan says", async () => {
    const run = new TestRun([flaky(failTwice, 2, "exit")]);
    expect(await run.run()).toEqual({ type: "passed" });
    expect(run.steps).toEqual(["0 starts", "0 passed at attempt 3"]);
    const once = new TestRun([flaky(failTwice, 1, "exit")]);
    expect(await once.run()).toMatchObject({ type: "failed" });
    expect(once.steps.at(-1)).toBe("0 exited at attempt 2");
  });

  test("do not follow an end of another kind, or a cancelled one", async () => {
    expect(await new TestRun([flaky(failTwice, 5, "timeout")]).run()).toMatchObject({
      type: "failed",
    });
    const run = new TestRun([flaky("echo $$ > pid; sleep 1000", 5, "exit", "timeout")]);
    const ended = run.run();
    await run.pidIn("pid");
    run.abort.abort();
    expect(await ended).toEqual({ type: "aborted" });
    expect(run.steps).toEqual(["0 starts", "0 aborted"]);
  });
});

describe("a step that prints nothing for too long", () => {
  test("is ended, and one that prints is not", async () => {
    const quiet = { ...shell("echo x; sleep 1000"), silenceTimeoutMs: 100 };
    expect(await endOf(quiet)).toEqual({ type: "silent", silenceMs: 100 });
    const talking = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.05; done";
    expect(await endOf({ ...shell(talking), silenceTimeoutMs: 20_000 })).toBeUndefined();
  });
});

describe("a terminal", () => {
  const onTerminal = (line: string): PlannedStep => ({ ...shell(line), tty: true });

  test("is what a step's output is, with a size and colours, and no input", async () => {
    const run = new TestRun([
      onTerminal('[ -t 1 ] && [ -t 2 ] && stty size <&1; cat; echo "$TERM $FORCE_COLOR"'),
    ]);
    expect(await run.run()).toEqual({ type: "passed" });
    expect(run.output).toBe("50 160\r\nxterm-256color 1\r\n");
  });

  test("has all of a step's output, and tells how it ended", async () => {
    const run = new TestRun([onTerminal("seq 1 100000; kill -SEGV $$")]);
    expect(await run.run()).toMatchObject({ end: { type: "killed", signal: "SIGSEGV" } });
    expect(run.output.endsWith("\r\n100000\r\n")).toBe(true);
    expect(run.output.length).toBe(688_895);
    expect(
      await endOf({ ...onTerminal(""), argv: ["/bin/echo", "x".repeat(3_000_000)] }),
    ).toMatchObject({
      type: "notStarted",
      message: expect.stringContaining("E2BIG"),
    });
  });

  test("ends with its step: TERM, then KILL, and what hid from them", async () => {
    const run = new TestRun([
      onTerminal(
        "trap '' TERM HUP; setsid sh -c 'echo $$ > hidden; exec sleep 1000' & echo $$ > pid; while :; do sleep 0.01; done",
      ),
    ]);
    const ended = run.run(new ProcessRunner({ graceMs: 100 }));
    const pids = [await run.pidIn("pid"), await run.pidIn("hidden")];
    run.abort.abort();
    expect(await ended).toEqual({ type: "aborted" });
    expect(pids.filter(isRunning)).toEqual([]);
  });
});

test("a secret is not in the output, wherever the pipe cuts it", async () => {
  const run = new TestRun([
    {
      ...shell(
        'printf %s "$TOKEN" | head -c 4; sleep 0.05; printf %s "$TOKEN" | tail -c +5; echo; echo "$TOKEN"',
      ),
      environment: { TOKEN: "hunter2hunter3" },
    },
  ]);
  await new ProcessRunner().run({ ...run.order, secrets: { TOKEN: "hunter2hunter3" } });
  expect(run.output).toBe("***\n***\n");
});

describe("a step with an image", () => {
  // A program of that name that writes down what it is asked, and runs the command itself.
  const docker = `#!/bin/sh
printf '%s\\n' "$@" >> "$0.asked"
[ "$1" = run ] || exit 0
while [ "$1" != -- ]; do shift; done
shift 2
exec "$@"
`;

  test("runs in a container, gets variables by name, and leaves no container", async () => {
    const bin = temporaryFolder();
    writeFiles(bin, { docker: docker });
    const run = new TestRun([
      {
        ...shell("echo in $TOKEN"),
        image: "node:26",
        environment: { TOKEN: "secret-value", PATH: `${bin}:${process.env["PATH"]}` },
      },
    ]);
    expect(await run.run()).toEqual({ type: "passed" });
    expect(run.output).toBe("in secret-value\n");
    const asked = readFileSync(path.join(bin, "docker.asked"), "utf8");
    expect(asked).toContain(`--volume=${run.folder}:/workspace\n`);
    expect(asked).toContain("--env=TOKEN\n");
    expect(asked).not.toContain("secret-value");
    expect(asked).toMatch(
      /--\nnode:26\n\/bin\/sh\n-c\necho in \$TOKEN\nrm\n--force\nautobuild-[\w-]+\n$/,
    );
  });

  // Podman asks its input, which was /dev/null: `stty size` in the container said 0 0.
  test("has a terminal of the size that it has without a container", async () => {
    const bin = temporaryFolder();
    writeFiles(bin, { docker: docker });
    const inContainer = (tty: boolean) => ({
      ...shell("stty size || echo none"),
      image: "node:26",
      tty,
      environment: { PATH: `${bin}:${process.env["PATH"]}` },
    });
    const run = new TestRun([inContainer(true)]);
    expect(await run.run()).toEqual({ type: "passed" });
    expect(run.output).toContain("50 160");
    const piped = new TestRun([inContainer(false)]);
    await piped.run();
    expect(piped.output).toContain("none");
  });

  // docker without its server was taken before podman that works; podman without `--userns` could not write files.
  test("takes the program that answers, and docker's name for podman as what it is", async () => {
    const bin = temporaryFolder();
    const version = (answer: string): string =>
      docker.replace(
        '[ "$1" = run ]',
        `[ "$1" != version ] || { ${answer}; exit; }\n[ "$1" = run ]`,
      );
    const isAskedToKeepId = async (name: string): Promise<boolean> => {
      const run = new TestRun([
        {
          ...shell("true"),
          image: "node:26",
          environment: { PATH: `${bin}:${process.env["PATH"]}` },
        },
      ]);
      expect(await run.run()).toEqual({ type: "passed" });
      const asked = path.join(bin, `${name}.asked`);
      const isAsked = readFileSync(asked, "utf8").includes("\n--userns=keep-id\n");
      rmSync(asked);
      return isAsked;
    };
    const isRoot = process.getuid?.() === 0;
    writeFiles(bin, {
      docker: version("echo no server >&2; false"),
      podman: version("echo 'Client:       Podman Engine'"),
    });
    expect(await isAskedToKeepId("podman")).toBe(!isRoot);
    writeFiles(bin, { docker: version("echo 'Client:       Podman Engine'") });
    expect(await isAskedToKeepId("docker")).toBe(!isRoot);
    writeFiles(bin, { docker: version("echo 'Client: Docker Engine'") });
    expect(await isAskedToKeepId("docker")).toBe(false);
  });

  test("gives way to others in the container that docker's server starts, and only there", async () => {
    const bin = temporaryFolder();
    const sharesAsked = async (client: string, niceness: number): Promise<string | undefined> => {
      const answer = `[ "$1" != version ] || { echo 'Client: ${client} Engine'; exit; }\n`;
      writeFiles(bin, { docker: docker.replace("[", () => `${answer}[`) });
      const environment = { PATH: `${bin}:${process.env["PATH"]}` };
      const run = new TestRun([{ ...shell("true"), image: "node:26", environment }]);
      expect(await run.run(new ProcessRunner({ niceness }))).toEqual({ type: "passed" });
      const asked = path.join(bin, "docker.asked");
      const shares = /^--cpu-shares=(.*)$/m.exec(readFileSync(asked, "utf8"))?.[1];
      rmSync(asked);
      return shares;
    };
    expect(await sharesAsked("Docker", 10)).toBe("110");
    expect(await sharesAsked("Docker", 19)).toBe("15");
    expect(await sharesAsked("Docker", 0)).toBeUndefined();
    expect(await sharesAsked("      Podman", 10)).toBeUndefined();
  });

  test("gets what the configuration sets, and not where things are on this machine", async () => {
    const bin = temporaryFolder();
    writeFiles(bin, { docker });
    const run = new TestRun([
      {
        ...shell("true"),
        image: "node:26",
        environment: { PATH: `${bin}:${process.env["PATH"]}`, CARGO_HOME: "/workspace/.cargo" },
      },
    ]);
    expect(await run.run()).toEqual({ type: "passed" });
    const asked = readFileSync(path.join(bin, "docker.asked"), "utf8");
    expect(asked).toContain("--env=CARGO_HOME\n");
    expect(asked).not.toContain("--env=HOME\n");
    // A user without an entry in the image has no home that it may write to.
    expect(asked.includes("--env=HOME=/tmp\n")).toBe(process.getuid?.() !== 0);
  });

  test("says what is missing where there is no program for it", async () => {
    expect(
      await endOf({ ...shell("true"), image: "x", environment: { PATH: "/nowhere" } }),
    ).toEqual({
      type: "notStarted",
      message:
        "expected docker or podman to run step step in x, found neither on the PATH. Install one, or remove `image`",
    });
  });
});

describe("the environment of a step", () => {
  const facts = {
    buildId: 12,
    sha: "abc",
    branch: "main",
    cookie: "c",
    configured: {},
    passEnv: [],
  };

  test("has what tools need and what AutoBuild says, and no secret of the server", () => {
    const own = {
      PATH: "/bin",
      HOME: "/home/ann",
      AWS_SECRET_ACCESS_KEY: "x",
      AUTOBUILD_PORT: "8001",
      NODE_OPTIONS: "--inspect",
      GIT_DIR: "/x",
    };
    expect(buildEnvironment(facts, own)).toEqual({
      PATH: "/bin",
      HOME: "/home/ann",
      CI: "1",
      TERM: "dumb",
      FORCE_COLOR: "0",
      NO_COLOR: "1",
      PAGER: "cat",
      GIT_TERMINAL_PROMPT: "0",
      AUTOBUILD: "1",
      AUTOBUILD_BUILD: "12",
      AUTOBUILD_COMMIT: "abc",
      AUTOBUILD_BRANCH: "main",
      AUTOBUILD_COOKIE: "c",
    });
  });

  test("takes more variables by name, and the configuration's over ours, but never the cookie", () => {
    const configured = { FORCE_COLOR: "1", AUTOBUILD_COOKIE: "mine" };
    const environment = buildEnvironment(
      { ...facts, configured, passEnv: ["TOKEN"] },
      { TOKEN: "t" },
    );
    expect(environment).toMatchObject({ TOKEN: "t", FORCE_COLOR: "1", AUTOBUILD_COOKIE: "c" });
    expect(environment).not.toHaveProperty("NO_COLOR");
  });

  test("of a build within a build carries the outer cookie too", () => {
    expect(buildEnvironment(facts, { AUTOBUILD_COOKIE: "outer" })["AUTOBUILD_COOKIE"]).toBe(
      "outer,c",
    );
  });
});

describe("ending a build", () => {
  test("ends a step that takes too long, and says how long it may take", async () => {
    expect(await endOf(shell("echo x; sleep 1000", 100))).toEqual({
      type: "timedOut",
      timeoutMs: 100,
    });
  });

  test("waits for a step that complies with TERM, and takes its last words", async () => {
    const run = new TestRun([
      "trap 'echo bye; exit 0' TERM; echo $$ > pid; while :; do sleep 0.01; done",
    ]);
    const ended = run.run();
    await run.pidIn("pid");
    run.abort.abort();
    expect(await ended).toEqual({ type: "aborted" });
    expect(run.output).toContain("bye\n");
  });

  test("kills a step that ignores TERM once its grace is over, and not before", async () => {
    const clock = new ManualClock();
    const run = new TestRun([
      "trap 'echo TERM' TERM; echo $$ > pid; while :; do echo tick; sleep 0.02; done",
    ]);
    const ended = run.run(new ProcessRunner({ clock, graceMs: 5000 }));
    const pid = await run.pidIn("pid");
    run.abort.abort();
    clock.advance(4999);
    await until("it has gone on after TERM", () => /TERM\n(tick\n){5}/.test(run.output));
    expect(isRunning(pid)).toBe(true);
    clock.advance(1);
    expect(await ended).toEqual({ type: "aborted" });
    expect(isRunning(pid)).toBe(false);
  });

  test("before it starts runs nothing", async () => {
    const run = new TestRun(["echo x"]);
    run.abort.abort();
    expect(await run.run()).toEqual({ type: "aborted" });
    expect(run.steps).toEqual(["0 skipped"]);
  });

  test.runIf(process.platform === "linux")(
    "reaches children in other sessions, double forks and those that ignore TERM",
    async () => {
      const run = new TestRun([
        "sh hide child & setsid sh hide session & (setsid sh -c '(sh hide forked &) &' &); wait",
      ]);
      writeFiles(run.folder, {
        hide: "trap '' TERM HUP; echo $$ > $1; while :; do sleep 0.01; done",
      });
      const ended = run.run(new ProcessRunner({ graceMs: 100 }));
      const pids = [
        await run.pidIn("child"),
        await run.pidIn("session"),
        await run.pidIn("forked"),
      ];
      expect(pids.every(isRunning)).toBe(true);
      run.abort.abort();
      expect(await ended).toEqual({ type: "aborted" });
      expect(pids.filter(isRunning)).toEqual([]);
    },
  );

  test.runIf(process.platform === "linux")(
    "ends the builds within it, and an inner build does not end the outer one",
    async () => {
      const outerCookie = crypto.randomUUID();
      const innerCookie = crypto.randomUUID();
      const outer = new TestRun(
        [
          `AUTOBUILD_COOKIE=${outerCookie},${innerCookie} setsid sh -c 'echo $$ > inner; exec sleep 1000' & echo $$ > outer; read x < fifo`,
        ],
        outerCookie,
      );
      execFileSync("mkfifo", [path.join(outer.folder, "fifo")]);
      const ended = outer.run(new ProcessRunner({ graceMs: 100 }));
      const pid = await outer.pidIn("inner");
      const outerPid = await outer.pidIn("outer");
      expect(await new ProcessRunner().sweep(outerCookie.slice(0, -1))).toBe(0);
      expect(await new ProcessRunner().sweep(innerCookie.slice(1))).toBe(0);
      expect(await new ProcessRunner().sweep(innerCookie)).toBe(1);
      await until("the inner process is gone", () => !isRunning(pid));
      expect(isRunning(outerPid)).toBe(true);
      outer.abort.abort();
      await ended;
    },
  );
});
