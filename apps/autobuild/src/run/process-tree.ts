import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { cookieVariable } from "./environment.ts";

const lookAgainMs = 20;
const maxSweeps = 50;

/** Sends a signal to a whole process group; false when nothing of it is left. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ends process groups: TERM, up to `graceMs` to comply, then KILL. Resolves when they are empty.
 *
 * Pass only groups that still had a member when last looked at: the number of an empty one may belong to
 * somebody else by now.
 */
export async function endGroups(
  groups: readonly number[],
  graceMs: number,
  clock: Clock,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + graceMs;
  let alive = groups.filter((group) => signalGroup(group, "SIGTERM"));
  while (alive.length > 0 && clock.monotonicMs() < deadlineMs) {
    await sleep(lookAgainMs);
    alive = await livingGroups(alive);
  }
  for (const group of alive) signalGroup(group, "SIGKILL");
}

/**
 * Kills every process that carries a build's cookie, whatever group or session it moved to. Linux only;
 * elsewhere it finds none.
 *
 * Looks again until it finds none: between reading the list and killing, one may have forked.
 */
export async function sweepCookie(cookie: string): Promise<number> {
  const killed = new Set<number>();
  for (let sweep = 0; sweep < maxSweeps; sweep++) {
    const carriers = await processesOf(cookie);
    if (carriers.length === 0) break;
    for (const pid of carriers) {
      killed.add(pid);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    await sleep(sweep === 0 ? 1 : lookAgainMs);
  }
  return killed.size;
}

/** The processes that carry a build's cookie, this one left out. Linux only; elsewhere it finds none. */
export async function processesOf(cookie: string): Promise<number[]> {
  const carriers: number[] = [];
  for (const pid of await processIds()) {
    if (pid === process.pid) continue;
    // Unreadable: another user's, or already gone. Empty: a zombie.
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.includes(cookie)) continue;
    const value = environment.split("\0").find((entry) => entry.startsWith(`${cookieVariable}=`));
    if (
      value
        ?.slice(cookieVariable.length + 1)
        .split(",")
        .includes(cookie)
    )
      carriers.push(pid);
  }
  return carriers;
}

// A group of zombies still takes signals: where the system's first process reaps nobody, it does so for ever.
async function livingGroups(groups: readonly number[]): Promise<number[]> {
  const candidates = groups.filter((group) => signalGroup(group, 0));
  if (candidates.length === 0 || process.platform !== "linux") return candidates;
  const alive = new Set<number>();
  for (const pid of await processIds()) {
    const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // The name in parentheses may hold anything; after it come state, parent and group.
    const [state, , group] = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (state !== undefined && state !== "Z" && state !== "X") alive.add(Number(group));
  }
  return candidates.filter((group) => alive.has(group));
}

async function processIds(): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  return names.map(Number).filter((pid) => Number.isSafeInteger(pid));
}
