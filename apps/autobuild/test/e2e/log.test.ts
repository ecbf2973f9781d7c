import { describe, expect, test } from "vitest";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";
import { upgradeStatus, Watcher } from "../support/watcher.ts";

describe("/websocket/log/<build>", () => {
  test("gives a viewer that is cut off 20 times every byte once, in order, while the build runs", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps(
        `awk 'BEGIN { for (i = 0; i < 40000; i++) printf "%05d ümläut %060d\\n", i, i }'; ${gate.wait}; ` +
          `awk 'BEGIN { for (i = 40000; i < 80000; i++) printf "%05d ümläut %060d\\n", i, i }'`,
      ),
    );
    const program = await Program.start([repository.folder]);
    await program.buildRuns(1);
    const random = randomNumbers(20);
    let log = "";
    let cuts = 0;
    const view = async (cutAfterBytes: number): Promise<void> => {
      const from = Buffer.byteLength(log);
      const url = `${program.url}/websocket/log/1?from=${from}`;
      const watcher = await Watcher.open(url, { cutAfterBytes });
      await watcher.seen("enough has come", ({ bytes }) => bytes >= cutAfterBytes);
      log += watcher.log;
    };
    for (; cuts < 10; cuts++) await view(1 + Math.floor(random() * 60_000));
    gate.open();
    for (; cuts < 20; cuts++) {
      const left = Buffer.byteLength(program.logOf(1)) - Buffer.byteLength(log);
      await view(1 + Math.floor(random() * Math.min(left, 100_000)));
    }
    await program.buildEnded(1);
    await view(Buffer.byteLength(program.logOf(1)) - Buffer.byteLength(log));
    expect(log).toBe(program.logOf(1));
    expect(cuts).toBe(20);
  });

  test("begins at the next line when the offset lies in one, and at the first when it is none", async () => {
    const repository = new TestRepository(steps("echo ünö; echo two"));
    const program = await Program.start([repository.folder]);
    await program.buildEnded(1);
    const file = program.logOf(1);
    const bytes = Buffer.from(file);
    const logFrom = async (from: string, expected: string): Promise<void> => {
      const watcher = await Watcher.open(`${program.url}/websocket/log/1${from}`);
      await watcher.seen(`from ${from}`, ({ log }) => log.length >= expected.length);
      expect([from, watcher.log]).toEqual([from, expected]);
    };
    const one = bytes.indexOf("\nünö\n") + 1;
    const two = bytes.subarray(bytes.indexOf("\ntwo\n") + 1).toString();
    await logFrom(`?from=${one}`, bytes.subarray(one).toString());
    // In the middle of a character, too.
    await logFrom(`?from=${one + 1}`, two);
    await logFrom(`?from=${one + 4}`, two);
    for (const garbage of ["", "?from=", "?from=abc", "?from=-5", "?from=1.5", "?from=1e99"])
      await logFrom(garbage, file);
    for (const end of [bytes.length, bytes.length + 1, Number.MAX_SAFE_INTEGER])
      await logFrom(`?from=${end}`, "");
  });

  test("follows a queued build from its first line on", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps(gate.wait));
    const program = await Program.start([repository.folder]);
    await program.buildRuns(1);
    repository.commitSteps("second", "echo second");
    await until("build 2 waits", async () => (await program.build(2))?.state === "queued");
    const watcher = await Watcher.open(`${program.url}/websocket/log/2`);
    expect(watcher.messages).toEqual([]);
    gate.open();
    await program.buildEnded(2);
    await watcher.seen("all has come", ({ log }) => log === program.logOf(2));
  });

  test("knows no other builds than those that there are, by no other names", async () => {
    const program = await Program.start([new TestRepository(steps("true")).folder]);
    await program.buildEnded(1);
    const garbage = ["2", "999999999999", "0", "abc", "-1", "1.5", "0x1", "01", "1e0", "+1"];
    for (const id of [...garbage, "", "1/2", "constructor", "..%2f1", "9".repeat(100)])
      expect([id, await upgradeStatus(`${program.url}/websocket/log/${id}`)]).toEqual([id, 404]);
    expect(await upgradeStatus(`${program.url}/websocket/log/1`)).toBe(101);
  });
});

/** Numbers from 0 to 1, the same at each run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
