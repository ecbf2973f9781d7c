import { setTimeout as sleep } from "node:timers/promises";
import type { PhaseResult } from "../commands.ts";
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
  /** Messages that arrived in their turn, over all connections. */
  protected deliveries = 0;
  #isComplete = Promise.withResolvers<void>();

  constructor(fleet: Fleet, stream: Stream) {
    this.fleet = fleet;
    this.stream = stream;
  }

  /** How many messages this connection should have by now. */
  abstract sentTo(connection: Connection): number;
  /** Messages up to `next` are new. */
  protected abstract delivered(connection: Connection, before: number, next: number): void;
  /** Begins to send. Resolves when nothing more will be sent. */
  protected abstract send(): Promise<void>;
  /** Whether everything that was sent has arrived. */
  protected abstract get isArrived(): boolean;
  protected abstract get messages(): number;

  received(connection: Connection, before: number): void {
    const next = connection.receiver?.next ?? before;
    if (next === before) return;
    this.deliveries += next - before;
    this.delivered(connection, before, next);
    if (this.isArrived) this.#isComplete.resolve();
  }

  async run(): Promise<PhaseResult> {
    const { fleet } = this;
    fleet.expect(this.stream, this);
    const lostBefore = fleet.lost;
    const usage = process.cpuUsage();
    const began = performance.now();
    await this.send();
    const timedOut = !(await this.arrival());
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(usage);
    const { reads } = fleet;
    await sleep(graceMs);
    const faults = { missing: 0, repeated: 0, reordered: 0, damaged: 0 };
    for (const connection of fleet.connections) {
      const { receiver } = connection;
      if (receiver === undefined) continue;
      faults.missing += receiver.missing(this.sentTo(connection));
      faults.repeated += receiver.tally.repeated;
      faults.reordered += receiver.tally.reordered;
      faults.damaged += receiver.tally.damaged;
    }
    return {
      ...faults,
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
