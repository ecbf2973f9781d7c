import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand, type CommandResult } from "../support/command.ts";
import { Gate } from "../support/gate.ts";
import { Program } from "../support/program.ts";
import { steps, TestRepository } from "../support/repository.ts";
import { until } from "../support/until.ts";

/** Waits until AutoBuild gives a line of build 1, which is some time after it is in the file. */
function told({ url }: Program, line: string): Promise<void> {
  return until(`the log has ${line}`, async () =>
    (await (await fetch(`${url}/api/builds/1/log`)).text()).includes(`\n${line}\n`),
  );
}

describe("the log of a build", () => {
  test("is had in ranges of bytes, also while it grows", async () => {
    const gate = new Gate();
    const repository = new TestRepository(steps("seq 1 3000; echo half", gate.wait, "echo whole"));
    const program = await Program.start([repository.folder]);
    await told(program, "half");
    const get = async (
      address: string,
      range: string,
    ): Promise<[number, string | null, string]> => {
      const answer = await fetch(program.url + address, { headers: { Range: range } });
      return [answer.status, answer.headers.get("content-range"), await answer.text()];
    };
    const soFar = program.logOf(1);
    expect(await get("/builds/1/log", "bytes=0-9")).toEqual([
      206,
      expect.stringMatching(/^bytes 0-9\/\d+$/),
      soFar.slice(0, 10),
    ]);
    gate.open();
    await program.buildEnded(1);
    const log = Buffer.from(program.logOf(1));
    const { length } = log;
    for (const address of ["/builds/1/log", "/api/builds/1/log"]) {
      expect(await get(address, "bytes=7-19")).toEqual([
        206,
        `bytes 7-19/${length}`,
        log.toString("utf8", 7, 20),
      ]);
      expect(await get(address, "bytes=-20")).toEqual([
        206,
        `bytes ${length - 20}-${length - 1}/${length}`,
        log.toString("utf8", length - 20),
      ]);
      expect(await get(address, `bytes=${length}-`)).toEqual([416, `bytes */${length}`, ""]);
      const whole = await fetch(program.url + address);
      expect([whole.headers.get("content-length"), whole.headers.get("accept-ranges")]).toEqual([
        String(length),
        "bytes",
      ]);
      expect(await whole.text()).toBe(log.toString());
    }
    // Of what is asked for, not of all: the third line, and of that the first bytes.
    const from = log.indexOf("\n", log.indexOf("\n") + 1) + 1;
    const part = await fetch(`${program.url}/api/builds/1/log?from=${from - 3}`, {
      headers: { Range: "bytes=0-4" },
    });
    expect([part.headers.get("log-offset"), await part.text()]).toEqual([
      String(from),
      log.toString("utf8", from, from + 5),
    ]);
    rmSync(path.join(program.dataDir, "builds/1/console.log"));
    const gone = await fetch(`${program.url}/builds/1/log`);
    expect([gone.status, await gone.text()]).toEqual([200, ""]);
  });

  test("is had from a time on, over HTTP and by the command, and followed from there", async () => {
    const gate = new Gate();
    const repository = new TestRepository(
      steps("echo early; sleep 0.3", "echo late", gate.wait, "echo last"),
    );
    const program = await Program.start([repository.folder]);
    await told(program, "late");
    let startedMs: number | null | undefined;
    await until("the step has started", async () => {
      startedMs = (await program.build(1))?.steps[1]?.startedMs;
      return typeof startedMs === "number";
    });
    const since = new Date(startedMs ?? 0).toISOString();
    const get = async (query: string): Promise<[number, string | null, string]> => {
      const answer = await fetch(`${program.url}/api/builds/1/log?${query}`);
      return [answer.status, answer.headers.get("log-offset"), await answer.text()];
    };
    const soFar = program.logOf(1);
    const offset = soFar.indexOf("=== step step-2");
    const [status, begins, text] = await get(`since=${since}`);
    expect([status, begins]).toEqual([200, String(offset)]);
    expect(text.startsWith("=== step step-2: echo late\nlate\n")).toBe(true);
    expect((await get("since=1d"))[1]).toBe("0");
    expect((await get("since=2999-01-01"))[2]).toBe("");
    expect((await get("since=yesterday"))[0]).toBe(400);

    const command = (...args: string[]): Promise<CommandResult> =>
      runCommand([...args, "--data-dir", program.dataDir]);
    const following = command("logs", "1", "-f", "--since", since);
    gate.open();
    await program.buildEnded(1);
    const log = program.logOf(1);
    expect(await following).toMatchObject({ code: 0, output: log.slice(offset) });
    expect(await command("logs", "--since", since)).toMatchObject({
      code: 0,
      output: log.slice(offset),
    });
    const none = await command("logs", "1", "--since", "2999-01-01");
    expect([none.code, none.output, none.errors]).toEqual([
      0,
      "",
      "Build 1 has printed nothing since then.\n",
    ]);
    expect(await command("logs", "1", "--since", "soon")).toMatchObject({ code: 2 });

    // As a build of an AutoBuild that did not note times.
    rmSync(path.join(program.dataDir, "builds/1/console.idx"));
    expect((await get(`since=${since}`))[2]).toBe(log);
    expect((await get("since=2999-01-01"))[2]).toBe("");
    expect(readFileSync(path.join(program.dataDir, "builds/1/console.log"), "utf8")).toBe(log);
  });
});
