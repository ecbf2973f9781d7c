import type { Dialect, OpenResult, Pace } from "../commands.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import type { Incoming, Stream } from "./stream.ts";

export interface OpenOptions {
  readonly port: number;
  readonly count: number;
  readonly concurrency: number;
  readonly dialect: Dialect;
  readonly pace: Pace;
}

/** What hears of the messages while a phase runs. */
export interface Listener {
  /** What connections receive are broadcasts: the same for all. */
  readonly isBroadcast: boolean;
  received(connection: Connection, before: number): void;
  sentTo(connection: Connection): number;
}

const openTimeoutMs = 60_000;
const slowTicksPerSecond = 10;
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
  /** `windsock.v1`: broadcasts of the phases so far, in the service's log. */
  #broadcast = 0;
  #slowTimer: NodeJS.Timeout | undefined;

  open(options: OpenOptions): Promise<OpenResult> {
    this.lost = 0;
    const opening = new Opening(options, this.connections.length, this);
    this.#opening = opening;
    return opening.run().finally(() => (this.#opening = undefined));
  }

  listen(listener: Listener): void {
    this.#broadcast += this.#sentInPhase();
    this.listener = listener;
    this.reads = 0;
  }

  /** What all get in a phase of broadcasts. */
  broadcasts(stream: Stream): Incoming {
    const first = this.connections[0];
    const joined = first?.delivery?.joined;
    const seq = (joined?.seq ?? 0) + this.#broadcast + this.#sentInPhase();
    return stream.broadcasts(joined?.log ?? 0, seq);
  }

  /** Broadcasts of the phase that ends. */
  #sentInPhase(): number {
    const [first] = this.connections;
    return first === undefined || this.listener?.isBroadcast !== true
      ? 0
      : this.listener.sentTo(first);
  }

  // ---------- slow ones ----------

  /** Those that never read stop now; those that are slow do so one after the other, over this time. */
  slowDown(ms: number): void {
    const slow = this.connections.filter(({ pace }) => pace === "slow");
    for (const one of this.connections) if (one.pace === "never") one.hold();
    const began = performance.now();
    let held = 0;
    let ticks = 0;
    const tick = (): void => {
      const share = (performance.now() - began) / ms;
      for (; held < slow.length && share >= held / slow.length; held++) slow[held]?.hold();
      if (++ticks % slowTicksPerSecond === 0) for (const one of slow.slice(0, held)) one.readSome();
    };
    clearInterval(this.#slowTimer);
    if (slow.length === 0) return;
    tick();
    this.#slowTimer = setInterval(tick, 1000 / slowTicksPerSecond);
  }

  release(): void {
    clearInterval(this.#slowTimer);
    for (const one of this.connections) if (one.pace !== "fast") one.release();
  }

  /** Gives how many ended. */
  close(onlySlow: boolean): number {
    const gone = this.connections.filter(({ pace }) => !onlySlow || pace !== "fast");
    const left = this.connections.filter(({ pace }) => onlySlow && pace === "fast");
    clearInterval(this.#slowTimer);
    this.#broadcast += this.#sentInPhase();
    this.listener = undefined;
    this.connections.splice(0, this.connections.length, ...left);
    for (const connection of gone) connection.close();
    if (left.length === 0) this.#broadcast = 0;
    return gone.length;
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
    const { count, port, dialect, pace } = this.#options;
    if (this.#begun === count) return;
    const number = this.#first + this.#begun;
    this.#begun += 1;
    new Connection({
      number,
      port,
      dialect,
      pace,
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
