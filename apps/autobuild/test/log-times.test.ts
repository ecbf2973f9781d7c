import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../src/clock.ts";
import { instantOf } from "../src/instant.ts";
import { PlainFile } from "../src/log/log-bytes.ts";
import { byteSince, readTimes, timeAt } from "../src/log/log-times.ts";
import { TimeIndex } from "../src/run/time-index.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { temporaryFolder } from "./support/temporary.ts";

function fileOf(records: readonly (readonly [byte: number, epochMs: number])[]): PlainFile {
  const bytes = Buffer.alloc(records.length * 16);
  for (const [index, [byte, epochMs]] of records.entries()) {
    bytes.writeBigUInt64LE(BigInt(byte), index * 16);
    bytes.writeBigUInt64LE(BigInt(epochMs), index * 16 + 8);
  }
  const file = path.join(temporaryFolder(), "a.idx");
  writeFileSync(file, bytes);
  return new PlainFile(file);
}

describe("the times of a log", () => {
  test("are one for each burst, and lead from a byte to a time and back", async () => {
    const clock = new ManualClock();
    const start = clock.epochMs();
    const file = path.join(temporaryFolder(), "a.idx");
    const index = await TimeIndex.open(file, 1024, clock, {
      handleFailure(error) {
        throw error;
      },
    });
    index.note(0);
    clock.advance(15);
    index.note(10);
    clock.advance(1);
    index.note(20);
    clock.setBy(-60_000);
    index.note(30);
    await index.close();
    const log = new PlainFile(file);
    const times = await readTimes(log);
    expect(times).toEqual([
      { byte: 0, epochMs: start },
      { byte: 20, epochMs: start + 16 },
      { byte: 30, epochMs: start + 16 - 60_000 },
    ]);
    expect([0, 19, 20, 29, 99].map((byte) => timeAt(times, byte))).toEqual(
      [0, 0, 16, 16, 16 - 60_000].map((ms) => start + ms),
    );
    expect(timeAt([], 5)).toBeNull();
    expect(await byteSince(log, start)).toBe(0);
    expect(await byteSince(log, start + 15)).toBe(0);
    expect(await byteSince(log, start + 16)).toBe(20);
    expect(await byteSince(log, start + 31)).toBe(20);
    expect(await byteSince(log, start + 32)).toBeUndefined();
  });

  test("are found behind the first pieces of a long index, at their borders too", async () => {
    const records = Array.from({ length: 9000 }, (_, index) => [index * 10, index * 100] as const);
    const log = fileOf(records);
    for (const index of [0, 1, 4095, 4096, 4097, 8191, 8192, 8999])
      expect(await byteSince(log, index * 100)).toBe(index * 10);
    expect(await byteSince(log, 8999 * 100 + 16)).toBeUndefined();
    expect(await byteSince(fileOf(records.slice(0, 4096)), 4096 * 100)).toBeUndefined();
  });

  test("are unknown where nobody noted them from the start, and where the index is damaged", async () => {
    expect(await byteSince(new PlainFile("/nowhere"), 0)).toBeNull();
    expect(await byteSince(fileOf([]), 0)).toBeNull();
    expect(await byteSince(fileOf([[10, 5]]), 0)).toBeNull();
    const damaged = fileOf([
      [0, 500],
      [20, 600],
      [10, 700],
    ]);
    expect(await byteSince(damaged, 600)).toBe(20);
    expect(await byteSince(damaged, 700)).toBeNull();
    expect(await readTimes(damaged)).toHaveLength(2);
  });
});

describe("a time that people write", () => {
  const nowMs = systemClock.epochMs();
  test.each([
    ["2026-11-24T10:00:00Z", Date.UTC(2026, 10, 24, 10)],
    ["2026-11-24T10:00Z", Date.UTC(2026, 10, 24, 10)],
    ["2026-11-24T10:00:00.5+01:00", Date.UTC(2026, 10, 24, 9, 0, 0, 500)],
    ["2026-11-24T10:00-0130", Date.UTC(2026, 10, 24, 11, 30)],
    ["2026-11-24T10:00+01", Date.UTC(2026, 10, 24, 9)],
    ["2026-11-24 10:00", new Date(2026, 10, 24, 10).getTime()],
    ["2026-11-24", new Date(2026, 10, 24).getTime()],
    ["90s", nowMs - 90_000],
    ["10m", nowMs - 600_000],
    ["2d", nowMs - 2 * 86_400_000],
    ["1h30m", nowMs - 5_400_000],
    ["1d 12h", nowMs - 36 * 3_600_000],
    ["5min", nowMs - 300_000],
  ])("%s is read", (text, ms) => {
    expect(instantOf(text, nowMs)).toBe(ms);
  });

  test.each([
    "",
    "10",
    "yesterday",
    "10:00",
    "2026-13-01",
    "2026-11-24T25:00",
    "-5m",
    "1e3s",
    "5m ago",
    "999999w",
  ])("%j is none", (text) => {
    expect(instantOf(text, nowMs)).toBeUndefined();
  });
});
