import { appendFileSync, readFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../src/clock.ts";
import { LineDecoder } from "../src/log/line-decoder.ts";
import { PlainFile } from "../src/log/log-bytes.ts";
import { LogFile } from "../src/log/log-reader.ts";
import type { LogFiles } from "../src/run/build-folder.ts";
import { ConsoleLog, consoleLogDefaults, type ConsoleLogOptions } from "../src/run/console-log.ts";
import { temporaryFolder } from "./support/temporary.ts";

function decode(limit: number, ...chunks: (string | Uint8Array)[]): string {
  const decoder = new LineDecoder({ maxLineBytes: limit });
  const lines = chunks.map((chunk) =>
    decoder.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk),
  );
  return Buffer.concat([...lines, decoder.end()]).toString("utf8");
}

describe("a child's output", () => {
  test("keeps escape sequences, lone carriage returns and tabs as they are", () => {
    const text = "\u001b[32mok\u001b[0m\t\u001b]8;;http://x\u0007link\r50 %\r100 %\n";
    expect(decode(100, text)).toBe(text);
  });

  test("leaves out carriage returns before a line feed, also where a chunk ends between the two", () => {
    expect(decode(100, "a\r\nb\r", "\nc\r\r\n")).toBe("a\nb\nc\n");
  });

  test("shows what is not UTF-8 as U+FFFD", () => {
    expect(decode(100, Uint8Array.of(0x61, 0xff, 0x62, 0x0a, 0xc3))).toBe("a\ufffdb\n\ufffd\n");
  });

  test("joins a character that arrives in pieces", () => {
    expect(decode(100, Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x98, 0x80, 0x0a))).toBe("😀\n");
  });

  test("keeps a line of the limit whole and breaks one that is a byte longer", () => {
    expect(decode(8, "12345678\n")).toBe("12345678\n");
    expect(decode(8, "12345678\r\n")).toBe("12345678\n");
    expect(decode(8, "123456789\n")).toBe("12345678\n9\n");
  });

  test("breaks a long line between characters", () => {
    expect(decode(8, "1234567ü8\n")).toBe("1234567\nü8\n");
  });

  test("completes a line that has no end", () => {
    expect(decode(100, "a\nb")).toBe("a\nb\n");
  });

  test("is the same however it is cut into chunks", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(200), { maxLength: 8 }),
        fc.integer({ min: 4, max: 40 }),
        (noise, cuts, limit) => {
          const bytes = noise.map(
            (byte) => [10, 13, 0xc3, 0xbc, 0x61, 0xf0, 0x9f, 0x98, 0x80][byte % 11] ?? byte,
          );
          const places = [
            0,
            ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b),
            bytes.length,
          ];
          const chunks = places
            .slice(1)
            .map((place, index) => bytes.subarray(places[index], place));
          const text = decode(limit, ...chunks);
          expect(text).toBe(decode(limit, bytes));
          for (const line of text.split("\n"))
            expect(Buffer.byteLength(line)).toBeLessThanOrEqual(limit);
          expect(text === "" || text.endsWith("\n")).toBe(true);
        },
      ),
    );
  });
});

describe("a build's console log", () => {
  test("shows whole lines only, and the last one when its step has ended", async () => {
    const { log, reader } = await openLog();
    const stream = log.stream();
    void stream.write(Buffer.from("one\ntw"));
    await log.flush();
    expect(await reader().read(0, 1000)).toEqual({ text: "one\n", next: 4 });
    void stream.write(Buffer.from("o"));
    stream.end();
    await log.flush();
    expect(await reader().read(4, 1000)).toEqual({ text: "two\n", next: 8 });
    expect(await reader().read(8, 1000)).toEqual({ text: "", next: 8 });
  });

  test("is read piece by piece, each of whole lines and within its size", async () => {
    const { log, reader } = await openLog();
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index} ü\n`);
    for (const line of lines) log.line(line.trimEnd());
    await log.flush();
    let text = "";
    for (let from = 0; from < log.length;) {
      const slice = await reader().read(from, 100);
      expect(Buffer.byteLength(slice.text)).toBeLessThanOrEqual(100);
      text += slice.text;
      from = slice.next;
    }
    expect(text).toBe(lines.join(""));
  });

  test("goes on at the next line from an offset within one, and at the end from one past it", async () => {
    const { log, reader } = await openLog();
    log.line("one");
    log.line("zwei ü");
    await log.flush();
    expect(await reader().read(1, 100)).toEqual({ text: "zwei ü\n", next: 12 });
    expect(await reader().read(10, 100)).toEqual({ text: "", next: 12 });
    expect(await reader().read(1e9, 100)).toEqual({ text: "", next: 12 });
    expect(await reader().read(-5, 1)).toEqual({ text: "one\n", next: 4 });
    expect(await reader().read(Number.NaN, 4)).toEqual({ text: "one\n", next: 4 });
  });

  test("says once that it is full, and leaves out the rest of the output but not our own lines", async () => {
    const { log, file } = await openLog({ maxLogBytes: 1024 });
    const stream = log.stream();
    for (let index = 0; index < 100; index++) void stream.write(Buffer.from(`${"x".repeat(99)}\n`));
    stream.end();
    log.line("=== build 1 passed");
    await log.flush();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(12);
    expect(lines[10]).toMatch(/^=== the console has reached its limit of 1024 bytes/);
    expect(lines[11]).toBe("=== build 1 passed");
  });

  test("asks a step to wait while the disk lags behind", async () => {
    const { log } = await openLog({ highWaterBytes: 1024 });
    const stream = log.stream();
    expect(stream.write(Buffer.from(`${"x".repeat(1023)}\n`))).toBeUndefined();
    const wait = stream.write(Buffer.from("y\n"));
    expect(wait).toBeInstanceOf(Promise);
    await wait;
    expect(log.length).toBe(1026);
    expect(stream.write(Buffer.from("z\n"))).toBeUndefined();
  });

  test("whose writer was killed within a line goes on with a whole one", async () => {
    const file = path.join(temporaryFolder(), "console.log");
    appendFileSync(file, "one\nhal");
    const log = await ConsoleLog.open(filesOf(file), consoleLogDefaults, systemClock, unheard);
    log.line("=== build 1 lost");
    await log.close();
    expect(readFileSync(file, "utf8")).toBe("one\nhal\n=== build 1 lost\n");
    expect(log.length).toBe(25);
  });

  test.runIf(process.platform === "linux")("reports a disk that refuses once", async () => {
    const failures: unknown[] = [];
    // Writing to this device fails as on a full disk.
    const log = await ConsoleLog.open(filesOf("/dev/full"), consoleLogDefaults, systemClock, {
      handleGrown() {},
      handleFailure: (error) => failures.push(error),
    });
    log.line("one");
    await log.flush();
    log.line("two");
    await log.close();
    expect(failures).toEqual([expect.objectContaining({ code: "ENOSPC" })]);
    expect(log.length).toBe(0);
  });

  test("that somebody removed reads as ended early", async () => {
    const file = new LogFile(new PlainFile(path.join(temporaryFolder(), "gone.log")), 100, 1024);
    expect(await file.read(0, 1000)).toEqual({ text: "", next: 100 });
  });
});

function filesOf(log: string): LogFiles {
  return { log, index: path.join(temporaryFolder(), "console.idx") };
}

const unheard = { handleGrown() {}, handleFailure() {} };

async function openLog(
  options: Partial<ConsoleLogOptions> = {},
): Promise<{ log: ConsoleLog; file: string; reader: () => LogFile }> {
  const file = path.join(temporaryFolder(), "console.log");
  const log = await ConsoleLog.open(
    filesOf(file),
    { ...consoleLogDefaults, ...options },
    systemClock,
    unheard,
  );
  onTestFinished(() => log.close());
  const reader = (): LogFile =>
    new LogFile(new PlainFile(file), log.length, consoleLogDefaults.maxLineBytes);
  return { log, file, reader };
}
