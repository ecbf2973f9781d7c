import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { IndexedLog } from "../src/log/indexed-log.ts";
import { JournalReader } from "../src/log/journal-reader.ts";
import { SealedLogs } from "../src/log/sealed-logs.ts";
import { parseLogName, StepLogReader } from "../src/log/step-log-reader.ts";
import { BuildFolders } from "../src/run/build-folders.ts";
import { temporaryFolder } from "./support/temporary.ts";

function folders(dataDir: string): BuildFolders {
  const sealed = new SealedLogs(dataDir, () => {});
  onTestFinished(() => sealed.close());
  return new BuildFolders(dataDir, sealed);
}

function folder(): { readonly dataDir: string; readonly build: string } {
  const dataDir = temporaryFolder();
  const build = path.join(dataDir, "builds", "7");
  mkdirSync(build, { recursive: true });
  return { dataDir, build };
}

describe("the log of a step", () => {
  test("is read by bytes while it grows, and has its end from the journal", async () => {
    const { dataDir, build } = folder();
    const reader = new StepLogReader(folders(dataDir), 7, { position: 2, attempt: 1 }, () => false);
    await reader.refresh();
    expect(reader.length).toBe(0);
    const bytes = Uint8Array.of(0x61, 0xff, 0x0a);
    writeFileSync(path.join(build, "2.1.log"), bytes);
    await reader.refresh();
    expect([...(await reader.read(1, 100))]).toEqual([0xff, 0x0a]);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const ended = {
      type: "attemptEnded",
      position: 2,
      attempt: 1,
      end: { type: "exited", code: 1 },
    };
    appendFileSync(
      path.join(build, "journal.ndjson"),
      `${JSON.stringify({ ...ended, length: 3, sha256, durationMs: 1 })}\n{"type":"hal`,
    );
    await reader.refresh();
    expect(reader.end).toEqual({ length: 3, sha256, isFailure: true });
  });

  // Of two looks at once the second found the journal as long as the first had left it, and took the log for one of
  // which the journal says nothing.
  test("has its end with its hash, however many look at once", async () => {
    const { dataDir, build } = folder();
    writeFileSync(path.join(build, "setup.log"), "one\n");
    const ended = { type: "setupEnded", length: 4, sha256: "aa" };
    writeFileSync(path.join(build, "journal.ndjson"), `${JSON.stringify(ended)}\n`);
    const reader = new StepLogReader(
      folders(dataDir),
      7,
      { position: null, attempt: 1 },
      () => true,
    );
    await Promise.all([reader.refresh(), reader.refresh(), reader.refresh()]);
    expect(reader.end).toEqual({ length: 4, sha256: "aa", isFailure: false });
  });

  test("that lost its runner ends with its build, without a hash", async () => {
    const { dataDir, build } = folder();
    writeFileSync(path.join(build, "0.1.log"), "one\ntw");
    const reader = new StepLogReader(folders(dataDir), 7, { position: 0, attempt: 1 }, () => true);
    await reader.refresh();
    expect(reader.end).toEqual({ length: 6, isFailure: false });
  });

  test("of a build from before steps had logs is the build's own", async () => {
    const dataDir = temporaryFolder();
    mkdirSync(path.join(dataDir, "logs"));
    writeFileSync(path.join(dataDir, "logs", "7.log"), "old\n");
    const reader = new StepLogReader(
      folders(dataDir),
      7,
      { position: null, attempt: 1 },
      () => true,
    );
    await reader.refresh();
    expect((await reader.read(0, 100)).toString()).toBe("old\n");
  });

  test("that was removed reads as empty", async () => {
    const { dataDir, build } = folder();
    writeFileSync(path.join(build, "setup.log"), "one\n");
    const reader = new StepLogReader(
      folders(dataDir),
      7,
      { position: null, attempt: 1 },
      () => false,
    );
    await reader.refresh();
    rmSync(build, { recursive: true });
    expect(await reader.read(0, 100)).toHaveLength(0);
  });

  test("finds rows as they are shown, through colours and redrawn lines", async () => {
    const { dataDir, build } = folder();
    const lines = Array.from({ length: 5000 }, (_, index) => `\u001b[32mli\u001b[0mne ${index}`);
    writeFileSync(path.join(build, "0.1.log"), `${lines.join("\n")}\nold\rnew\u001b[K\n`);
    const reader = new StepLogReader(folders(dataDir), 7, { position: 0, attempt: 1 }, () => true);
    const log = new IndexedLog(reader);
    const { signal } = new AbortController();
    expect((await log.search("line 4321", signal)).rows).toEqual([4321]);
    expect((await log.search("LINE 4321", signal)).rows).toEqual([]);
    expect((await log.search("old", signal)).rows).toEqual([]);
    expect(await log.search("new", signal)).toEqual({ rows: [5000], isCut: false, lines: 5001 });
  });
});

test("a journal is read on from where it was, a line when it is whole", async () => {
  const file = path.join(temporaryFolder(), "journal.ndjson");
  const journal = new JournalReader(file);
  const read = async (): Promise<number[]> => (await journal.readOn()).map(({ seq }) => seq);
  expect(await read()).toEqual([]);
  // Longer than what is read at once.
  const plan = JSON.stringify({ seq: 1, plan: "ü".repeat(400_000) });
  appendFileSync(file, plan.slice(0, 300_000));
  expect(await read()).toEqual([]);
  appendFileSync(file, `${plan.slice(300_000)}\n{"seq":2}\n{"se`);
  expect(await read()).toEqual([1, 2]);
  expect(await read()).toEqual([]);
  // What was there is not looked at again.
  writeFileSync(file, `${"x".repeat(Buffer.byteLength(plan))}\n{"seq":9}\n{"seq":3}\n`);
  expect(await read()).toEqual([3]);
});

// A full disk takes a part of a line, which is cut off again; the reader had that part, and took the line that came
// in its place for the rest of it.
test("a journal's line counts as it is when it is whole", async () => {
  const file = path.join(temporaryFolder(), "journal.ndjson");
  const journal = new JournalReader(file);
  writeFileSync(file, '{"seq":1}\n{"seq":2,"type":"atte');
  expect(await journal.readOn()).toEqual([{ seq: 1 }]);
  writeFileSync(file, '{"seq":1}\n{"seq":2}\n');
  expect(await journal.readOn()).toEqual([{ seq: 2 }]);
});

test("a log has one name, and other texts are none", () => {
  expect(parseLogName("setup")).toEqual({ position: null, attempt: 1 });
  expect(parseLogName("12.3")).toEqual({ position: 12, attempt: 3 });
  for (const text of ["", "0", "0.0", "01.1", "1.01", "../1.1", "1.1.1", "console"])
    expect(parseLogName(text)).toBeUndefined();
});
