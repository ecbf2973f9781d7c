import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./connection.ts";
import type { Fleet } from "./fleet.ts";
import type { FrameSequence } from "./frame-sequence.ts";
import { Phase } from "./phase.ts";
import type { Stream } from "./stream.ts";

/**
 * Every connection sends, and sends again for each reply. Of each `every` messages only the
 * last is answered.
 */
export class Echo extends Phase {
  readonly isBroadcast = false;
  readonly #every: number;
  readonly #inFlight: number;
  readonly #ms: number;
  readonly #frames: FrameSequence;
  #isOver = false;
  #sent = 0;
  #answers = 0;
  /** For each connection: how many of its messages are answered. */
  readonly #answersOf: number[] = [];

  constructor(fleet: Fleet, stream: Stream, every: number, inFlight: number, ms: number) {
    super(fleet, stream);
    this.#every = every;
    this.#inFlight = inFlight;
    this.#ms = ms;
    this.#frames = stream.outgoing(every);
  }

  sentTo(connection: Connection): number {
    return this.#answersOf[connection.number] ?? 0;
  }

  protected expect(): void {
    for (const connection of this.fleet.connections)
      connection.expectReplies(this.stream.replies, this.#every);
  }

  protected async send(): Promise<void> {
    for (const connection of this.readers) this.#write(connection, this.#inFlight / this.#every);
    await sleep(this.#ms);
    this.#isOver = true;
  }

  protected delivered(connection: Connection, before: number, next: number): void {
    this.latencies.add(performance.now() - connection.sentAt);
    connection.delivery?.received(next - before);
    if (!this.#isOver) this.#write(connection, next - before);
  }

  /** So many messages that are answered, and what goes before each. */
  #write(connection: Connection, answers: number): void {
    const count = connection.untilAnswer(this.#every) + (answers - 1) * this.#every;
    const answered = connection.send(this.#frames, count, this.#every);
    this.#answersOf[connection.number] = this.sentTo(connection) + answered;
    this.#answers += answered;
    this.#sent += count;
  }

  protected get isArrived(): boolean {
    return this.#isOver && this.deliveries === this.#answers;
  }

  protected get messages(): number {
    return this.#sent;
  }
}
