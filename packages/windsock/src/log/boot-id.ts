import { readFileSync } from "node:fs";

/** Names this start of the machine, where the system says: on Linux. Elsewhere undefined. */
export function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
