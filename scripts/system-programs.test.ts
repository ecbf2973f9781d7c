import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { find } from "./system-programs.ts";

function folderWith(name: string, mode: number): string {
  const folder = mkdtempSync(join(tmpdir(), "windsock-programs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), "");
  chmodSync(join(folder, name), mode);
  return folder;
}

test("a program is found under any of its names, in any folder of PATH", () => {
  const folder = folderWith("chromium-browser", 0o755);
  const path = ["/nonexistent", folder].join(delimiter);
  expect(find(["chromium", "chromium-browser"], path)).toBe(join(folder, "chromium-browser"));
});

test("a file that cannot be executed is not a program", () => {
  expect(find(["chromium"], folderWith("chromium", 0o644))).toBeUndefined();
});
