import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { JournalEntry } from "../src/run/journal.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { smallDisk, type SmallDisk } from "./support/small-disk.ts";
import { temporaryFolder } from "./support/temporary.ts";

const mebibyte = 1024 * 1024;
const withoutDisk = "needs root on Linux, to mount a small file system";

function start(disk: SmallDisk, repository: TestRepository): Promise<TestServer> {
  return TestServer.start({
    repositories: [repository.folder],
    dataDir: disk.folder,
    leastFreeBytes: 2 * mebibyte,
  });
}

/** Writes until not a byte more goes in. */
function fill(disk: SmallDisk): string {
  const file = path.join(disk.folder, "somebody-elses");
  for (let bytes = mebibyte; bytes >= 1; bytes >>= 1) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes, 1), { flag: "a" });
    } catch {
      // A smaller piece may still fit.
    }
  }
  return file;
}

function journalOf(disk: SmallDisk, id: number): JournalEntry[] {
  const text = readFileSync(path.join(disk.folder, "builds", String(id), "journal.ndjson"), "utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as JournalEntry);
}

describe("a full disk", () => {
  test("ends the build that filled it with a sentence, keeps all that was recorded, and lets others wait", async ({
    skip,
  }) => {
    const disk = smallDisk(24 * mebibyte);
    if (disk === undefined) return skip(withoutDisk);
    const repository = new TestRepository(steps("echo before; exec yes", "echo after"));
    const server = await start(disk, repository);
    const build = await server.ended(1);
    expect(build).toMatchObject({
      state: "failed",
      reason: expect.stringMatching(
        /^AutoBuild could not write the build's log: ENOSPC.* Make room on the disk that holds the data folder, then rebuild\.$/,
      ),
      steps: [{ state: "cancelled" }, { state: "skipped" }],
    });

    const folder = path.join(disk.folder, "builds/1");
    const entries = journalOf(disk, 1);
    expect(entries.at(-1)).toMatchObject({ type: "ended", state: "failed", reason: build.reason });
    const ended = entries.find((entry) => entry.type === "attemptEnded")!;
    const log = readFileSync(path.join(folder, "0.1.log"));
    expect([ended.length, ended.sha256]).toEqual([
      log.length,
      createHash("sha256").update(log).digest("hex"),
    ]);
    expect(log.toString().startsWith("before\r\ny\r\ny\r\n")).toBe(true);
    const console = readFileSync(path.join(folder, "console.log"), "utf8");
    expect(console).toMatch(
      // There may be room for the word on the step: a write that was refused is taken back as a whole.
      /\ny\n(?:=== step step-1 was cancelled .*\n)?=== build 1 failed in .*: AutoBuild could not write the build's log/,
    );
    expect(build.logBytes).toBe(Buffer.byteLength(console));
    expect(existsSync(path.join(folder, "reserve"))).toBe(false);

    const again = server.autobuild.builds.rebuild(1);
    expect(server.autobuild.builds.queued()).toMatchObject([
      {
        id: again.id,
        reason: expect.stringMatching(/^waiting for room on the disk .* MiB are free/),
      },
    ]);
    repository.commitSteps("modest", "echo fine");
    await server.until("it waits", () => server.autobuild.builds.get(3)?.state === "queued");
    expect(server.problems.filter((text) => text.startsWith("No build starts now"))).toHaveLength(
      1,
    );
    await server.autobuild.builds.cancel(again.id);
    disk.resize(64 * mebibyte);
    expect(await server.ended(3)).toMatchObject({ state: "passed" });
  });

  test("that others fill while a build runs takes nothing of what happened in it, in journal and store", async ({
    skip,
  }) => {
    const disk = smallDisk(24 * mebibyte);
    if (disk === undefined) return skip(withoutDisk);
    const gate = path.join(temporaryFolder(), "gate");
    const repository = new TestRepository(
      steps(
        `while [ ! -e ${gate} ]; do sleep 0.05; done; seq 5000`,
        ...Array.from({ length: 20 }, () => "true"),
      ),
    );
    const server = await start(disk, repository);
    // What the store has yet to be told would have it give up room, which the log could take.
    await server.until(
      "the store has the first step's attempt",
      () => server.autobuild.builds.get(1)?.steps[0]?.attempts.length === 1,
    );
    const file = fill(disk);
    writeFileSync(gate, "");
    const build = await server.ended(1);
    // Its log has no room, and is what a build is for.
    expect(build).toMatchObject({ state: "failed", reason: expect.stringContaining("ENOSPC") });
    expect(build.steps).toHaveLength(21);
    expect(build.steps.filter(({ state }) => state === "running")).toEqual([]);
    expect(journalOf(disk, 1).at(-1)).toMatchObject({ type: "ended" });
    expect(server.problems.filter((text) => text.includes("could not be written down"))).toEqual(
      [],
    );

    rmSync(file);
    server.autobuild.builds.rebuild(1);
    expect(await server.ended(2)).toMatchObject({ state: "passed" });
    expect(statSync(path.join(disk.folder, "reserve")).size).toBe(4 * mebibyte);
  });
});
