import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { inSequence, step } from "../src/plan/plan.ts";
import { BuildRecord } from "../src/run/build-record.ts";
import { consoleLogDefaults } from "../src/run/console-log.ts";
import { StepLogWriter, stepLogDefaults, type StepLogOptions } from "../src/run/step-log-writer.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { temporaryFolder } from "./support/temporary.ts";

const plan = inSequence("found a test", [step("one", "true"), step("two", "false")]);

describe("the record of a build", () => {
  test("has the bytes of each attempt in a file, the lines of all in the console, and what happened in the journal", async () => {
    const folder = temporaryFolder();
    const clock = new ManualClock();
    const grown: string[] = [];
    const record = await BuildRecord.open(
      folder,
      { ...stepLogDefaults, ...consoleLogDefaults },
      clock,
      {
        handleJournalGrown() {},
        handleConsoleGrown() {},
        handleLogGrown: (position, attempt) => grown.push(`${position} ${attempt}`),
        handleFailure(error) {
          throw error;
        },
      },
    );
    record.line("build 1 of project");
    record.plan(plan);
    await record.endSetup();
    record.startStep(0);
    const attempt = await record.startAttempt(0, 2);
    void attempt.output.write(Buffer.from("\u001b[32mok\u001b[0m\r\n50 %\r100 %"));
    attempt.output.end();
    attempt.remark("exited with 3 after 1.0 s");
    await attempt.end({ type: "exited", code: 3 }, 1000);
    record.endStep(0, "failed", { type: "exited", code: 3 }, 1000, 2);
    record.line("build 1 failed");
    await record.end("failed", "step one exited with 3", 1234);

    const read = (name: string): string => readFileSync(path.join(folder, name), "utf8");
    expect(read("setup.log")).toBe("=== build 1 of project\n=== plan: found a test\n");
    const log =
      "\u001b[32mok\u001b[0m\r\n50 %\r100 %\n\u001b[2m=== exited with 3 after 1.0 s\u001b[0m\n";
    expect(read("0.2.log")).toBe(log);
    expect(read("console.log").split("\n")).toEqual([
      "=== build 1 of project",
      "=== plan: found a test",
      "=== step one (attempt 2): true",
      "\u001b[32mok\u001b[0m",
      "50 %\r100 %",
      "=== step one exited with 3 after 1.0 s",
      "=== build 1 failed",
      "",
    ]);
    const entries = read("journal.ndjson")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(entries.map(({ type }) => type)).toEqual([
      "plan",
      "setupEnded",
      "stepStarted",
      "attemptStarted",
      "attemptEnded",
      "stepEnded",
      "ended",
    ]);
    expect(entries[0]).toEqual({ seq: 1, t: clock.epochMs(), type: "plan", plan });
    expect(entries[4]).toMatchObject({
      position: 0,
      attempt: 2,
      end: { type: "exited", code: 3 },
      length: Buffer.byteLength(log),
      sha256: createHash("sha256").update(log).digest("hex"),
    });
    expect(entries[6]).toMatchObject({
      state: "failed",
      reason: "step one exited with 3",
      length: Buffer.byteLength(read("console.log")),
    });
    expect(new Set(grown)).toEqual(new Set(["null 1", "0 2"]));
  });
});

describe("the log of a step", () => {
  test("says of each burst when it came, with 16 ms between two", async () => {
    const { folder, clock, log } = await openStepLog();
    for (const [text, advanceMs] of [
      ["a", 15],
      ["bc", 1],
      ["def", 100],
      ["g", 0],
    ] as const) {
      void log.write(Buffer.from(text));
      clock.advance(advanceMs);
    }
    const startMs = clock.epochMs() - 116;
    await log.end();
    expect(records(path.join(folder, "0.1.idx"))).toEqual([
      [0, startMs],
      [3, startMs + 16],
      [6, startMs + 116],
    ]);
  });

  test("keeps its head and the newest output of one that is too long, and says how much is left out", async () => {
    const { folder, log } = await openStepLog({ maxStepLogBytes: 1024, keptTailBytes: 100 });
    void log.write(Buffer.alloc(1020, "h"));
    for (let index = 0; index < 1000; index++) void log.write(Buffer.from(`line ${index}\n`));
    log.remark("exited with 1");
    const { length, sha256 } = await log.end();
    const text = readFileSync(path.join(folder, "0.1.log"), "utf8");
    expect(
      text.startsWith(
        `${"h".repeat(1020)}line\n\u001b[2m=== the log has reached its limit of 1024 bytes`,
      ),
    ).toBe(true);
    const total = Array.from({ length: 1000 }, (_, index) => `line ${index}\n`).join("");
    expect(text.endsWith(`${total.slice(-100)}\u001b[2m=== exited with 1\u001b[0m\n`)).toBe(true);
    expect(text).toContain(`=== ${total.length - 4 - 100} bytes are left out here`);
    expect(length).toBe(Buffer.byteLength(text));
    expect(sha256).toBe(createHash("sha256").update(text).digest("hex"));
  });

  test("of exactly its limit is kept as it is", async () => {
    const { folder, log } = await openStepLog({ maxStepLogBytes: 1024, keptTailBytes: 100 });
    void log.write(Buffer.alloc(1024, "h"));
    await log.end();
    expect(readFileSync(path.join(folder, "0.1.log"), "utf8")).toBe("h".repeat(1024));
  });
});

async function openStepLog(
  options: Partial<StepLogOptions> = {},
): Promise<{ folder: string; clock: ManualClock; log: StepLogWriter }> {
  const folder = temporaryFolder();
  const clock = new ManualClock();
  const files = { log: path.join(folder, "0.1.log"), index: path.join(folder, "0.1.idx") };
  const log = await StepLogWriter.open(files, { ...stepLogDefaults, ...options }, clock, {
    handleGrown() {},
    handleFailure(error) {
      throw error;
    },
  });
  return { folder, clock, log };
}

function records(file: string): [number, number][] {
  const bytes = readFileSync(file);
  return Array.from({ length: bytes.length / 16 }, (_, index) => [
    Number(bytes.readBigUInt64LE(index * 16)),
    Number(bytes.readBigUInt64LE(index * 16 + 8)),
  ]);
}
