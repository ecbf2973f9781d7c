import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { hook } from "../src/cli/hook.ts";
import { outputOf } from "./support/command.ts";
import { TestRepository } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

function run(cwd: string, ...argv: string[]): Promise<string> {
  return outputOf(hook, argv, cwd);
}

/** Something that takes what a hook sends. */
async function listen(): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = `${request.url} `;
    request.on("data", (bytes: Buffer) => (body += bytes.toString()));
    request.on("end", () => {
      bodies.push(body);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

const hookOf = ({ folder }: TestRepository, name = "post-commit") =>
  path.join(folder, ".git/hooks", name);
const hasHttp = ["curl", "wget"].some((program) =>
  (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(path.join(folder, program))),
);

describe("autobuild hook install", () => {
  test.runIf(hasHttp)(
    "has git tell of each commit, and each push to a bare repository",
    async () => {
      const { url, bodies } = await listen();
      const repository = new TestRepository({ a: "1" });
      const said = await run(repository.folder, "install", "--url", url);
      expect(said.split("\n").slice(0, 3)).toEqual(
        ["post-commit", "post-merge", "post-rewrite"].map(
          (name) => `installed ${hookOf(repository, name)}`,
        ),
      );
      repository.commit("second", { a: "2" });
      await until("it was told", () => bodies.length === 1);
      expect(bodies[0]).toBe(`/hooks/local ${JSON.stringify({ repository: repository.folder })}`);

      const bare = path.join(temporaryFolder(), "it's $(touch x) bare.git");
      repository.git("clone", "--quiet", "--bare", repository.folder, bare);
      await run("/", "install", bare, "--url", url);
      repository.git("push", "--quiet", bare, "HEAD:refs/heads/topic");
      await until("it was told", () => bodies.length === 2);
      expect(bodies[1]).toBe(`/hooks/local ${JSON.stringify({ repository: bare })}`);
    },
  );

  test("is done once, follows a new address, and leaves what else stands in a hook", async () => {
    const repository = new TestRepository({ a: "1" });
    const own = "#!/bin/bash\nset -e\necho mine > mine\nexit 0\n";
    writeFileSync(hookOf(repository), own, { mode: 0o755 });
    expect(await run(repository.folder, "install")).toContain("installed");
    const text = readFileSync(hookOf(repository), "utf8");
    expect(text).toMatch(/^#!\/bin\/bash\n# autobuild: begin .*\n.*\n# autobuild: end\nset -e\n/);
    expect(await run(repository.folder, "install")).toMatch(/^(unchanged .*\n){3}$/);
    expect(await run(repository.folder, "install", "--url", "http://localhost:9000")).toMatch(
      /^(updated .*\n){3}$/,
    );
    expect(readFileSync(hookOf(repository), "utf8").match(/localhost/g)).toHaveLength(2);
    expect(statSync(hookOf(repository)).mode & 0o111).toBe(0o111);
    repository.commit("second", { a: "2" });
    expect(existsSync(path.join(repository.folder, "mine"))).toBe(true);

    expect(await run(repository.folder, "remove")).toMatch(/^(removed .*\n){3}$/);
    expect(readFileSync(hookOf(repository), "utf8")).toBe(own);
    expect(existsSync(hookOf(repository, "post-merge"))).toBe(false);
    expect(await run(repository.folder, "remove")).toMatch(/^(absent .*\n){3}$/);
  });

  test("makes scripts that a shell reads, whatever the path is called", async () => {
    const folder = path.join(temporaryFolder(), "a'b\"c`d$(e)\\f\n#g;h&i");
    execFileSync("git", ["init", "--quiet", folder]);
    await run(folder, "install");
    const file = path.join(folder, ".git/hooks/post-commit");
    execFileSync("sh", ["-n", file]);
    const body = execFileSync(
      "sh",
      [
        "-c",
        `curl() { shift 5; printf %s "$2"; }\n${readFileSync(file, "utf8").replace(" </dev/null >/dev/null 2>&1 &", "")}`,
      ],
      { encoding: "utf8" },
    );
    expect(JSON.parse(body)).toEqual({ repository: folder });
  });

  test("changes nothing where one hook is no shell script", async () => {
    const repository = new TestRepository({ a: "1" });
    writeFileSync(hookOf(repository, "post-rewrite"), "#!/usr/bin/env python3\n");
    chmodSync(hookOf(repository, "post-rewrite"), 0o755);
    await expect(run(repository.folder, "install")).rejects.toThrow(
      'to be a shell script, got one that begins with "#!/usr/bin/env python3"',
    );
    expect(existsSync(hookOf(repository))).toBe(false);
  });

  test("refuses what is no repository, and options it does not know", async () => {
    await expect(run(temporaryFolder(), "install")).rejects.toThrow("Expected a git repository at");
    await expect(run("/", "instal")).rejects.toThrow("Expected install or remove");
    await expect(run("/", "install", "--url", "javascript:x")).rejects.toThrow("http or https URL");
  });
});
