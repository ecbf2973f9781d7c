import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Gate } from "./support/gate.ts";
import { steps, TestRepository, writeFiles } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { until } from "./support/until.ts";

async function watched(...lines: string[]) {
  const repository = new TestRepository({
    ...steps(...lines),
    "a.txt": "committed",
    ".gitignore": "ignored/\n*.tmp\nnode_modules\n",
  });
  const server = await TestServer.start({
    repositories: [repository.folder],
    watchTrees: true,
    localPollMs: 3_600_000,
  });
  await server.ended(1);
  const write = (name: string, text: string): void =>
    writeFiles(repository.folder, { [name]: text });
  return { repository, server, write, builds: server.autobuild.builds };
}

describe("a work tree that is watched", () => {
  test("is built with what is not committed, at each change, and git sees nothing of it", async () => {
    const { repository, server, write } = await watched("cat a.txt; cat new/b.txt || true");
    const gitFolder = path.join(repository.folder, ".git");
    const before = {
      index: statSync(path.join(gitFolder, "index")).mtimeMs,
      objects: readdirSync(path.join(gitFolder, "objects")).toSorted(),
      refs: repository.git("for-each-ref"),
    };
    write("a.txt", "changed");
    const build = await server.ended(2);
    expect(build).toMatchObject({
      state: "passed",
      branch: "work tree",
      cause: "manual",
      author: "work tree",
      subject: "uncommitted changes on main",
    });
    expect(await server.logOf(2)).toContain("changed");
    write("new/b.txt", "not tracked");
    expect(await server.ended(3)).toMatchObject({ state: "passed" });
    expect(await server.logOf(3)).toContain("not tracked");
    expect(existsSync(path.join(gitFolder, "index.lock"))).toBe(false);
    expect({
      index: statSync(path.join(gitFolder, "index")).mtimeMs,
      objects: readdirSync(path.join(gitFolder, "objects")).toSorted(),
      refs: repository.git("for-each-ref"),
    }).toEqual(before);
    expect(repository.git("status", "--porcelain")).toBe(" M a.txt\n?? new/\n");
  });

  test("is not built for what is ignored, the same as before, or committed", async () => {
    const { repository, server, write, builds } = await watched("cat a.txt");
    writeFileSync(path.join(repository.folder, ".git/info/exclude"), "mine\n");
    write("ignored/x", "1");
    write("x.tmp", "1");
    write("mine", "1");
    write("node_modules/x/y", "1");
    write("a.txt", "changed");
    await server.ended(2);
    write("a.txt", "changed");
    repository.git("commit", "--quiet", "-a", "-m", "second");
    expect(await server.ended(3)).toMatchObject({ branch: "main", subject: "second" });
    appendFileSync(path.join(repository.folder, "a.txt"), "!");
    expect(await server.ended(4)).toMatchObject({ branch: "work tree" });
    expect(builds.list()).toHaveLength(4);
  });

  test("has the build of an older state cancelled by a newer one", async () => {
    const gate = new Gate();
    const { server, write } = await watched(
      "cat a.txt",
      `case $(cat a.txt) in slow) echo started; ${gate.wait};; esac`,
    );
    write("a.txt", "slow");
    await server.printed(2, "started");
    write("a.txt", "newer");
    expect(await server.ended(2)).toMatchObject({
      state: "cancelled",
      reason: expect.stringContaining("superseded by build 3"),
    });
    expect(await server.ended(3)).toMatchObject({ state: "passed" });
  });

  // The watch was of the folder that went, and nothing was built until the next start.
  test("is built again when it was away and is back", async () => {
    const { repository, server, write } = await watched("cat a.txt");
    const problems: string[] = [];
    server.autobuild.on("problem", ({ message }) => problems.push(message));
    const elsewhere = `${repository.folder}.away`;
    renameSync(repository.folder, elsewhere);
    await until("its absence is told", () => problems.length > 0);
    renameSync(elsewhere, repository.folder);
    write("a.txt", "while nobody looks");
    expect(await server.ended(2)).toMatchObject({ state: "passed", branch: "work tree" });
    write("a.txt", "watched again");
    expect(await server.ended(3)).toMatchObject({ state: "passed", branch: "work tree" });
    expect(problems).toEqual([expect.stringContaining("could not be built")]);
  });

  test("is built once for many changes at a time, and also without a commit", async () => {
    const repository = new TestRepository();
    const server = await TestServer.start({ repositories: [repository.folder], watchTrees: true });
    mkdirSync(path.join(repository.folder, "deep/er"), { recursive: true });
    writeFiles(repository.folder, {
      ...steps("ls deep/er | wc -l"),
      ...Object.fromEntries(
        Array.from({ length: 50 }, (_, index) => [`deep/er/${index}`, String(index)]),
      ),
    });
    const build = await server.ended(1);
    expect(build).toMatchObject({ state: "passed", branch: "work tree" });
    expect(await server.logOf(1)).toContain("50\n");
    expect(server.autobuild.builds.list()).toHaveLength(1);
  });
});
