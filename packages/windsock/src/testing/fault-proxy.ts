import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** `up` is from client to server, `down` the other way. */
export type Direction = "up" | "down";

/** What a line does to the bytes that go one way. */
export interface LineFaults {
  /** Each chunk arrives so much later, in ms. @default 0 */
  readonly delayMs?: number;
  /** Bytes a second, at most. @default no limit */
  readonly bytesPerSecond?: number;
  /** Nothing arrives, and nobody is told: a half-open connection, a one-way partition. @default false */
  readonly isFrozen?: boolean;
  /** Each chunk is cut into pieces of at most so many bytes. @default no limit */
  readonly chunkBytes?: number;
  /** The connection breaks after so many bytes more, in the middle of a frame or not. @default never */
  readonly cutAfterBytes?: number;
}

/**
 * A TCP proxy that treats the connections through it badly, on command. For tests in
 * real time between a real client and a real server.
 */
export class FaultProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #faults: Record<Direction, LineFaults> = { up: {}, down: {} };
  #target: number;
  #isRefusing = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Starts a proxy on a free port of 127.0.0.1 to another port of it. */
  static async open(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get size(): number {
    return this.#links.size;
  }

  /** Treats one direction of all connections, present and future, like this. */
  set(direction: Direction, faults: LineFaults): void {
    this.#faults[direction] = faults;
    for (const link of this.#links) link.lines[direction].set(faults);
  }

  /** New connections go to another port: the server has moved. */
  retarget(port: number): void {
    this.#target = port;
  }

  /** New connections are reset at once, as long as this holds. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
  }

  /** Breaks every connection, without a word to either side but the reset. */
  cut(): void {
    for (const link of [...this.#links]) link.cut();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    if (this.#isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const link: Link = new Link(
      client,
      connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true }),
      () => this.#links.delete(link),
    );
    this.#links.add(link);
    for (const direction of ["up", "down"] as const)
      link.lines[direction].set(this.#faults[direction]);
  }
}

class Link {
  readonly lines: Readonly<Record<Direction, Line>>;
  readonly #ends: readonly Socket[];
  readonly #over: () => void;

  constructor(client: Socket, server: Socket, over: () => void) {
    this.#ends = [client, server];
    this.#over = over;
    this.lines = {
      up: new Line(client, server, () => this.cut()),
      down: new Line(server, client, () => this.cut()),
    };
    for (const end of this.#ends) {
      end.setNoDelay(true);
      end.on("error", () => this.cut());
      // One that ended in order still has its last bytes on the way to the other.
      end.on("close", () => {
        if (this.#ends.every((each) => each.destroyed)) this.#over();
      });
    }
  }

  cut(): void {
    this.#over();
    for (const end of this.#ends) if (!end.destroyed) end.resetAndDestroy();
    this.lines.up.stop();
    this.lines.down.stop();
  }
}

/** One direction of one connection: a queue of chunks and the time at which the next may leave. */
class Line {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #cut: () => void;
  readonly #waiting: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
  #faults: LineFaults = {};
  #left = Infinity;
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(from: Socket, to: Socket, cut: () => void) {
    this.#from = from;
    this.#to = to;
    this.#cut = cut;
    from.on("data", (chunk: Buffer) => this.#take(chunk));
    from.on("end", () => {
      this.#hasEnded = true;
      this.#move();
    });
    to.on("drain", () => this.#move());
  }

  set(faults: LineFaults): void {
    this.#faults = faults;
    this.#left = faults.cutAfterBytes ?? Infinity;
    this.#freeAt = 0;
    this.#move();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
  }

  #take(chunk: Buffer): void {
    const dueAt = performance.now() + (this.#faults.delayMs ?? 0);
    const { bytesPerSecond = Infinity, chunkBytes = chunk.length } = this.#faults;
    // A tenth of a second's worth at once, at most: a large chunk must not pass whole.
    const size = Math.min(chunkBytes, Math.max(1, Math.floor(bytesPerSecond / 10)));
    for (let at = 0; at < chunk.length; at += size)
      this.#waiting.push({ chunk: chunk.subarray(at, at + size), dueAt });
    this.#move();
  }

  #move(): void {
    clearTimeout(this.#timer);
    // What waits here is bounded by not reading more.
    if (this.#waiting.length > 64) this.#from.pause();
    else this.#from.resume();
    if (this.#faults.isFrozen === true) return;
    for (
      let next = this.#waiting[0];
      next !== undefined && !this.#to.destroyed;
      next = this.#waiting[0]
    ) {
      if (this.#to.writableNeedDrain) return;
      const now = performance.now();
      const at = Math.max(next.dueAt, this.#freeAt);
      if (at > now) {
        this.#timer = setTimeout(() => this.#move(), at - now);
        return;
      }
      this.#waiting.shift();
      const chunk = next.chunk.subarray(0, Math.min(next.chunk.length, this.#left));
      this.#left -= chunk.length;
      const rate = this.#faults.bytesPerSecond;
      if (rate !== undefined) this.#freeAt = now + (1000 * chunk.length) / rate;
      this.#to.write(chunk, () => {
        if (this.#left === 0) this.#cut();
      });
      if (this.#left === 0) return;
    }
    if (this.#hasEnded && this.#waiting.length === 0) this.#to.end();
    else if (this.#waiting.length <= 64) this.#from.resume();
  }
}
