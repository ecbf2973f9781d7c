import { setTimeout as sleep } from "node:timers/promises";
import type { PhaseResult, ReleaseResult } from "../commands.ts";
import type { Connection } from "./connection.ts";
import type { Fleet, Listener } from "./fleet.ts";
import { Latencies } from "./latencies.ts";
import type { Stream } from "./stream.ts";

/** Nothing arrived for so long: what is missing is missing. */
const patienceMs = 10_000;
/** Time for what should not come after the last message. */
const graceMs = 40;

/** A stretch of load, counted. What is sent is the subclass's affair. */
export abstract class Phase implements Listener {
  protected readonly fleet: Fleet;
  protected readonly stream: Stream;
  protected readonly latencies: Latencies = new Latencies();
  /** Those that read as fast as they can: the others are not waited for. */
  protected readonly readers: readonly Connection[];
  /** Messages that arrived in their turn, over all readers. */
  protected deliveries = 0;
  #slowDeliveries = 0;
  #isComplete = Promise.withResolvers<void>();

  constructor(fleet: Fleet, stream: Stream) {
    this.fleet = fleet;
    this.stream = stream;
    this.readers = fleet.connections.filter(({ pace }) => pace === "fast");
  }

  abstract readonly isBroadcast: boolean;
  /** How many messages this connection should have by now. */
  abstract sentTo(connection: Connection): number;
  /** Tells all connections what comes. */
  protected abstract expect(): void;
  /** Messages up to `next` are new. */
  protected abstract delivered(connection: Connection, before: number, next: number): void;
  /** Begins to send. Resolves when nothing more will be sent. */
  protected abstract send(): Promise<void>;
  /** Whether everything that was sent has arrived. */
  protected abstract get isArrived(): boolean;
  protected abstract get messages(): number;

  received(connection: Connection, before: number): void {
    const next = connection.receiver?.next ?? before;
    if (connection.pace !== "fast") {
      this.#slowDeliveries += next - before;
      return;
    }
    // What came may have been an answer without a message.
    if (next > before) {
      this.deliveries += next - before;
      this.delivered(connection, before, next);
    }
    if (this.isArrived) this.#isComplete.resolve();
  }

  async run(): Promise<PhaseResult> {
    const { fleet } = this;
    this.expect();
    fleet.listen(this);
    const lostBefore = fleet.lost;
    const usage = process.cpuUsage();
    const began = performance.now();
    await this.send();
    const timedOut = !(await this.arrival());
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(usage);
    const { reads } = fleet;
    await sleep(graceMs);
    return {
      ...this.#faults(this.readers),
      lost: fleet.lost - lostBefore,
      deliveries: this.deliveries,
      messages: this.messages,
      reads,
      ms,
      p50Ms: this.latencies.quantile(0.5),
      p99Ms: this.latencies.quantile(0.99),
      generatorShare: (user + system) / 1000 / ms,
      timedOut,
    };
  }

  /** Those that were slow go on until they have everything. */
  async release(): Promise<ReleaseResult> {
    const slow = this.fleet.connections.filter(({ pace }) => pace !== "fast");
    const behind = slow.map((one) => this.sentTo(one) - (one.receiver?.next ?? 0));
    const lostBefore = this.fleet.lost;
    this.fleet.release();
    const isArrived = (): boolean =>
      slow.every((one) => (one.receiver?.next ?? 0) === this.sentTo(one));
    for (let seen = -1, since = performance.now(); !isArrived();) {
      if (seen !== this.#slowDeliveries) since = performance.now();
      else if (performance.now() - since > patienceMs) break;
      seen = this.#slowDeliveries;
      await sleep(20);
    }
    await sleep(graceMs);
    return {
      ...this.#faults(slow),
      lost: this.fleet.lost - lostBefore,
      deliveries: this.#slowDeliveries,
      maxBehindBytes: Math.max(0, ...behind) * this.stream.size,
      behindBytes: behind.reduce((sum, count) => sum + count, 0) * this.stream.size,
      timedOut: !isArrived(),
    };
  }

  #faults(connections: readonly Connection[]) {
    const faults = { missing: 0, repeated: 0, reordered: 0, damaged: 0 };
    for (const connection of connections) {
      const { receiver } = connection;
      if (receiver === undefined) continue;
      faults.missing += receiver.missing(this.sentTo(connection));
      faults.repeated += receiver.tally.repeated;
      faults.reordered += receiver.tally.reordered;
      faults.damaged += receiver.tally.damaged;
    }
    return faults;
  }

  /** Waits for all that was sent. False: nothing came for a long time. */
  protected async arrival(): Promise<boolean> {
    for (let seen = -1; !this.isArrived;) {
      if (this.deliveries === seen) return false;
      seen = this.deliveries;
      this.#isComplete = Promise.withResolvers();
      await Promise.race([this.#isComplete.promise, sleep(patienceMs)]);
    }
    return true;
  }
}
