import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SealingThread } from "../../src/log/sealing-thread.ts";
import { runCommand } from "../support/command.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { TestServer } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { Watcher } from "../support/watcher.ts";

const noisy = `awk 'BEGIN { for (i = 0; i < 20000; i++) printf "%05d ünö %060d\\n", i, i }'`;

function logsOf({ dataDir }: { readonly dataDir: string }, id: number): string[] {
  return readdirSync(path.join(dataDir, "builds", String(id))).filter((name) =>
    /\.(?:log|idx)$/.test(name),
  );
}

function sealed(program: { readonly dataDir: string }, id: number): Promise<void> {
  return until(`the logs of build ${id} are sealed`, () => logsOf(program, id).length === 0);
}

/** What all doors give of build 1. */
async function everything({ url }: Program): Promise<unknown> {
  const text = async (address: string, headers: Record<string, string> = {}): Promise<string> => {
    const answer = await fetch(url + address, { headers });
    const body = Buffer.from(await answer.arrayBuffer());
    const digest = createHash("sha256").update(body).digest("hex");
    return `${address} ${answer.status} ${body.length} ${digest}`;
  };
  const { nowMs: _, ...index } = (await (await fetch(`${url}/builds/1/logs/0.1/index`)).json()) as {
    nowMs: number;
  };
  return [
    index,
    await text("/builds/1/log"),
    await text("/api/builds/1/log?from=1000000"),
    await text("/builds/1/logs/setup"),
    await text("/builds/1/logs/0.1"),
    await text("/builds/1/logs/0.1", { Range: "bytes=700000-800000" }),
    await text("/builds/1/logs/0.1", { Range: "bytes=-100" }),
    await text("/builds/1/logs/0.1/times"),
    await text("/builds/1/logs/0.1/search?q=19999"),
    await text("/builds/1/logs/1.1"),
  ];
}

describe("logs that are sealed", () => {
  test("are at every door what they were, before and after a restart", async () => {
    const repository = new TestRepository(steps(noisy, "echo two; exit 1"));
    const program = await Program.start([repository.folder], {
      arguments: ["--seal-after", "never"],
    });
    const build = await program.buildEnded(1);
    const before = await everything(program);
    const bytes = readFileSync(path.join(program.dataDir, "builds/1/0.1.log"));
    await program.stop();

    const { dataDir } = program;
    const again = await Program.start([repository.folder], {
      dataDir,
      arguments: ["--seal-after", "0s"],
    });
    await sealed(again, 1);
    expect(existsSync(path.join(dataDir, "builds/1/journal.ndjson"))).toBe(true);
    expect(await everything(again)).toEqual(before);
    const watcher = await Watcher.open(`${again.url}/websocket/log/1`);
    await watcher.seen("all has come", ({ bytes: seen }) => seen >= build.logBytes);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(
      build.steps[0]?.attempts[0]?.sha256,
    );
    expect(again.errors).toBe("");
  });

  test("are files again when somebody wants them so, but not under a server that runs", async () => {
    const repository = new TestRepository(steps("echo one; exit 1"));
    const builder = await Program.start([repository.folder]);
    await builder.buildEnded(1);
    await builder.stop();
    const { dataDir } = builder;
    const program = await Program.start([repository.folder], {
      dataDir,
      arguments: ["--seal-after", "0s"],
    });
    await sealed(program, 1);
    const log = Buffer.from(await (await fetch(`${program.url}/builds/1/logs/0.1`)).arrayBuffer());
    const refused = await runCommand(["unseal", "--data-dir", dataDir]);
    expect([refused.code, refused.errors]).toEqual([
      1,
      expect.stringContaining("to be the only AutoBuild"),
    ]);
    await program.stop();
    const done = await runCommand(["unseal", "--data-dir", dataDir]);
    expect([done.code, done.errors]).toEqual([
      0,
      expect.stringMatching(/^The logs of 1 build are files again, 0\.0 MB in all\.\n$/),
    ]);
    expect(readFileSync(path.join(dataDir, "builds/1/0.1.log")).compare(log)).toBe(0);
    expect(logsOf(program, 1)).toContain("console.idx");
    // A server that seals takes them once more.
    const again = await Program.start([repository.folder], {
      dataDir,
      arguments: ["--seal-after", "0s"],
    });
    await sealed(again, 1);
    expect(await (await fetch(`${again.url}/builds/1/logs/0.1`)).text()).toBe(log.toString());
  });

  test("go with retention, as files do", async () => {
    const repository = new TestRepository(steps(noisy));
    const dataDir = temporaryFolder();
    const repositories = [repository.folder];
    const first = await TestServer.start({ repositories, dataDir, sealAfterMs: 0 });
    await first.ended(1);
    repository.commitSteps("second", noisy);
    await first.ended(2);
    await sealed({ dataDir }, 1);
    await sealed({ dataDir }, 2);
    expect(first.problems).toEqual([]);
    await first.autobuild.stop();

    const keep = { log: { maxAgeMs: 1e15, maxPerBranch: 1, maxBytes: 1e15 } };
    const second = await TestServer.start({ repositories, dataDir, keep });
    const { folders } = second.autobuild;
    await until("the first is gone", async () => (await folders.bytesOf(1)) === 0);
    expect(await folders.file(1, "0.1.log").size()).toBeUndefined();
    expect(await folders.file(2, "0.1.log").size()).toBeGreaterThan(1_000_000);
    expect(second.problems).toEqual([]);
  });

  test("go on for a viewer that was in the middle of one", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(`${noisy}; ${gate.wait}`));
    // Sealed from here: AutoBuild itself waits until nobody reads.
    const program = await Program.start([repository.folder], {
      arguments: ["--seal-after", "never"],
    });
    await program.buildRuns(1);
    const watcher = await Watcher.open(`${program.url}/websocket/log/1`, {
      cutAfterBytes: 500_000,
    });
    await watcher.seen("half has come", ({ bytes }) => bytes >= 500_000);
    const answer = await fetch(`${program.url}/builds/1/logs/0.1`);
    const slow = answer.body?.getReader();
    const first = await slow?.read();
    gate.open();
    const { logBytes } = await program.buildEnded(1);
    const whole = program.logOf(1);
    const thread = new SealingThread(program.dataDir);
    onTestFinished(() => thread.stop());
    await thread.seal(1, path.join(program.dataDir, "builds/1"));
    expect(logsOf(program, 1)).toEqual([]);
    const from = Buffer.byteLength(watcher.log);
    const rest = await Watcher.open(`${program.url}/websocket/log/1?from=${from}`);
    await rest.seen("the rest has come", ({ bytes }) => bytes >= logBytes - from);
    expect(watcher.log + rest.log).toBe(whole);
    let bytes = first?.value?.length ?? 0;
    for (let next = await slow?.read(); next?.done === false; next = await slow?.read())
      bytes += next.value.length;
    expect(bytes).toBe(Number(answer.headers.get("content-length")));
    expect(program.errors).toBe("");
  });
});
