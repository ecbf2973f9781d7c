import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { expectRepository } from "../src/git/expect-repository.ts";
import { git } from "../src/git/git.ts";
import { Mirror } from "../src/git/mirror.ts";
import { parseSource } from "../src/git/source.ts";
import { Workspaces } from "../src/git/workspaces.ts";
import { installHooks } from "../src/triggers/local-hook.ts";
import { TestRepository } from "./support/repository.ts";
import { temporaryFolder } from "./support/temporary.ts";

async function mirrorOf(location: string): Promise<Mirror> {
  const mirror = new Mirror(parseSource(location), path.join(temporaryFolder(), "mirror.git"));
  await mirror.open();
  return mirror;
}

async function fetched(repository: TestRepository): Promise<Mirror> {
  const mirror = await mirrorOf(repository.folder);
  await mirror.fetch(await mirror.remoteHeads());
  return mirror;
}

// It was "found none", and git's own words of "dubious ownership" for whom that says something.
describe.skipIf(process.getuid?.() !== 0)("a repository of another user (needs root)", () => {
  const foreign = (): string => {
    const { folder } = new TestRepository({ a: "1" });
    execFileSync("chown", ["-R", "65534", folder]);
    return folder;
  };

  test("is refused with who owns it, who asks, and the command that mends it", async () => {
    const folder = foreign();
    const sentence = new RegExp(
      `^The repository at ${folder} belongs to (nobody \\()?user 65534\\)?, and AutoBuild runs as root \\(user 0\\): .* ` +
        `run as root: git config --global --add safe\\.directory ${folder} && ` +
        `git config --global --add safe\\.directory ${folder}/\\.git$`,
    );
    const error = { code: "AUTOBUILD_FOREIGN_OWNER", message: expect.stringMatching(sentence) };
    await expect(expectRepository(parseSource(folder))).rejects.toMatchObject(error);
    // Of the folder within it, as a fetch meets it.
    const mirror = await mirrorOf(folder);
    await expect(mirror.remoteHeads()).rejects.toMatchObject(error);
    await expect(installHooks(folder, "http://127.0.0.1:1")).rejects.toMatchObject(error);
  });

  test("is mended by that command", async () => {
    const folder = foreign();
    const mirror = await mirrorOf(folder);
    const told = await mirror.remoteHeads().catch(String);
    const [, command = ""] = /: (git config .*)$/.exec(told as string) ?? [];
    const config = path.join(temporaryFolder(), "gitconfig");
    vi.stubEnv("GIT_CONFIG_GLOBAL", config);
    onTestFinished(() => void vi.unstubAllEnvs());
    execFileSync("sh", ["-c", command]);
    await expectRepository(parseSource(folder));
    expect((await mirror.remoteHeads()).branches.size).toBe(1);
  });
});

describe("a mirror", () => {
  test("names the command that failed, also behind options with a value", async () => {
    const { folder } = new TestRepository({ a: "1" });
    const none = path.join(temporaryFolder(), "none");
    await expect(git(["-C", folder, "show", "none"])).rejects.toThrow(/^git show exited with 128/);
    await expect(git(["--git-dir", none, "log"])).rejects.toThrow(/^git log exited with 128/);
  });

  test("knows the source's branches and where its HEAD is", async () => {
    const repository = new TestRepository({ a: "1" });
    const first = repository.git("rev-parse", "HEAD").trim();
    repository.git("branch", "feature/x");
    const second = repository.commit("second", { a: "2" });
    const mirror = await fetched(repository);
    const expected = new Map([
      ["feature/x", first],
      ["main", second],
    ]);
    expect(await mirror.remoteHeads()).toEqual({
      head: { branch: "main", sha: second },
      branches: expected,
      tags: new Map(),
      passedOver: 0,
    });
    expect(await mirror.heads()).toMatchObject({ branches: expected });
  });

  test("knows tags, an annotated one by its commit", async () => {
    const repository = new TestRepository({ a: "1" });
    const first = repository.git("rev-parse", "HEAD").trim();
    repository.git("tag", "light");
    repository.git("tag", "-a", "-m", "x", "v1.0");
    const mirror = await fetched(repository);
    const tags = new Map([
      ["light", first],
      ["v1.0", first],
    ]);
    expect(await mirror.remoteHeads()).toMatchObject({ tags });
    expect(await mirror.heads()).toMatchObject({ tags });
  });

  test("passes over names that could steer a terminal or turn a line around, and counts them", async () => {
    const repository = new TestRepository({ a: "1" });
    repository.git("branch", "fine-ünï😀");
    repository.git("branch", "evil-\u202egnp");
    repository.git("tag", "evil-\u2066x");
    repository.git("tag", "evil-\u0085x");
    const mirror = await fetched(repository);
    for (const heads of [await mirror.remoteHeads(), await mirror.heads()]) {
      expect([...heads.branches.keys()].toSorted()).toEqual(["fine-ünï😀", "main"]);
      expect(heads).toMatchObject({ tags: new Map(), passedOver: 3 });
    }
  });

  test("of a repository without commits has no HEAD and no branches", async () => {
    const mirror = await mirrorOf(new TestRepository().folder);
    expect(await mirror.remoteHeads()).toEqual({
      branches: new Map(),
      tags: new Map(),
      passedOver: 0,
    });
  });

  test("follows forced and removed branches, and a branch that became a folder", async () => {
    const repository = new TestRepository({ a: "1" });
    repository.git("branch", "topic");
    const mirror = await fetched(repository);
    repository.git("branch", "-D", "topic");
    repository.git("branch", "topic/one");
    repository.git("commit", "--amend", "-m", "other");
    const heads = await mirror.remoteHeads();
    await mirror.fetch(heads);
    expect(await mirror.heads()).toMatchObject({ branches: heads.branches });
  });

  test("has a commit that only a detached HEAD points at", async () => {
    const repository = new TestRepository({ a: "1" });
    repository.git("checkout", "--quiet", "--detach");
    const sha = repository.commit("loose", { a: "2" });
    const mirror = await fetched(repository);
    expect((await mirror.remoteHeads()).head).toEqual({ branch: "detached HEAD", sha });
    expect((await mirror.commit(sha)).subject).toBe("loose");
  });

  test("tells a commit's facts, without what could steer a terminal", async () => {
    const repository = new TestRepository({ a: "1" });
    const subject = `evil \u001b[31m\u202e ${"x".repeat(400)}`;
    repository.git(
      "commit",
      "--allow-empty",
      "--author",
      "Bö\u0007b <b@example.org>",
      "--date",
      "@1700000000 +0000",
      "-m",
      subject,
    );
    const mirror = await fetched(repository);
    const commit = await mirror.commit(repository.git("rev-parse", "HEAD").trim());
    expect(commit).toMatchObject({
      author: "Bö\ufffdb",
      subject: expect.stringMatching(/^evil \ufffd\[31m\ufffd x+…$/),
    });
    expect(commit.subject).toHaveLength(300);
    expect(commit.committedMs).toBeGreaterThan(1_600_000_000_000);
  });

  test("clears the lock files of a git that was killed", async () => {
    const repository = new TestRepository({ a: "1" });
    const mirror = await fetched(repository);
    for (const name of ["packed-refs.lock", "refs/heads/main.lock"])
      writeFileSync(path.join(mirror.folder, name), "");
    repository.commit("second", { a: "2" });
    await mirror.open();
    await mirror.fetch(await mirror.remoteHeads());
    expect(await mirror.heads()).toMatchObject({
      branches: (await mirror.remoteHeads()).branches,
    });
  });

  test("runs no hook, and writes no password down", async () => {
    const repository = new TestRepository({ a: "1" });
    const trace = path.join(repository.folder, "hook-ran");
    const mirror = await fetched(repository);
    for (const name of ["post-checkout", "reference-transaction"]) {
      writeFileSync(
        path.join(repository.folder, ".git/hooks", name),
        `#!/bin/sh\ntouch ${trace}\n`,
        { mode: 0o755 },
      );
    }
    await new Workspaces(temporaryFolder()).checkout(
      1,
      mirror.folder,
      repository.git("rev-parse", "HEAD").trim(),
    );
    expect(existsSync(trace)).toBe(false);
    expect(readFileSync(path.join(mirror.folder, "config"), "utf8")).not.toContain("remote");
  });
});

describe("a workspace", () => {
  test("holds exactly the commit, on no branch, whatever the branch is called", async () => {
    const repository = new TestRepository({ a: "1" });
    const sha = repository.git("rev-parse", "HEAD").trim();
    for (const name of [
      "--upload-pack=touch x",
      "-h",
      "--",
      "ünï😀",
      "$(id)",
      "a;b",
      "%00",
      "{0}",
    ]) {
      if (!name.includes(" ")) repository.git("update-ref", `refs/heads/${name}`, sha);
    }
    repository.commit("later", { a: "2" });
    const mirror = await fetched(repository);
    const workspace = await new Workspaces(temporaryFolder()).checkout(7, mirror.folder, sha);
    expect(readFileSync(path.join(workspace, "a"), "utf8")).toBe("1");
    expect((await git(["-C", workspace, "rev-parse", "--abbrev-ref", "HEAD"])).trim()).toBe("HEAD");
    expect(path.basename(workspace)).toBe("7");
  });

  test("of old builds goes, but for the newest few and those in use", async () => {
    const repository = new TestRepository({ a: "1" });
    const sha = repository.git("rev-parse", "HEAD").trim();
    const mirror = await fetched(repository);
    const workspaces = new Workspaces(temporaryFolder());
    for (const id of [1, 2, 3, 9, 10]) await workspaces.checkout(id, mirror.folder, sha);
    await workspaces.clean(2, new Set([1]));
    expect([1, 2, 3, 9, 10].filter((id) => existsSync(workspaces.pathOf(id)))).toEqual([1, 9, 10]);
  });
});

describe("git itself", () => {
  test("says what went wrong, without the password in the URL", async () => {
    const source = parseSource("http://ann:secret@127.0.0.1:1/project.git");
    const mirror = new Mirror(source, path.join(temporaryFolder(), "mirror.git"));
    await mirror.open();
    const failure = await mirror.remoteHeads().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "AUTOBUILD_GIT_FAILED",
      message: expect.stringContaining("git ls-remote exited with 128: fatal: unable to access"),
    });
    expect(String(failure)).not.toContain("secret");
  });

  test("that gets no answer is ended when its time is over, and when it is told to stop", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      silent.close();
      for (const socket of sockets) socket.destroy();
    });
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/x`;
    await expect(git(["ls-remote", "--", url], { timeoutMs: 300 })).rejects.toMatchObject({
      code: "AUTOBUILD_GIT_TIMEOUT",
    });
    const reason = new Error("stop");
    await expect(
      git(["ls-remote", "--", url], { signal: AbortSignal.timeout(300) }),
    ).rejects.toMatchObject({ name: "TimeoutError" });
    await expect(git(["ls-remote", "--", url], { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  test("that prints too much is ended", async () => {
    const repository = new TestRepository({ a: "x".repeat(5000) });
    await expect(
      git(["-C", repository.folder, "show", "HEAD:a"], { maxOutputBytes: 5000 }),
    ).resolves.toHaveLength(5000);
    await expect(
      git(["-C", repository.folder, "show", "HEAD:a"], { maxOutputBytes: 4999 }),
    ).rejects.toMatchObject({ code: "AUTOBUILD_GIT_FAILED" });
  });

  test("reaches no transport that runs programs, even by a rewritten URL", async () => {
    const folder = temporaryFolder();
    const trace = path.join(folder, "ran");
    const rewritten = [
      "-c",
      `url.ext::touch ${trace} .insteadOf=https://evil/`,
      "-c",
      "protocol.ext.allow=always",
    ];
    await expect(git([...rewritten, "ls-remote", "--", "https://evil/x"])).rejects.toMatchObject({
      message: expect.stringContaining("'ext' not allowed"),
    });
    expect(existsSync(trace)).toBe(false);
  });
});
