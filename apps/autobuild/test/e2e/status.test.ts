import { describe, expect, test } from "vitest";
import { Gate } from "../support/gate.ts";
import { residentBytes } from "../support/memory.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { Watcher } from "../support/watcher.ts";

describe("/websocket/status", () => {
  test("sends every line of a build to plain clients, in order, as the log file has it", async () => {
    const repository = new TestRepository();
    const program = await Program.start([repository.folder]);
    const url = `${program.url}/websocket/status`;
    const [one, two] = [await Watcher.open(url), await Watcher.open(url)];
    expect(one.messages).toEqual([]);

    const gate = new Gate();
    repository.commitSteps(
      "first",
      `echo begin; ${gate.wait}; i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i + 1)); done`,
      "printf 'umläut ✓\\r\\n\\nlast without newline'",
    );
    await one.seen("the first lines come while the build runs", ({ log }) =>
      log.includes("begin\n"),
    );
    expect((await program.build(1))?.state).toBe("running");

    const late = await Watcher.open(url);
    await late.seen("the late one has the backlog", ({ log }) => log.includes("begin\n"));
    expect(late.log).toMatch(/^=== build 1 of project main/);
    gate.open();
    expect((await program.buildEnded(1)).state).toBe("passed");
    const file = program.logOf(1);
    expect(file).toContain("line 1999\n=== step step-2: ");
    expect(file).toMatch(/umläut ✓\n\nlast without newline\n=== build 1 passed in .*\n$/);
    for (const watcher of [one, two, late]) {
      await watcher.seen("all has come", ({ bytes }) => bytes >= Buffer.byteLength(file));
      expect(watcher.log).toBe(file);
    }

    const after = await Watcher.open(url);
    await after.seen("one that comes after the end sees the last build", ({ log }) => log === file);

    repository.commitSteps("second", "echo next; exit 3");
    expect((await program.buildEnded(2)).state).toBe("failed");
    const both = file + program.logOf(2);
    for (const watcher of [one, two, late, after]) {
      await watcher.seen("the next build has come", ({ log }) => log.length >= both.length);
      expect(watcher.log).toBe(both);
    }
    const newest = await Watcher.open(url);
    await newest.seen("it begins with the newest build", ({ log }) => log === program.logOf(2));
  });

  // It stood behind the first one's until it printed again, which it may never do.
  test("shows a build that ran beside another as soon as that one is over", async () => {
    const [one, two] = [new Gate(), new Gate()];
    const repositories = [one, two].map(
      (gate, index) => new TestRepository(steps(`echo line ${index}; ${gate.wait}`)),
    );
    const program = await Program.start(repositories.map(({ folder }) => folder));
    const watcher = await Watcher.open(`${program.url}/websocket/status`);
    await watcher.seen("one of them is shown", ({ log }) => /line [01]\n/.test(log));
    for (const name of ["line 0", "line 1"])
      await expect.poll(() => [1, 2].some((id) => program.logOf(id).includes(name))).toBe(true);
    const [shown, hidden] = watcher.log.includes("line 0") ? [one, two] : [two, one];
    shown.open();
    await watcher.seen("both are shown", ({ log }) => /line 0\n/.test(log) && /line 1\n/.test(log));
    hidden.open();
    for (const id of [1, 2]) expect((await program.buildEnded(id)).state).toBe("passed");
  });

  test("lets a slow client have a log of 5 MB at its pace, at no cost for the server or for others", async () => {
    const repository = new TestRepository();
    const program = await Program.start([repository.folder]);
    const url = `${program.url}/websocket/status`;
    const fast = await Watcher.open(url);
    const slow = await Promise.all(Array.from({ length: 20 }, () => Watcher.open(url)));
    for (const { socket } of slow) socket.pause();

    const line = "x".repeat(92);
    const repeat = `awk 'BEGIN { for (i = 0; i < 50000; i++) printf "%06d ${line}\\n", i }'`;
    // Once before, so that what the server needs for one such build is not counted.
    repository.commitSteps("warm up", repeat);
    await program.buildEnded(1);
    await fast.seen("the warm-up has come", ({ log }) => /=== build 1 passed/.test(log));
    const before = residentBytes(program.pid);

    repository.commitSteps("five megabytes", repeat);
    expect((await program.buildEnded(2)).state).toBe("passed");
    const file = program.logOf(1) + program.logOf(2);
    expect(program.logOf(2).length).toBeGreaterThan(5_000_000);
    await fast.seen("the fast one has it", ({ bytes }) => bytes >= Buffer.byteLength(file));
    expect(fast.log).toBe(file);
    // Had each slow client a queue of its own, it would hold 200 MB by now.
    expect(residentBytes(program.pid) - before).toBeLessThan(64 * 1024 * 1024);

    for (const watcher of slow) {
      expect(watcher.bytes).toBeLessThan(1_000_000);
      watcher.socket.resume();
    }
    for (const watcher of slow) {
      await watcher.seen("the slow one has it", ({ bytes }) => bytes >= Buffer.byteLength(file));
      expect(watcher.log).toBe(file);
    }
  }, 120_000);

  test("keeps what a client sends to it from doing anything", async () => {
    const repository = new TestRepository(steps("echo hello"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const watcher = await Watcher.open(`${program.url}/websocket/status`);
    watcher.socket.send("<script>alert(1)</script>");
    watcher.socket.send("rebuild");
    const other = await Watcher.open(`${program.url}/websocket/status`);
    await other.seen("it has the build", ({ log }) => log === program.logOf(1));
    expect(watcher.log).toBe(program.logOf(1));
    expect((await program.builds()).builds).toHaveLength(1);
  });
});
