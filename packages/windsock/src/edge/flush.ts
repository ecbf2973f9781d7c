import type { Clock } from "../actor/clock.ts";
import { Batch } from "./batch.ts";
import type { Feed } from "./feed.ts";

/** A slice ends after so many writes or so long, whichever comes first. */
const pumpsPerSlice = 512;
const sliceMs = 4;
/** So many, and the next feed has its turn: a large service does not hold up a small one. */
const pumpsPerFeed = 32;

/**
 * Lets members write what became due in one turn of the event loop: after its reads, so
 * that what they caused leaves together, and in slices, so that 10,000 clients do not
 * stall pings, accepts and other services.
 */
export class Flush {
  readonly #clock: Pick<Clock, "now">;
  #feeds: Feed[] = [];
  #head = 0;
  #isScheduled = false;
  readonly #batch = new Batch();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  add(feed: Feed): void {
    if (feed.isQueued) return;
    feed.isQueued = true;
    this.#feeds.push(feed);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#slice);
  }

  readonly #slice = (): void => {
    this.#isScheduled = false;
    const deadline = this.#clock.now() + sliceMs;
    for (let pumps = 0; pumps < pumpsPerSlice && this.#clock.now() < deadline;) {
      const feed = this.#feeds[this.#head];
      if (feed === undefined) break;
      this.#head += 1;
      const done = feed.flush(pumpsPerFeed, this.#batch);
      pumps += done;
      if (done === pumpsPerFeed) this.#feeds.push(feed);
      else feed.isQueued = false;
    }
    if (this.#head === this.#feeds.length) this.#feeds.length = 0;
    else {
      this.#feeds.splice(0, this.#head);
      this.#schedule();
    }
    this.#head = 0;
  };
}
