import { execFileSync } from "node:child_process";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./temporary.ts";

/** A file system of its own, in memory, of a few megabytes. */
export interface SmallDisk {
  readonly folder: string;
  resize(bytes: number): void;
}

/** Makes one that is there until the test has finished. Undefined: only root may, and only on Linux. */
export function smallDisk(bytes: number): SmallDisk | undefined {
  const folder = temporaryFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder], {
      stdio: "ignore",
    });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  return {
    folder,
    resize: (size) => void execFileSync("mount", ["-o", `remount,size=${size}`, folder]),
  };
}
