import { realpathSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { addressesOf, sayAddresses } from "../src/cli/addresses.ts";
import { buildLine } from "../src/cli/build-line.ts";
import { help, readCommandLine } from "../src/cli/serve-options.ts";
import { sentenceOf } from "../src/notify/verdict.ts";
import { Program } from "./support/program.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { until } from "./support/until.ts";

// It printed http://0.0.0.0:8001, which no page can be opened at, and not who may do what.
describe("the addresses that a start prints", () => {
  const ethernet = (address: string, family: string, internal = false) => ({
    address,
    family,
    internal,
  });
  const interfaces = {
    lo: [ethernet("127.0.0.1", "IPv4", true), ethernet("::1", "IPv6", true)],
    eth0: [
      ethernet("192.0.2.7", "IPv4"),
      ethernet("2001:db8::7", "IPv6"),
      ethernet("fe80::7", "IPv6"),
    ],
    none: undefined,
  };
  const said = (url: string, publicUrl?: string): string[] =>
    sayAddresses(addressesOf(url, publicUrl, interfaces), "none");
  const roleLine = "Whoever reaches it may log in with a user or a token, and nothing before.";

  test("are one for this machine alone, as long as nothing else reaches it", () => {
    expect(said("http://127.0.0.1:8001")).toEqual(["AutoBuild is at http://localhost:8001"]);
    expect(said("http://[::1]:8001")).toEqual(["AutoBuild is at http://[::1]:8001"]);
  });

  test("are the machine's own where it listens on all, with what others may do", () => {
    expect(said("http://0.0.0.0:8001")).toEqual([
      "AutoBuild is at http://localhost:8001, and for other machines at http://192.0.2.7:8001",
      roleLine,
    ]);
    expect(said("http://[::]:80")[0]).toBe(
      "AutoBuild is at http://localhost:80, and for other machines at http://192.0.2.7:80, http://[2001:db8::7]:80",
    );
    expect(addressesOf("http://0.0.0.0:8001").local).toBe("http://127.0.0.1:8001");
    expect(addressesOf("http://[::]:8001").local).toBe("http://[::1]:8001");
  });

  test("are the one it was told, and the one of its proxy", () => {
    expect(said("http://192.0.2.7:8001")).toEqual([
      "AutoBuild is at http://192.0.2.7:8001",
      roleLine,
    ]);
    expect(said("http://127.0.0.1:8001", "https://ci.example.org")[0]).toBe(
      "AutoBuild is at http://localhost:8001, and for other machines at https://ci.example.org",
    );
  });

  test("are at most four of a machine with many", () => {
    const many = { eth0: [1, 2, 3, 4, 5].map((n) => ethernet(`192.0.2.${n}`, "IPv4")) };
    expect(addressesOf("http://0.0.0.0:1", undefined, many).elsewhere).toHaveLength(4);
  });

  test("say the role that a start with --anonymous gives", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder], {
      arguments: ["--host", "0.0.0.0", "--anonymous", "viewer"],
    });
    await until("the role is printed", () => program.output.includes("Whoever reaches it"));
    expect(program.output).toContain("may look without a login");
    expect(program.output).not.toContain("http://0.0.0.0");
  });
});

// A fault of a configuration has several lines, which stood in the one with marks between.
test("a build is told in one line, with the first of its reason", async () => {
  const repository = new TestRepository({ ".autobuild.yml": "stepz: []\n" });
  const server = await TestServer.start({ repositories: [repository.folder] });
  const build = await server.ended(1);
  expect(sentenceOf(build, "broke")).toMatch(/^project main broke: build 1 failed in .* …$/);
  const line = buildLine(build);
  expect(line).toMatch(
    /^✗ #1 project main \w{7} failed in [\d.]+ s \(\.autobuild\.yml:1:1: Expected the configuration to have .* …\)  first$/,
  );
  expect(line).not.toContain("\ufffd");
  const { steps, ...rest } = build;
  const attempt = {
    attempt: 1,
    state: "failed",
    reason: null,
    startedMs: 0,
    durationMs: 1,
    logBytes: 0,
    sha256: "",
  } as const;
  const step = {
    position: 0,
    name: "unsure",
    command: "true",
    state: "passed",
    reason: null,
    startedMs: 0,
    durationMs: 2,
    needs: [],
    attempts: [attempt, { ...attempt, attempt: 2, state: "passed" }],
  } as const;
  const flaky = { ...rest, steps: [...steps, step], state: "passed", reason: null } as const;
  expect(buildLine({ ...flaky, subject: "x".repeat(2000) })).toMatch(
    /^✓ .* passed in [\d.]+ s \(flaky: unsure\)  x{100}…$/,
  );
});

describe("the command line", () => {
  test("needs nothing: the repository you are in, port 8001 on the loopback address", async () => {
    const { folder } = new TestRepository({ "src/a": "1" });
    const command = await readCommandLine([], {}, path.join(folder, "src"));
    expect(command).toMatchObject({
      type: "run",
      repositories: [realpathSync(folder)],
      host: "127.0.0.1",
      port: 8001,
      passEnv: [],
      niceness: 10,
    });
  });

  test("gives each repository a data folder of its own, outside of it", async () => {
    const dataDirOf = async (argv: string[], environment: NodeJS.ProcessEnv) => {
      const command = await readCommandLine(argv, environment, "/home/ann");
      return command.type === "run" ? command.dataDir : "";
    };
    const first = await dataDirOf(["one"], {});
    expect(path.dirname(first)).toBe(path.join(os.homedir(), ".local/share/autobuild"));
    expect(path.basename(first)).toMatch(/^one-[0-9a-f]{8}$/);
    expect(await dataDirOf(["one"], {})).toBe(first);
    expect(await dataDirOf(["/other/one"], {})).not.toBe(first);
    expect(await dataDirOf(["one"], { XDG_DATA_HOME: "/data" })).toBe(
      path.join("/data/autobuild", path.basename(first)),
    );
    expect(await dataDirOf(["one"], { AUTOBUILD_DATA_DIR: "mine" })).toBe("/home/ann/mine");
    expect(await dataDirOf(["one", "--data-dir", "/x"], { AUTOBUILD_DATA_DIR: "mine" })).toBe("/x");
  });

  test("goes before the environment, and both before the defaults", async () => {
    const environment = {
      AUTOBUILD_PORT: "9000",
      AUTOBUILD_HOST: "0.0.0.0",
      AUTOBUILD_NICENESS: "0",
    };
    expect(await readCommandLine(["/x"], environment, "/")).toMatchObject({
      port: 9000,
      host: "0.0.0.0",
      niceness: 0,
    });
    expect(
      await readCommandLine(
        ["--", "/x", "--port", "0", "--host", "::1", "--niceness", "19"],
        environment,
        "/",
      ),
    ).toMatchObject({ port: 0, host: "::1", niceness: 19 });
  });

  test.each([
    [["/x", "--port", "65536"], 'Expected a port from 0 to 65535, got "65536" (string).'],
    [["/x", "--port", "http"], "Expected a port from 0 to 65535"],
    [["/x", "--niceness", "20"], 'Expected a niceness from 0 to 19, got "20" (string).'],
    [["/x", "--niceness=-1"], "Expected a niceness from 0 to 19"],
    [["/x", "--seal-after", "soon"], "Expected a time such as 30m or 12h, or never"],
    [
      ["/x", "--prot", "1"],
      'Expected an option that there is, got "--prot" (string). Did you mean --port?',
    ],
    [["/x", "--port"], "Expected a value after --port, got none."],
    [["/x", "--stop-builds=1"], "Expected no value after --stop-builds, which takes none."],
    [["ext::sh"], "can run any program"],
    [[], "Expected to be in a git repository, and / is in none."],
  ])("%j is refused with a sentence", async (argv, message) => {
    await expect(readCommandLine(argv, {}, "/")).rejects.toThrow(message);
  });

  test("explains itself", async () => {
    expect(await readCommandLine(["--help"], {}, "/")).toEqual({ type: "help" });
    for (const option of ["--port", "--host", "--data-dir", "--pass-env"])
      expect(help).toContain(option);
  });
});

describe("the program", () => {
  test("builds, prints the console, and ends on SIGTERM with what it started", async () => {
    const repository = new TestRepository(steps("echo hello; sleep 1000"));
    const program = new Program([repository.folder]);
    await until("it has printed", () => program.output.includes("\nhello\n"));
    program.child.kill("SIGTERM");
    expect(await program.ended()).toBe(0);
    expect(program.output).toContain(`AutoBuild builds ${repository.folder} and keeps`);
    expect(program.output).toMatch(/=== build 1 of project main .*\n/);
  });
});
