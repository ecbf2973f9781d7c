import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import type { QuietPage } from "./quiet-page.ts";

const lateMs = 50;

/** What a page drew while something happened, and what kept it from drawing. */
export interface Frames {
  readonly count: number;
  /** How long those took that took more than 50 ms. */
  readonly lateMs: readonly number[];
  /** Of the main thread: it ran, and it waited for a processor while it could have run. Linux counts it. */
  readonly ranMs: number;
  readonly waitedMs: number;
}

/** Watches the frames of a page until `happens` is over. The browser has no other page that does anything. */
export async function watchFrames(
  browser: Browser,
  page: QuietPage,
  happens: () => Promise<unknown>,
): Promise<Frames> {
  const before = await mainThreads(browser);
  await page.evaluate(`
    globalThis.gaps = [];
    let lastMs = performance.now();
    const look = () => {
      const nowMs = performance.now();
      gaps.push(nowMs - lastMs);
      lastMs = nowMs;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  `);
  await happens();
  const gaps = await page.evaluate<number[]>("globalThis.gaps");
  const after = await mainThreads(browser);
  return {
    count: gaps.length,
    lateMs: gaps.filter((ms) => ms > lateMs),
    ranMs: after.ranMs - before.ranMs,
    waitedMs: after.waitedMs - before.waitedMs,
  };
}

export function joined(all: readonly Frames[]): Frames {
  const sum = (valueOf: (frames: Frames) => number): number =>
    all.reduce((total, frames) => total + valueOf(frames), 0);
  return {
    count: sum(({ count }) => count),
    lateMs: all.flatMap((frames) => frames.lateMs),
    ranMs: sum(({ ranMs }) => ranMs),
    waitedMs: sum(({ waitedMs }) => waitedMs),
  };
}

export function framesText({ count, lateMs: late, ranMs, waitedMs }: Frames): string {
  const most = late.length === 0 ? "" : ` (up to ${Math.max(...late).toFixed(0)} ms)`;
  const threads = `ran ${(ranMs / 1000).toFixed(1)} s, waited ${(waitedMs / 1000).toFixed(1)} s for a processor`;
  return `${late.length} of ${count}${most}, ${threads}`;
}

async function mainThreads(browser: Browser): Promise<{ ranMs: number; waitedMs: number }> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  let ranMs = 0;
  let waitedMs = 0;
  for (const { type, id } of processInfo) {
    if (type !== "renderer") continue;
    const [ran = 0, waited = 0] = schedulerTimes(id);
    ranMs += ran / 1e6;
    waitedMs += waited / 1e6;
  }
  return { ranMs, waitedMs };
}

/** Of a process's main thread, in nanoseconds; nothing where the system does not count it. */
function schedulerTimes(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ").map(Number);
  } catch {
    return [];
  }
}
