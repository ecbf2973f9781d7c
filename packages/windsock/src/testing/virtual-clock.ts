import type { Clock, Timer } from "../actor/clock.ts";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Time that stands still until a test moves it: `createServer({ clock })`.
 * Timers run in the order of their times; what they cause settles before the next one.
 */
export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #entries = new Set<Entry>();

  now(): number {
    return this.#now;
  }

  setTimeout(run: () => void, ms: number): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#entries.add(entry);
    return { cancel: () => void this.#entries.delete(entry) };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#entries.size;
  }

  /** Moves time forward by `ms`, and runs what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let entry = this.#next(end); entry !== undefined; entry = this.#next(end)) {
      this.#entries.delete(entry);
      this.#now = entry.at;
      entry.run();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #next(end: number): Entry | undefined {
    let next: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.at > end) continue;
      if (
        next === undefined ||
        entry.at < next.at ||
        (entry.at === next.at && entry.order < next.order)
      )
        next = entry;
    }
    return next;
  }
}

/** Lets the event loop go round a few times: promises, mailboxes and flushes that are due are done then. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++)
    await new Promise<void>((resolve) => setImmediate(resolve));
}
