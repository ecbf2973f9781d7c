import { readFileSync } from "node:fs";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { AppendFile } from "../src/run/append-file.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

/** So long that a test which waited for it would fail. */
const longMs = 300_000;

async function openFile(highWaterBytes = 1024 * 1024, gatherMs = longMs) {
  const file = path.join(temporaryFolder(), "log");
  const writes: number[] = [];
  const log = await AppendFile.open(
    file,
    highWaterBytes,
    {
      handleWritten: ({ length }) => writes.push(length),
      handleFailure(error) {
        throw error;
      },
    },
    gatherMs,
  );
  onTestFinished(() => log.close());
  const written = (length: number) =>
    until(`${length} bytes are written`, () => log.length === length);
  return { log, writes, written, text: () => readFileSync(file, "utf8") };
}

describe("a file that gathers", () => {
  test("has at once what comes after a silence, and what follows in one write", async () => {
    const { log, writes, written, text } = await openFile();
    void log.append(Buffer.from("first,"));
    await written(6);
    for (let n = 0; n < 100; n++) {
      void log.append(Buffer.from(`${n % 10}`));
      await turn();
    }
    expect(writes).toEqual([6]);
    await log.flush();
    expect(writes).toEqual([6, 100]);
    expect(text()).toBe(`first,${"0123456789".repeat(10)}`);
  });

  test("has all of it soon, also when nothing more comes", async () => {
    const { log, writes, written } = await openFile(1024, 16);
    void log.append(Buffer.from("a"));
    await written(1);
    void log.append(Buffer.from("b"));
    await written(2);
    expect(writes).toEqual([1, 1]);
  });

  test("does not wait with what is worth a write", async () => {
    const { log, writes, written } = await openFile();
    void log.append(Buffer.from("a"));
    await written(1);
    void log.append(Buffer.alloc(256 * 1024));
    await written(1 + 256 * 1024);
    expect(writes).toEqual([1, 256 * 1024]);
  });

  test("lets go on who was asked to wait, while others go on to add to it", async () => {
    const { log, written } = await openFile(1024);
    void log.append(Buffer.from("a"));
    await written(1);
    expect(log.append(Buffer.alloc(1024))).toBeUndefined();
    const room = log.append(Buffer.alloc(1));
    expect(room).toBeInstanceOf(Promise);
    let isThereRoom = false;
    void room?.then(() => (isThereRoom = true));
    await until("there is room", () => {
      void log.append(Buffer.from("b"));
      return isThereRoom;
    });
  });

  test("has everything when it is closed", async () => {
    const { log, written, text } = await openFile();
    void log.append(Buffer.from("a"));
    await written(1);
    void log.append(Buffer.from("b"));
    await log.sync();
    void log.append(Buffer.from("c"));
    await log.close();
    expect(text()).toBe("abc");
  });
});
