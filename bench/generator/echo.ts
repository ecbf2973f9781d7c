import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import type { Fleet } from "./fleet.ts";
import { Phase } from "./phase.ts";
import type { Stream } from "./stream.ts";

/** Every connection sends, and sends again for each reply. */
export class Echo extends Phase {
  readonly #inFlight: number;
  readonly #ms: number;
  #isOver = false;
  #sent = 0;

  constructor(fleet: Fleet, stream: Stream, inFlight: number, ms: number) {
    super(fleet, stream);
    this.#inFlight = inFlight;
    this.#ms = ms;
  }

  sentTo(connection: Connection): number {
    return connection.sent;
  }

  protected async send(): Promise<void> {
    for (const connection of this.fleet.connections) this.#write(connection, this.#inFlight);
    await sleep(this.#ms);
    this.#isOver = true;
  }

  protected delivered(connection: Connection, before: number, next: number): void {
    this.latencies.add(performance.now() - connection.sentAt);
    if (!this.#isOver) this.#write(connection, next - before);
  }

  #write(connection: Connection, count: number): void {
    const frames = this.stream.outgoing(connection.sent, count);
    connection.sent += count;
    connection.sentAt = performance.now();
    this.#sent += count;
    connection.write(frames);
  }

  protected get isArrived(): boolean {
    return this.#isOver && this.deliveries === this.#sent;
  }

  protected get messages(): number {
    return this.deliveries;
  }
}
