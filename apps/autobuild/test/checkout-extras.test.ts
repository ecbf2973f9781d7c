import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { HttpRepository } from "./support/http-repository.ts";
import { TestRepository, writeFiles } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";

const config = (fields: object, ...lines: string[]) => ({
  ".autobuild.json": JSON.stringify({
    ...fields,
    steps: lines.map((run, index) => ({ name: `step-${index + 1}`, run })),
  }),
});

/** Adds a submodule without git, which would want to fetch it by a path. */
function addSubmodule(repository: TestRepository, url: string, sha: string): void {
  writeFileSync(
    path.join(repository.folder, ".gitmodules"),
    `[submodule "lib"]\n\tpath = lib\n\turl = ${url}\n`,
  );
  repository.git("add", ".gitmodules");
  repository.git("update-index", "--add", "--cacheinfo", `160000,${sha},lib`);
  repository.git("commit", "--quiet", "-m", "with a submodule");
}

async function withSubmodule(fields: object, url: string) {
  const repository = await HttpRepository.serve(config(fields, "ls lib", "cat lib/a"));
  const library = new TestRepository({ a: "from the library" });
  library.git(
    "clone",
    "--quiet",
    "--bare",
    library.folder,
    path.join(repository.folder, "../lib.git"),
  );
  addSubmodule(repository.work, url, library.git("rev-parse", "HEAD").trim());
  repository.work.git("push", "--quiet", "origin", "HEAD:main");
  const server = await TestServer.start({ repositories: [repository.url] });
  return { build: await server.ended(1), log: await server.logOf(1) };
}

describe("submodules", () => {
  test("are checked out where the configuration says so, from addresses relative to the repository", async () => {
    const { build, log } = await withSubmodule({ submodules: true }, "../lib.git");
    expect(build).toMatchObject({ state: "passed" });
    expect(log).toContain("from the library");
  });

  test("are not otherwise", async () => {
    const { build } = await withSubmodule({}, "../lib.git");
    expect(build).toMatchObject({ state: "failed", reason: expect.stringContaining("step-2") });
  });

  test.each([
    ["file:///etc", "transport 'file' not allowed"],
    ["ext::sh -c touch% /tmp/x", "transport 'ext' not allowed"],
    ["git://example.org/x", "transport 'git' not allowed"],
    ["--upload-pack=touch /tmp/x", "ignoring suspicious|No url found|not allowed"],
    ["ssh://-oProxyCommand=x/y", "strange hostname"],
  ])("from %s are refused", async (url, why) => {
    const { build } = await withSubmodule({ submodules: true }, url);
    expect(build).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(new RegExp(why)),
    });
  });
});

test("a repository of this machine is no submodule of one that came from elsewhere", async () => {
  const secret = new TestRepository({ a: "for nobody else" });
  for (const url of [secret.folder, `file://${secret.folder}`]) {
    const { build } = await withSubmodule({ submodules: true }, url);
    expect(build).toMatchObject({
      state: "failed",
      reason: expect.stringContaining(
        "git submodule exited with 1: fatal: transport 'file' not allowed",
      ),
    });
  }
});

const hasLfs = ((): boolean => {
  try {
    execFileSync("git", ["lfs", "version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.runIf(hasLfs)("files of Git LFS", () => {
  async function built(fields: object) {
    const repository = new TestRepository();
    const text = "a large file";
    const oid = execFileSync("sha256sum", { input: text, encoding: "utf8" }).slice(0, 64);
    const objects = path.join(
      repository.folder,
      ".git/lfs/objects",
      oid.slice(0, 2),
      oid.slice(2, 4),
    );
    mkdirSync(objects, { recursive: true });
    writeFiles(objects, { [oid]: text });
    repository.commit("with a pointer", {
      ...config(fields, "cat large.bin"),
      ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
      "large.bin": `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${text.length}\n`,
    });
    const server = await TestServer.start({ repositories: [repository.folder] });
    await server.ended(1);
    return server.logOf(1);
  }

  test("are fetched where the configuration says so", async () => {
    expect(await built({ lfs: true })).toContain("a large file");
  });

  test("stay what is committed otherwise", async () => {
    expect(await built({})).toContain("oid sha256:");
  });
});
