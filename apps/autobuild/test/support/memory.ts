import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** How much memory a process holds. */
export function residentBytes(pid: number): number {
  const kibibytes =
    process.platform === "linux"
      ? /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
      : execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" });
  return Number(kibibytes) * 1024;
}
