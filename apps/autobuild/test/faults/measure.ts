// Looks at a live log in Chromium as people would, and prints how soon lines are on the screen, what a log of a million
// lines costs, and whether a slow viewer costs the server anything. Exits with 1 where that is not what AutoBuild
// promises: on a machine that does nothing else. Needs a Chromium, in WINDSOCK_CHROMIUM or on the PATH.
//
// The frames of a page that follows a log are compared with those of an empty page while the same build prints: where
// server, build and browser share two cores, the system's scheduler makes frames late, whatever is in them.
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium, type Browser, type Page } from "playwright-core";
import { WebSocket } from "ws";
import { FrameTrace } from "./frame-trace.ts";
import { Harness, residentMiB, type RunningServer } from "./harness.ts";
import { framesText, joined, watchFrames, type Frames } from "./late-frames.ts";
import { QuietPage } from "./quiet-page.ts";

const viewers = 50;
const linesASecond = 100;
const millionLines = 1_000_000;
const followRounds = 3;
const slowBytesASecond = 10 * 1024;
const harness = new Harness();

function findChromium(): string {
  const named = process.env["WINDSOCK_CHROMIUM"];
  if (named !== undefined && named !== "") return named;
  return execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
}

async function open(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

function hasLine(page: Page, line: string): Promise<unknown> {
  return page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll(".log-text")].some((row) => row.textContent === wanted),
    line,
    { timeout: 120_000 },
  );
}

/** The times from a line's printing to the frame after it is in the page. */
async function paintTimes(page: Page, forMs: number): Promise<number[]> {
  return page.evaluate(
    (lookMs) =>
      new Promise<number[]>((resolve) => {
        const seen = new Set<string>();
        const times: number[] = [];
        const startedMs = performance.now();
        const channel = new MessageChannel();
        const look = (): void => {
          const nowMs = Date.now();
          for (const row of document.querySelectorAll(".log-text")) {
            const text = row.textContent;
            if (!/^T\d+$/.test(text) || seen.has(text)) continue;
            seen.add(text);
            times.push(nowMs - Number(text.slice(1)));
          }
          if (performance.now() - startedMs > lookMs) resolve(times);
          else requestAnimationFrame(() => channel.port2.postMessage(0));
        };
        channel.port1.addEventListener("message", look);
        channel.port1.start();
        look();
      }),
    forMs,
  );
}

async function latency(browser: Browser): Promise<void> {
  const work = harness.repository(
    "times",
    `node -e 'let n = 0; const t = setInterval(() => { console.log("T" + Date.now()); if (++n >= 1500) clearInterval(t); }, ${1000 / linesASecond})'`,
  );
  const server = await harness.start("latency", [work]);
  await harness.until(
    async () => (await harness.build(server, 1))?.steps[0]?.startedMs ?? undefined,
  );
  const sockets = Array.from({ length: viewers - 1 }, () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/websocket/log/1/0.1?from=0`);
    socket.on("error", () => {});
    return socket;
  });
  const page = await open(browser, `${server.url}/builds/1#0`);
  const times = (await paintTimes(page, 9000)).slice(50).toSorted((left, right) => left - right);
  const p50 = times[times.length >> 1] ?? Infinity;
  const p99 = times[Math.floor(times.length * 0.99)] ?? Infinity;
  harness.check(
    `line printed to line painted, ${viewers} viewers at ${linesASecond} lines a second: p50 < 30 ms, p99 < 100 ms`,
    p50 < 30 && p99 < 100,
    `p50 ${p50} ms, p99 ${p99} ms, most ${times.at(-1)} ms, of ${times.length} lines`,
  );
  for (const socket of sockets) socket.terminate();
  await page.context().close();
  await harness.stop(server, "SIGTERM");
}

/** Builds once more, and waits until its step runs. */
async function again(server: RunningServer, id: number): Promise<void> {
  if (id > 1) await fetch(`${server.url}/api/builds/1/retry`, { method: "POST" });
  await harness.until(
    async () => (await harness.build(server, id))?.steps[0]?.startedMs ?? undefined,
  );
}

const hasLastLine = `[...document.querySelectorAll(".log-text")].some((row) => row.textContent === "last")`;

/** A log, once some of it is shown. */
async function openLog(browser: Browser, server: RunningServer, id: number): Promise<QuietPage> {
  const page = await QuietPage.open(browser, `${server.url}/builds/${id}#0`);
  await page.until(`document.querySelector(".log-text") !== null`);
  return page;
}

/** Follows a log of 1,100,000 lines, and looks at an empty page while it is printed, in turn. Gives the last build. */
async function follow(browser: Browser, server: RunningServer): Promise<number> {
  const followed: Frames[] = [];
  const empty: Frames[] = [];
  let id = 0;
  let lastMs = 0;
  for (let round = 0; round < followRounds; round++) {
    await again(server, ++id);
    const live = await openLog(browser, server, id);
    let endedMs = 0;
    const ended = async (): Promise<void> => {
      await harness.ended(server, id);
      endedMs = performance.now();
    };
    followed.push(await watchFrames(browser, live, ended));
    await live.until(hasLastLine);
    lastMs = Math.max(lastMs, performance.now() - endedMs);
    await live.close();

    await again(server, ++id);
    const control = await QuietPage.open(browser, "about:blank");
    empty.push(await watchFrames(browser, control, ended));
    await control.close();
  }
  const ours = joined(followed);
  const others = joined(empty);
  harness.check(
    "following 1,100,000 lines live: no frame of more than 50 ms that an empty page has not",
    ours.lateMs.length <= others.lateMs.length,
    framesText(ours),
  );
  console.log(`     an empty page meanwhile: ${framesText(others)}`);
  console.log(
    `     the last line was there ${lastMs.toFixed(0)} ms at most after a build had ended`,
  );
  await again(server, ++id);
  await traced(browser, server, id);
  return id;
}

/** What following takes of the page itself. A trace keeps the machine busy, so that frames are no measure here. */
async function traced(browser: Browser, server: RunningServer, id: number): Promise<void> {
  const live = await openLog(browser, server, id);
  // A page that draws nothing has no frames.
  await live.evaluate("const look = () => requestAnimationFrame(look); look();");
  const trace = await FrameTrace.start(browser);
  await harness.ended(server, id);
  await live.until(hasLastLine);
  const heapMb = (await live.evaluate<number>("performance.memory.usedJSHeapSize")) / 1e6;
  const { busyMs, apartMs } = await trace.mostBusy();
  harness.check(
    "the same page's main thread at work for 50 ms at most between two frames",
    busyMs < 50,
    `${busyMs.toFixed(1)} ms between two that were ${apartMs.toFixed(0)} ms apart`,
  );
  harness.check("the same page's heap below 300 MB", heapMb < 300, `${heapMb.toFixed(0)} MB`);
  await live.close();
}

async function million(browser: Browser): Promise<void> {
  const work = harness.repository(
    "million",
    `awk 'BEGIN { for (i = 1; i <= ${millionLines}; i++) printf "%d [build] compiling a module of many, and some more text\\n", i }'; sleep 1; awk 'BEGIN { for (i = 1; i <= 100000; i++) printf "live %d, and some more text\\n", i }'; echo last`,
  );
  const server = await harness.start("million", [work]);
  const id = await follow(browser, server);

  const opened: number[] = [];
  for (let round = 0; round < 3; round++) {
    const startedMs = performance.now();
    const page = await open(browser, `${server.url}/builds/${id}#0`);
    await hasLine(page, "last");
    opened.push(Math.round(performance.now() - startedMs));
    await page.context().close();
  }
  harness.check(
    "the last line of 1,100,000 on the screen within 2 s of opening",
    Math.max(...opened) < 2000,
    `${opened.join(", ")} ms`,
  );
  await slowViewer(server, id);
  await harness.stop(server, "SIGTERM");
}

/** Reads slowly for a while: what it gets has no gap, and the server keeps nothing for it. */
async function slowViewer(server: RunningServer, id: number): Promise<void> {
  const pid = server.child.pid ?? 0;
  const before = residentMiB(pid);
  const socket = new WebSocket(
    `${server.url.replace("http", "ws")}/websocket/log/${id}/0.1?from=0`,
  );
  let bytes = 0;
  socket.on("error", () => {});
  socket.on("message", (data: Buffer) => {
    bytes += data.length;
    socket.pause();
    setTimeout(() => socket.resume(), (data.length / slowBytesASecond) * 1000);
  });
  let most = before;
  for (let second = 0; second < 20; second++) {
    await sleep(1000);
    most = Math.max(most, residentMiB(pid));
  }
  socket.terminate();
  harness.check(
    "a viewer at 10 KiB/s costs the server no memory",
    most - before < 20,
    `${(most - before).toFixed(1)} MiB more while it took ${(bytes / 1024).toFixed(0)} KiB of 60 MB`,
  );
}

const browser = await chromium.launch({
  executablePath: findChromium(),
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"],
});
try {
  await latency(browser);
  await million(browser);
} finally {
  await browser.close();
  await harness.close();
}
process.exitCode = harness.failures === 0 ? 0 : 1;
