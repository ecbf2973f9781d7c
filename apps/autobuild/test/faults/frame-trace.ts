import type { Browser, CDPSession } from "playwright-core";

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** In microseconds. */
  readonly ts: number;
  /** Of the thread's own time, in microseconds. */
  readonly tdur?: number;
}

/** Calls in one frame are at most so far apart. */
const sameFrameUs = 4000;

/**
 * How much a page's main thread works between two frames, in the thread's own time: what it takes of a frame, however
 * many others want the processor.
 */
export class FrameTrace {
  readonly #session: CDPSession;
  readonly #events: TraceEvent[] = [];

  private constructor(session: CDPSession) {
    this.#session = session;
    session.on("Tracing.dataCollected", ({ value }) => {
      this.#events.push(...(value as unknown as TraceEvent[]));
    });
  }

  static async start(browser: Browser): Promise<FrameTrace> {
    const trace = new FrameTrace(await browser.newBrowserCDPSession());
    await trace.#session.send("Tracing.start", {
      traceConfig: { includedCategories: ["devtools.timeline", "toplevel"] },
    });
    return trace;
  }

  /** Ends it. Gives the most that was done between two frames, and how far apart those were, in ms. */
  async mostBusy(): Promise<{ readonly busyMs: number; readonly apartMs: number }> {
    const isOver = new Promise<void>((resolve) => {
      this.#session.once("Tracing.tracingComplete", () => resolve());
    });
    await this.#session.send("Tracing.end");
    await isOver;
    const threads = new Map<string, TraceEvent[]>();
    for (const event of this.#events) {
      const thread = `${event.pid} ${event.tid}`;
      const events = threads.get(thread);
      if (events === undefined) threads.set(thread, [event]);
      else events.push(event);
    }
    // Of the page's own thread there are most.
    const [own = []] = [...threads.values()]
      .map((events) => ({ events, count: framesOf(events).length }))
      .toSorted((left, right) => right.count - left.count)
      .map(({ events }) => events);
    const frames = framesOf(own);
    const busyUs = frames.map(() => 0);
    for (const { name, ph, ts, tdur = 0 } of own) {
      if (ph !== "X" || !name.endsWith("::RunTask")) continue;
      const frame = frames.findIndex((startUs) => ts < startUs);
      if (frame > 0) busyUs[frame] = (busyUs[frame] ?? 0) + tdur;
    }
    const most = busyUs.reduce((best, us, at) => (us > (busyUs[best] ?? 0) ? at : best), 0);
    const apartUs = (frames[most] ?? 0) - (frames[most - 1] ?? frames[most] ?? 0);
    return { busyMs: (busyUs[most] ?? 0) / 1000, apartMs: apartUs / 1000 };
  }
}

function framesOf(events: readonly TraceEvent[]): number[] {
  const starts = events
    .filter(({ name, ph }) => name === "FireAnimationFrame" && ph === "X")
    .map(({ ts }) => ts)
    .toSorted((left, right) => left - right);
  return starts.filter((ts, at) => ts - (starts[at - 1] ?? 0) > sameFrameUs);
}
