import { readFileSync, writeFileSync } from "node:fs";
import { systemCodeOf } from "../errors.ts";

/** How much less urgent what a build runs is than AutoBuild itself, from 0 to `maxNiceness`. */
export const defaultNiceness = 10;
export const maxNiceness = 19;

const firstTryMs = 5;
const maxTries = 9;

/**
 * The command, by a shell that makes itself nicer first: also what the command starts has it from the first moment on.
 * On a machine without `nice` it runs as it is.
 */
export function nicer(niceness: number, argv: readonly string[]): readonly [string, ...string[]] {
  const [program = "", ...args] = argv;
  if (niceness === 0) return [program, ...args];
  const lower = `command -v nice >/dev/null 2>&1 && exec nice -n ${niceness} "$@"; exec "$@"`;
  return ["/bin/sh", "-c", lower, "sh", ...argv];
}

/**
 * Gives a session that somebody leads less of the processor beside others. Linux only; elsewhere it does nothing.
 *
 * Most systems share the processor out among sessions first (sched(7), autogroup), and niceness counts within one
 * alone: a step, which has a session of its own, would take as much as the server that it is to give way to.
 */
export function lowerSession(leader: number, niceness: number): void {
  if (niceness === 0 || process.platform !== "linux") return;
  const lower = (tried: number, waitMs: number): void => {
    if (isDone(leader, niceness) || tried === maxTries) return;
    setTimeout(lower, waitMs, tried + 1, waitMs * 2).unref();
  };
  lower(1, firstTryMs);
}

/** False when it is worth another try. */
function isDone(leader: number, niceness: number): boolean {
  try {
    const status = readFileSync(`/proc/${leader}/stat`, "utf8");
    // The name in parentheses may hold anything; after it come state, parent, group and session.
    const [, , , session] = status.slice(status.lastIndexOf(")") + 2).split(" ");
    // Until it has its own, that would be the session of this process.
    if (Number(session) !== leader) return false;
    writeFileSync(`/proc/${leader}/autogroup`, String(niceness));
    return true;
  } catch (error) {
    // The system takes ten of these a second, of all its users together. Else it has none, or the process is gone.
    return systemCodeOf(error) !== "EAGAIN";
  }
}

/** What a container gets of the processor beside others, of which each has 1024 as a rule: as a process so nice does. */
export function sharesOf(niceness: number): number {
  return Math.round(1024 / 1.25 ** niceness);
}
