import { realpathSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { help, readCommandLine } from "../src/options.ts";
import { Program } from "./support/program.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { until } from "./support/until.ts";

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
    const environment = { AUTOBUILD_PORT: "9000", AUTOBUILD_HOST: "0.0.0.0" };
    expect(await readCommandLine(["/x"], environment, "/")).toMatchObject({
      port: 9000,
      host: "0.0.0.0",
    });
    expect(
      await readCommandLine(["--", "/x", "--port", "0", "--host", "::1"], environment, "/"),
    ).toMatchObject({ port: 0, host: "::1" });
  });

  test.each([
    [["/x", "--port", "65536"], 'Expected a port from 0 to 65535, got "65536" (string).'],
    [["/x", "--port", "http"], "Expected a port from 0 to 65535"],
    [["/x", "--seal-after", "soon"], "Expected a time such as 30m or 12h, or never"],
    [["/x", "--prot", "1"], "Unknown option '--prot'"],
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
