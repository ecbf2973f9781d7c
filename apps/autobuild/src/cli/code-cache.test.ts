import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { boundCodeCache } from "./code-cache.ts";

function cacheOf(files: number): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "code-cache-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (let file = 0; file < files; file++) {
    const version = path.join(folder, `v26-${file % 2}`);
    mkdirSync(version, { recursive: true });
    writeFileSync(path.join(version, `${file}.cache`), "code");
  }
  return folder;
}

test("a code cache that has grown beyond its bound is emptied, all versions of Node together", () => {
  const small = cacheOf(6);
  boundCodeCache(small, 8);
  expect(existsSync(path.join(small, "v26-0/0.cache"))).toBe(true);
  const large = cacheOf(7);
  boundCodeCache(large, 8);
  expect(existsSync(large)).toBe(false);
});

test("a code cache that is not there is left alone", () => {
  expect(() => boundCodeCache(path.join(os.tmpdir(), "no-such-cache"))).not.toThrow();
});
