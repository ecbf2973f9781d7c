import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { SealedLogs } from "../src/log/sealed-logs.ts";
import { temporaryFolder } from "./support/temporary.ts";

function rig() {
  const dataDir = temporaryFolder();
  let logs = new SealedLogs(dataDir);
  onTestFinished(() => logs.close());
  return {
    get logs() {
      return logs;
    },
    reopen() {
      logs.close();
      logs = new SealedLogs(dataDir);
    },
    file(bytes: Uint8Array): string {
      const file = path.join(dataDir, "plain.log");
      writeFileSync(file, bytes);
      return file;
    },
  };
}

const lines = Buffer.from(
  Array.from({ length: 40_000 }, (_, index) => `line ${index} of a log that says much\n`).join(""),
);

describe("sealed logs", () => {
  test("give back any range of what was sealed, after a restart too", async () => {
    const world = rig();
    const file = world.file(lines);
    const sealed = await world.logs.seal(7, "0.1.log", file);
    expect(sealed).toEqual({
      length: lines.length,
      sha256: createHash("sha256").update(lines).digest("hex"),
    });
    rmSync(file);
    world.reopen();
    expect(world.logs.find(7, "0.1.log")).toEqual(sealed);
    expect(world.logs.storedBytes()).toBeLessThan(lines.length / 5);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(lines.length + 100),
        fc.integer({ min: 1, max: 300_000 }),
        async (from, maxBytes) => {
          const read = await world.logs.read(7, "0.1.log", from, maxBytes);
          expect(read?.equals(lines.subarray(from, from + maxBytes))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each([0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 17 * 64 * 1024])(
    "of %i bytes are whole",
    async (length) => {
      const world = rig();
      const bytes = lines.subarray(0, length);
      expect((await world.logs.seal(1, "a", world.file(bytes))).length).toBe(length);
      expect((await world.logs.read(1, "a", 0, length + 1))?.equals(bytes)).toBe(true);
    },
  );

  test("are not seen before they are whole, and may be sealed again", async () => {
    const world = rig();
    const file = world.file(lines);
    const sealing = world.logs.seal(1, "a", file);
    expect(world.logs.find(1, "a")).toBeUndefined();
    expect(world.logs.names(1)).toEqual([]);
    await sealing;
    await world.logs.seal(1, "a", world.file(Buffer.from("another")));
    expect((await world.logs.read(1, "a", 0, 100))?.toString()).toBe("another");
    expect(world.logs.names(1)).toEqual(["a"]);
  });

  test("give their room back when they are removed", async () => {
    const world = rig();
    await world.logs.seal(1, "a", world.file(lines));
    await world.logs.seal(2, "a", world.file(Buffer.from("stays")));
    world.logs.remove(1);
    expect(world.logs.find(1, "a")).toBeUndefined();
    expect(await world.logs.read(1, "a", 0, 10)).toBeUndefined();
    expect(world.logs.storedBytes()).toBe(world.logs.storedBytesOf(2));
  });
});
