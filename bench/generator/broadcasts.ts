import { setTimeout as sleep } from "node:timers/promises";
import { ringSize, type Order } from "../workload.ts";
import type { Connection } from "./connection.ts";
import type { Fleet } from "./fleet.ts";
import { Phase } from "./phase.ts";
import type { Stream } from "./stream.ts";

/** Broadcasts to everybody, ordered by the first connection, which gets them too. */
abstract class Broadcasts extends Phase {
  readonly isBroadcast = true;
  protected sent = 0;
  protected completed = 0;
  readonly #size: number;
  readonly #isDirect: boolean;
  /** For each message of the ring: when it was ordered, and who has it. */
  readonly #orderedAt = new Float64Array(ringSize);
  readonly #arrivals = new Int32Array(ringSize);

  constructor(fleet: Fleet, stream: Stream, isDirect: boolean = false) {
    super(fleet, stream);
    this.#size = stream.size;
    this.#isDirect = isDirect;
  }

  protected expect(): void {
    const incoming = this.fleet.broadcasts(this.stream);
    for (const connection of this.fleet.connections) connection.expectBroadcasts(incoming);
  }

  sentTo(): number {
    return this.sent;
  }

  /** One order each for `orders` times `count` broadcasts, in one write. Their times count from `since`. */
  protected order(orders: number, count: number, since: number = performance.now()): void {
    const all: Order[] = [];
    for (let n = 0; n < orders; n++) {
      all.push({ first: this.sent, count, size: this.#size, isDirect: this.#isDirect });
      const end = this.sent + count;
      for (; this.sent < end; this.sent++) {
        this.#orderedAt[this.sent % ringSize] = since;
        this.#arrivals[this.sent % ringSize] = 0;
      }
    }
    this.readers[0]?.order(this.stream, all);
  }

  protected delivered(_connection: Connection, before: number, next: number): void {
    const now = performance.now();
    for (let message = before; message < next; message++) {
      const slot = message % ringSize;
      this.latencies.add(now - (this.#orderedAt[slot] ?? now));
      const arrivals = (this.#arrivals[slot] ?? 0) + 1;
      this.#arrivals[slot] = arrivals;
      if (arrivals === this.readers.length) {
        this.completed += 1;
        this.onComplete();
      }
    }
  }

  /** A message has reached everybody. */
  protected onComplete(): void {}

  protected get isArrived(): boolean {
    return this.completed === this.sent;
  }

  protected get messages(): number {
    return this.sent;
  }
}

export class Burst extends Broadcasts {
  readonly #count: number;
  readonly #bursts: number;

  constructor(fleet: Fleet, stream: Stream, count: number, bursts: number) {
    super(fleet, stream);
    this.#count = count;
    this.#bursts = bursts;
  }

  protected async send(): Promise<void> {
    for (let burst = 0; burst < this.#bursts; burst++) {
      this.order(1, this.#count);
      if (!(await this.arrival())) return;
    }
  }
}

export class Saturation extends Broadcasts {
  readonly #inFlight: number;
  readonly #ms: number;
  #isRefilling = false;
  #isOver = false;

  constructor(fleet: Fleet, stream: Stream, inFlight: number, ms: number, isDirect: boolean) {
    super(fleet, stream, isDirect);
    this.#inFlight = inFlight;
    this.#ms = ms;
  }

  protected async send(): Promise<void> {
    this.order(this.#inFlight, 1);
    await sleep(this.#ms);
    this.#isOver = true;
  }

  /** What completes in one round of reads is replaced in one write. */
  protected override onComplete(): void {
    if (this.#isOver || this.#isRefilling) return;
    this.#isRefilling = true;
    setImmediate(() => {
      this.#isRefilling = false;
      if (!this.#isOver) this.order(this.#inFlight - (this.sent - this.completed), 1);
    });
  }
}

/**
 * Broadcasts at fixed times, each by itself: one that is due before the last has arrived waits for
 * it, and its time counts from when it was due. So a server that was kept from running gains nothing
 * by sending two at once, and loses the time that it let others wait.
 */
export class Paced extends Broadcasts {
  readonly #perSecond: number;
  readonly #ms: number;

  constructor(fleet: Fleet, stream: Stream, perSecond: number, ms: number) {
    super(fleet, stream);
    this.#perSecond = perSecond;
    this.#ms = ms;
  }

  protected async send(): Promise<void> {
    this.fleet.slowDown(this.#ms);
    const began = performance.now();
    const total = Math.max(1, Math.round((this.#ms * this.#perSecond) / 1000));
    for (let n = 0; n < total; n++) {
      const due = began + (n * 1000) / this.#perSecond;
      await sleep(Math.max(0, due - performance.now()));
      if (!(await this.arrival())) return;
      this.order(1, 1, Math.min(due, performance.now()));
    }
  }
}
