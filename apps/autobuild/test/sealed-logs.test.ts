import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { SealedLogWriter } from "../src/log/sealed-log-writer.ts";
import { SealedLogs } from "../src/log/sealed-logs.ts";
import { blockBytes } from "../src/log/sealed-tables.ts";
import { SealingThread } from "../src/log/sealing-thread.ts";
import { BuildFolders } from "../src/run/build-folders.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { temporaryFolder } from "./support/temporary.ts";

class Rig {
  readonly dataDir = temporaryFolder();
  readonly problems: string[] = [];
  readonly sealed = new SealedLogs(this.dataDir, (message) => this.problems.push(message));
  readonly clock = new ManualClock();
  readonly folders = new BuildFolders(this.dataDir, this.sealed, this.clock);
  readonly databaseFile = path.join(this.dataDir, "logs.sqlite");
  #writer: SealedLogWriter | undefined;

  constructor() {
    onTestFinished(() => {
      this.sealed.close();
      this.#writer?.close();
    });
  }

  get writer(): SealedLogWriter {
    return (this.#writer ??= new SealedLogWriter(this.dataDir));
  }

  /** As a new process would have it. */
  reopen(): void {
    this.#writer?.close();
    this.#writer = undefined;
  }

  write(buildId: number, name: string, bytes: Uint8Array | string): string {
    const folder = this.folders.of(buildId).path;
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, name), bytes);
    return path.join(folder, name);
  }

  seal(buildId: number): ReturnType<SealedLogWriter["seal"]> {
    return this.writer.seal(buildId, this.folders.of(buildId).path);
  }

  /** Does something to the database that only a broken disk, or somebody with an editor, would do. */
  harm(sql: string): void {
    const database = new DatabaseSync(this.databaseFile);
    database.exec(sql);
    database.close();
  }
}

const lines = Buffer.from(
  Array.from({ length: 40_000 }, (_, index) => `line ${index} of a log that says much\n`).join(""),
);

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe("sealed logs", () => {
  test("read as the files that they were, in any range, and take a fraction of the room", async () => {
    const rig = new Rig();
    const file = rig.write(7, "0.1.log", lines);
    const log = rig.folders.file(7, "0.1.log");
    rig.write(7, "0.1.idx", Buffer.alloc(32));
    rig.write(7, "journal.ndjson", "{}\n");
    expect(rig.seal(7)).toMatchObject({ files: 2, bytes: lines.length + 32 });
    expect(existsSync(file)).toBe(false);
    expect(existsSync(rig.folders.of(7).journal)).toBe(true);
    expect(rig.sealed.find(7, "0.1.log")).toMatchObject({
      length: lines.length,
      sha256: sha256(lines),
    });
    expect(await rig.folders.bytesOf(7)).toBeLessThan(lines.length / 5);
    expect(await log.size()).toBe(lines.length);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(lines.length + 100),
        fc.nat(600_000),
        async (from, length) =>
          (await log.read(from, length)).compare(lines.subarray(from, from + length)) === 0,
      ),
      { numRuns: 50 },
    );
  });

  test.each([0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 17 * blockBytes + 1])(
    "of %i bytes are whole",
    async (length) => {
      const rig = new Rig();
      const bytes = randomBytes(length);
      rig.write(1, "setup.log", bytes);
      rig.seal(1);
      const log = rig.folders.file(1, "setup.log");
      expect(await log.size()).toBe(length);
      expect((await log.read(0, length + 1)).compare(bytes)).toBe(0);
    },
  );

  test("are read from their file as long as it is there, log by log", async () => {
    const rig = new Rig();
    rig.write(1, "0.1.log", "one\n");
    rig.seal(1);
    rig.write(1, "1.1.log", "two\n");
    expect((await rig.folders.file(1, "0.1.log").read(0, 9)).toString()).toBe("one\n");
    expect((await rig.folders.file(1, "1.1.log").read(0, 9)).toString()).toBe("two\n");
    expect(await rig.folders.file(1, "2.1.log").size()).toBeUndefined();
  });

  test("are read from one block in pieces as from a file, whichever log it is", async () => {
    const rig = new Rig();
    const texts = ["a", "b"].map((letter) => Buffer.alloc(100_000, letter));
    for (const [id, text] of texts.entries()) rig.write(id, "0.1.log", text);
    for (const id of texts.keys()) rig.seal(id);
    for (let from = 0; from < 100_000; from += 9999)
      for (const [id, text] of texts.entries()) {
        const read = await rig.folders.file(id, "0.1.log").read(from, 9999);
        expect(read.compare(text.subarray(from, from + 9999))).toBe(0);
      }
    rig.writer.remove(0);
    expect(await rig.folders.file(0, "0.1.log").read(0, 10)).toHaveLength(0);
  });

  test("leave alone what a build hid among them", () => {
    const rig = new Rig();
    const folder = rig.folders.of(1).path;
    mkdirSync(path.join(folder, "1.1.log"), { recursive: true });
    expect(rig.seal(1)).toEqual({ files: 0, bytes: 0, storedBytes: 0 });
    expect(rig.seal(2)).toEqual({ files: 0, bytes: 0, storedBytes: 0 });
  });

  test("give their room back to the disk when they are removed", () => {
    const rig = new Rig();
    rig.write(1, "0.1.log", randomBytes(4_000_000));
    rig.write(2, "0.1.log", "stays");
    rig.seal(1);
    rig.seal(2);
    rig.writer.remove(9);
    const before = statSync(rig.databaseFile).size;
    rig.writer.remove(1);
    expect(before - statSync(rig.databaseFile).size).toBeGreaterThan(4_000_000);
    expect(rig.sealed.find(1, "0.1.log")).toBeUndefined();
    expect(rig.sealed.storedBytesOf(1)).toBe(0);
    expect(rig.sealed.find(2, "0.1.log")?.length).toBe(5);
  });
});

describe("sealing that was cut short", () => {
  test("before the copy is whole leaves the file, and nothing of the copy", async () => {
    const rig = new Rig();
    const file = rig.write(1, "0.1.log", lines);
    // As a process leaves it that died between two transactions.
    void rig.writer;
    rig.harm(`INSERT INTO sealed_file (build_id, name) VALUES (1, '0.1.log');
      INSERT INTO sealed_block (file_id, number, data) VALUES (1, 0, zeroblob(300000))`);
    expect(rig.sealed.find(1, "0.1.log")).toBeUndefined();
    expect((await rig.folders.file(1, "0.1.log").read(0, 1e9)).compare(lines)).toBe(0);
    rig.reopen();
    rig.seal(1);
    expect(existsSync(file)).toBe(false);
    const database = new DatabaseSync(rig.databaseFile, { readOnly: true });
    expect(database.prepare("SELECT count(*) AS count FROM sealed_file").get()).toEqual({
      count: 1,
    });
    database.close();
    expect((await rig.folders.file(1, "0.1.log").read(0, 1e9)).compare(lines)).toBe(0);
  });

  test("by SIGKILL, at one point after the other, loses not a byte and comes to its end", async () => {
    const rig = new Rig();
    const names = ["0.1.log", "1.1.log", "console.log"];
    const before = names.map((name) => Buffer.from(`${name}\n`.repeat(40_000)));
    const files = names.map((name, index) => rig.write(1, name, before[index] ?? ""));
    const writer = new URL("../src/log/sealed-log-writer.ts", import.meta.url).href;
    // The process ends itself behind the n-th thing that it has SQLite do, commits among them.
    const script = (last: number): string => `
      import { DatabaseSync } from "node:sqlite";
      import { SealedLogWriter } from "${writer}";
      const { exec } = DatabaseSync.prototype;
      let done = 0;
      DatabaseSync.prototype.exec = function (sql) {
        exec.call(this, sql);
        if (++done === ${last}) process.kill(process.pid, "SIGKILL");
      };
      new SealedLogWriter(${JSON.stringify(rig.dataDir)}).seal(1, ${JSON.stringify(rig.folders.of(1).path)});`;
    const ends: (number | string | null)[] = [];
    for (let last = 2; ends.at(-1) !== 0 && ends.length < 20; last += 2) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script(last)], {
        stdio: "ignore",
      });
      const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
      for (const [index, name] of names.entries()) {
        const read = await rig.folders.file(1, name).read(0, 1e8);
        expect([last, name, read.equals(before[index] ?? read)]).toEqual([last, name, true]);
      }
      ends.push(signal ?? code);
    }
    expect(ends.length).toBeGreaterThan(4);
    expect(ends).toEqual([...ends.slice(1).map(() => "SIGKILL"), 0]);
    expect(files.filter((file) => existsSync(file))).toEqual([]);
    expect(rig.problems).toEqual([]);
  });

  test("before the file was removed does it once more", async () => {
    const rig = new Rig();
    rig.write(1, "0.1.log", "one\n");
    rig.seal(1);
    const file = rig.write(1, "0.1.log", "one\n");
    rig.seal(1);
    expect(existsSync(file)).toBe(false);
    expect((await rig.folders.file(1, "0.1.log").read(0, 9)).toString()).toBe("one\n");
    expect(rig.sealed.storedBytesOf(1)).toBeLessThan(50);
  });

  test("by a full disk leaves every file, and says so", () => {
    const rig = new Rig();
    const file = rig.write(1, "0.1.log", randomBytes(3_000_000));
    const small = rig.write(1, "1.1.log", "x");
    const folder = rig.folders.of(1).path;
    // A database that may not grow is what SQLite has of a full disk.
    const writer = new SealedLogWriter(rig.dataDir, { maxPages: 100 });
    onTestFinished(() => writer.close());
    expect(() => writer.seal(1, folder)).toThrow(expect.objectContaining({ errcode: 13 }));
    expect([existsSync(file), existsSync(small)]).toEqual([true, true]);
    expect(rig.sealed.find(1, "0.1.log")).toBeUndefined();
    rig.seal(1);
    expect([existsSync(file), existsSync(small)]).toEqual([false, false]);
  });
});

describe("sealed logs that are made files again", () => {
  test("are what they were, and the database is empty", async () => {
    const rig = new Rig();
    const names = ["0.1.log", "0.1.idx", "console.log"];
    const files = names.map((name) => rig.write(1, name, `${name}\n`.repeat(99_999)));
    const before = files.map((file) => sha256(readFileSync(file)));
    rig.seal(1);
    expect(rig.writer.buildIds()).toEqual([1]);
    expect(rig.writer.unseal(1, rig.folders.of(1).path)).toBeGreaterThan(2_000_000);
    expect(files.map((file) => sha256(readFileSync(file)))).toEqual(before);
    expect(rig.writer.buildIds()).toEqual([]);
    expect(rig.sealed.find(1, "0.1.log")).toBeUndefined();
  });

  test("stay sealed where one is damaged", () => {
    const rig = new Rig();
    const file = rig.write(1, "0.1.log", lines);
    rig.seal(1);
    rig.harm("DELETE FROM sealed_block WHERE number = 2");
    expect(() => rig.writer.unseal(1, rig.folders.of(1).path)).toThrow("got another");
    expect(existsSync(file)).toBe(false);
    expect(rig.sealed.find(1, "0.1.log")?.length).toBe(lines.length);
  });
});

describe("a sealed log that is damaged", () => {
  test.each([
    [
      "by a flipped bit",
      "UPDATE sealed_block SET data = CAST(substr(data, 1, 200) || x'00' || substr(data, 202) AS BLOB) WHERE number = 1",
    ],
    ["by a block that is missing", "DELETE FROM sealed_block WHERE number = 1"],
    [
      "by another block",
      "UPDATE sealed_block SET data = (SELECT data FROM sealed_block WHERE number = 5) WHERE number = 1",
    ],
  ])("%s has a sentence there, and the rest at its place", async (_how, sql) => {
    const rig = new Rig();
    rig.write(3, "0.1.log", lines);
    rig.seal(3);
    rig.harm(sql);
    const read = await rig.folders.file(3, "0.1.log").read(0, lines.length);
    expect(read).toHaveLength(lines.length);
    expect(read.subarray(0, blockBytes).compare(lines.subarray(0, blockBytes))).toBe(0);
    expect(read.subarray(2 * blockBytes).compare(lines.subarray(2 * blockBytes))).toBe(0);
    expect(read.toString("utf8", blockBytes, 2 * blockBytes).trim()).toBe(
      "=== 262144 bytes of this log are damaged in logs.sqlite, and cannot be shown",
    );
    await rig.folders.file(3, "0.1.log").read(0, lines.length);
    expect(rig.problems).toHaveLength(1);
    expect(rig.problems[0]).toMatch(
      /^The log 0\.1\.log of build 3 is damaged in logs\.sqlite, at byte 262144: .*A backup may have it whole\.$/,
    );
  });

  test("with all its database reads as empty, and says so once", async () => {
    const rig = new Rig();
    writeFileSync(
      rig.databaseFile,
      "not a database, and long enough for the header of one".repeat(9),
    );
    const log = rig.folders.file(1, "0.1.log");
    expect(await log.read(0, 10)).toHaveLength(0);
    expect(await log.size()).toBeUndefined();
    expect(rig.problems).toHaveLength(1);
    expect(rig.problems[0]).toMatch(/^Sealed logs cannot be read from .*They are shown as empty/);
    const file = rig.write(1, "0.1.log", "one\n");
    expect(() => rig.seal(1)).toThrow("not a database");
    expect(existsSync(file)).toBe(true);
  });

  test("of a newer AutoBuild is left alone", () => {
    const rig = new Rig();
    void rig.writer;
    rig.reopen();
    rig.harm("PRAGMA user_version = 2");
    expect(rig.sealed.find(1, "0.1.log")).toBeUndefined();
    expect(rig.problems[0]).toContain("got 2, which a newer AutoBuild wrote");
    expect(() => rig.writer).toThrow("got 2, which a newer AutoBuild wrote");
  });
});

describe("the thread that seals", () => {
  test("does what it is told while others read, and they notice nothing", async () => {
    const rig = new Rig();
    const thread = new SealingThread(rig.dataDir);
    onTestFinished(() => thread.stop());
    for (let id = 1; id <= 5; id++) rig.write(id, "0.1.log", lines);
    let isSealed = false;
    const log = rig.folders.file(3, "0.1.log");
    const reading = (async () => {
      const hashes = new Set<string>();
      while (!isSealed) {
        const pieces: Buffer[] = [];
        for (let from = 0; from < lines.length; from += 100_000)
          pieces.push(await log.read(from, 100_000));
        hashes.add(sha256(Buffer.concat(pieces)));
      }
      return [...hashes];
    })();
    const sealings = await Promise.all(
      [1, 2, 3, 4, 5].map((id) => thread.seal(id, rig.folders.of(id).path)),
    );
    isSealed = true;
    expect(sealings.map(({ bytes }) => bytes)).toEqual(Array(5).fill(lines.length));
    expect(await reading).toEqual([sha256(lines)]);
    await thread.remove(3);
    expect(await log.size()).toBeUndefined();
  });

  test("says what went wrong, and goes on", async () => {
    const rig = new Rig();
    const thread = new SealingThread(rig.dataDir);
    onTestFinished(() => thread.stop());
    mkdirSync(rig.databaseFile);
    rig.write(1, "0.1.log", "one\n");
    const { path: folder } = rig.folders.of(1);
    await expect(thread.seal(1, folder)).rejects.toMatchObject({ isDiskFull: false });
    rmSync(rig.databaseFile, { recursive: true });
    expect(await thread.seal(1, folder)).toMatchObject({ files: 1 });
  });

  test("is ended at once, whatever it is at, and nothing is lost", async () => {
    const rig = new Rig();
    const thread = new SealingThread(rig.dataDir);
    const file = rig.write(1, "0.1.log", Buffer.concat(Array(20).fill(lines)));
    const before = sha256(readFileSync(file));
    const sealing = thread.seal(1, rig.folders.of(1).path);
    sealing.catch(() => {});
    await expect.poll(() => existsSync(rig.databaseFile)).toBe(true);
    await thread.stop();
    const log = rig.folders.file(1, "0.1.log");
    expect(sha256(await log.read(0, 20 * lines.length))).toBe(before);
    await expect(thread.seal(1, rig.folders.of(1).path)).rejects.toThrow("AutoBuild stops");
  });
});
