import { readFileSync } from "node:fs";

/** The memory that a process has for itself, shared pages by their share, in bytes. Undefined where there is no /proc. */
export function pssOf(pid: number): number | undefined {
  const kilobytes = field(`/proc/${pid}/smaps_rollup`, "Pss");
  return kilobytes === undefined ? undefined : kilobytes * 1024;
}

/** `write` and `writev` calls of a process so far. `send` and `sendmsg`, which Bun uses, are not among them. */
export function writesOf(pid: number): number | undefined {
  return field(`/proc/${pid}/io`, "syscw");
}

/** What all sockets of the machine hold in the kernel, in bytes, to a page. */
export function socketBytes(): number | undefined {
  try {
    const pages = /^TCP:.* mem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "utf8"))?.[1];
    return pages === undefined ? undefined : Number(pages) * 4096;
  } catch {
    return undefined;
  }
}

function field(path: string, name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const found = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
