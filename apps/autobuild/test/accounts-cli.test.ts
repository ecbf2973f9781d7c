import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand } from "./support/command.ts";
import { password } from "./support/doors.ts";
import { Program } from "./support/program.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

describe("accounts on the command line", () => {
  test("work beside a server that runs, and count at once", async () => {
    const repository = new TestRepository(steps("true"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const dataDir = ["--data-dir", program.dataDir];
    const post = (token?: string): Promise<number> =>
      fetch(`${program.url}/api/builds/99/cancel`, {
        method: "POST",
        headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      }).then(({ status }) => status);
    expect(await post()).toBe(404);

    const added = await runCommand(["token", "add", "ci", "--role", "builder", ...dataDir]);
    expect([added.code, added.output]).toEqual([
      0,
      expect.stringMatching(/^autobuild_[\w-]{43}\n$/),
    ]);
    const token = added.output.trim();
    expect([await post(), await post(token)]).toEqual([401, 404]);
    expect((await runCommand(["token", "list", ...dataDir])).output).toMatch(
      /^ci\tbuilder\tnever expires\tused 20\d\d-/,
    );
    expect((await runCommand(["token", "add", "ci", ...dataDir])).code).toBe(2);
    expect((await runCommand(["token", "revoke", "ci", ...dataDir])).code).toBe(0);
    expect(await post(token)).toBe(401);
    expect((await runCommand(["token", "revoke", "ci", ...dataDir])).code).toBe(1);

    const user = await runCommand(["user", "add", "ann", "--role", "admin", ...dataDir], {
      input: `${password}\n`,
    });
    expect([user.code, user.output]).toEqual([0, ""]);
    const list = await runCommand(["user", "list", "--json", ...dataDir]);
    expect(JSON.parse(list.output)).toEqual([
      { id: 1, name: "ann", role: "admin", createdMs: expect.any(Number) },
    ]);
    expect((await runCommand(["user", "remove", "ann", ...dataDir])).code).toBe(0);
    expect(await post()).toBe(404);
  }, 120_000);

  test("take no password, and no value, as an argument", async () => {
    const dataDir = ["--data-dir", temporaryFolder()];
    const user = await runCommand(["user", "add", "ann", password, ...dataDir]);
    const secret = await runCommand(["secret", "set", "TOKEN", "value", ...dataDir]);
    expect([user.code, secret.code]).toEqual([2, 2]);
    expect(secret.errors).toContain("arguments can be seen by others");
    expect((await runCommand(["secret", "set", "TOKEN", ...dataDir], { input: "v\n" })).code).toBe(
      0,
    );
    const { output } = await runCommand(["secret", "list", ...dataDir]);
    expect(output).toMatch(/^TOKEN\tall repositories\tset 20/);
    expect((await runCommand(["secret", "remove", "TOKEN", ...dataDir])).code).toBe(0);
  }, 120_000);

  test("say what is wrong in a sentence, and where to read on", async () => {
    for (const [args, message] of [
      [["user"], "Expected add, list or remove, got nothing."],
      [["user", "add"], "Expected a name, got none."],
      [["user", "add", "x", "--role", "boss"], "Expected a role, one of viewer, builder, admin"],
      [["token", "add", "x", "--expires", "soon"], "Expected a time such as 90s"],
      [["user", "add", "x", "--prot"], 'Expected an option that there is, got "--prot" (string).'],
    ] as const) {
      const result = await runCommand([...args, "--data-dir", temporaryFolder()], { input: "" });
      expect([args, result.code]).toEqual([args, 2]);
      expect(result.errors).toContain(message);
      expect(result.errors).not.toContain("    at ");
    }
    const help = await runCommand(["user", "--help"]);
    expect([help.code, help.output]).toEqual([
      0,
      expect.stringContaining("Usage: autobuild user add"),
    ]);
    const short = await runCommand(["user", "add", "ann", "--data-dir", temporaryFolder()], {
      input: "short\n",
    });
    expect(short.errors).toContain("Expected a password of 12 to 1024 characters, got 5.");
  }, 120_000);
});

describe("a server", () => {
  test("does not start where others can reach it and nobody has an account", async () => {
    const repository = new TestRepository(steps("true"));
    const program = new Program([repository.folder], { arguments: ["--host", "0.0.0.0"] });
    expect(await program.ended()).toBe(1);
    expect(program.errors).toMatch(/^Expected a user or a token before AutoBuild can be reached/);
    expect(program.output).toBe("");
  });

  test("leaves its address and a token for commands of this machine, for its owner alone, while it runs", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    const file = path.join(program.dataDir, "server.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { token, url, pid } = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
    expect([url, pid]).toEqual([program.url, program.pid]);
    const answer = await fetch(`${program.url}/api/builds`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(200);
    await program.stop();
    expect(existsSync(file)).toBe(false);
  });
});
