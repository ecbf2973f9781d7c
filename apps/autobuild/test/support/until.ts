import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Below the limit of a test, so that it says what it waited for. A safety net, never a measure. */
export const giveUpAfterMs = 45_000;

/** Waits until a condition of the outside world (a file, a process) holds. For our own state, wait for an event. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  patienceMs = giveUpAfterMs,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`Waited ${patienceMs / 1000} s in vain until ${what}.`);
    await sleep(10);
  }
}

/** Whether a process runs: it is there, and no zombie. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(status.slice(status.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
