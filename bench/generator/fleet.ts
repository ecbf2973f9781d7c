import type { Dialect, OpenResult } from "../commands.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import type { Stream } from "./stream.ts";

export interface OpenOptions {
  readonly port: number;
  readonly count: number;
  readonly concurrency: number;
  readonly dialect: Dialect;
}

/** What hears of the messages while a phase runs. */
export interface Listener {
  received(connection: Connection, before: number): void;
  sentTo(connection: Connection): number;
}

const openTimeoutMs = 60_000;
/** Connections from each address: below what servers allow one address, and what ports it has. */
const connectionsPerAddress = 500;

/** All connections of the generator. */
export class Fleet implements ConnectionEvents {
  readonly connections: Connection[] = [];
  /** Those that ended though nobody asked for it. */
  lost = 0;
  reads = 0;
  listener: Listener | undefined;
  #opening: Opening | undefined;

  open(options: OpenOptions): Promise<OpenResult> {
    this.lost = 0;
    const opening = new Opening(options, this.connections.length, this);
    this.#opening = opening;
    return opening.run().finally(() => (this.#opening = undefined));
  }

  expect(stream: Stream, listener: Listener): void {
    this.listener = listener;
    this.reads = 0;
    for (const connection of this.connections) connection.expect(stream);
  }

  close(): number {
    const count = this.connections.length;
    this.listener = undefined;
    for (const connection of this.connections.splice(0)) connection.close();
    return count;
  }

  opened(connection: Connection): void {
    this.connections.push(connection);
    this.#opening?.settled(undefined);
  }

  ended(connection: Connection, why: string): void {
    if (this.connections.includes(connection)) this.lost += 1;
    else this.#opening?.settled(why);
  }

  received(connection: Connection, before: number): void {
    this.reads += 1;
    this.listener?.received(connection, before);
  }

  sentTo(connection: Connection): number {
    return this.listener?.sentTo(connection) ?? 0;
  }
}

/** Some connections being opened, a few at a time. */
class Opening {
  readonly #options: OpenOptions;
  readonly #events: ConnectionEvents;
  readonly #done = Promise.withResolvers<void>();
  /** How many there were before. */
  readonly #first: number;
  #begun = 0;
  #opened = 0;
  #failed = 0;
  #failure: string | undefined;

  constructor(options: OpenOptions, first: number, events: ConnectionEvents) {
    this.#options = options;
    this.#first = first;
    this.#events = events;
  }

  async run(): Promise<OpenResult> {
    const began = performance.now();
    const usage = process.cpuUsage();
    const timer = setTimeout(() => this.#done.resolve(), openTimeoutMs);
    for (let n = 0; n < this.#options.concurrency; n++) this.#next();
    await this.#done.promise;
    clearTimeout(timer);
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(usage);
    return {
      opened: this.#opened,
      failed: this.#options.count - this.#opened,
      failure: this.#failure,
      ms,
      generatorShare: (user + system) / 1000 / ms,
    };
  }

  settled(failure: string | undefined): void {
    if (failure === undefined) {
      this.#opened += 1;
    } else {
      this.#failed += 1;
      this.#failure ??= failure;
    }
    if (this.#opened + this.#failed === this.#options.count) this.#done.resolve();
    else this.#next();
  }

  #next(): void {
    const { count, port, dialect } = this.#options;
    if (this.#begun === count) return;
    const number = this.#first + this.#begun;
    this.#begun += 1;
    new Connection({
      number,
      port,
      dialect,
      localAddress: localAddressOf(number),
      events: this.#events,
    });
  }
}

/** All of 127.0.0.0/8 is there on Linux; elsewhere it is one address. */
function localAddressOf(number: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  return `127.0.0.${2 + Math.floor(number / connectionsPerAddress)}`;
}
