import { readFile } from "node:fs/promises";

/**
 * Which process it is, for good: a number alone is given to another process some day.
 *
 * Where there is no `/proc`, start time and boot are unknown, and a number that is in use counts as the
 * same process.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks of the system since it booted. */
  readonly startTime: string | null;
  readonly bootId: string | null;
}

/** Who a process is now; undefined when there is none of that number, or only a zombie of it. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    process.kill(pid, 0);
  } catch {
    return undefined;
  }
  if (process.platform !== "linux") return { pid, startTime: null, bootId: null };
  try {
    const status = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; the state comes after it, the start time 19 fields later.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const bootId = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    return { pid, startTime: fields[19] ?? null, bootId: bootId.trim() || null };
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs. */
export async function isAlive(known: ProcessIdentity): Promise<boolean> {
  const now = await identify(known.pid);
  return now !== undefined && now.startTime === known.startTime && now.bootId === known.bootId;
}
