import type { ClientClock, ClientSocket } from "../../src/client/index.ts";
import type { WireMessage } from "../../src/protocol/v1/index.ts";

interface Flight {
  isDropped: boolean;
  readonly deliver: () => void;
}

/** One direction of a connection: in order, with a delay, and what is under way can be lost. */
class Lane {
  readonly #clock: ClientClock;
  readonly #latencyMs: () => number;
  #lastAt = 0;
  #flights: Flight[] = [];

  constructor(clock: ClientClock, latencyMs: () => number) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
  }

  send(deliver: () => void): void {
    const now = this.#clock.now();
    this.#lastAt = Math.max(this.#lastAt, now + this.#latencyMs());
    const flight: Flight = { isDropped: false, deliver };
    this.#flights.push(flight);
    this.#clock.setTimeout(() => {
      this.#flights = this.#flights.filter((other) => other !== flight);
      if (!flight.isDropped) flight.deliver();
    }, this.#lastAt - now);
  }

  /** All but the first `kept` of what is under way is lost. */
  drop(kept: number): void {
    for (const flight of this.#flights.slice(kept)) flight.isDropped = true;
  }
}

/** The server's end of one connection. */
export class ServerEnd {
  readonly url: string;
  readonly protocol: string;
  /** What has come and was not taken by `onmessage`. */
  readonly received: WireMessage[] = [];
  onmessage: ((message: WireMessage) => void) | undefined;
  onclose: (() => void) | undefined;
  isOpen = true;
  readonly #socket: MemorySocket;
  readonly #down: Lane;

  constructor(url: string, protocol: string, socket: MemorySocket, down: Lane) {
    this.url = url;
    this.protocol = protocol;
    this.#socket = socket;
    this.#down = down;
  }

  /** `delivered`: the client has it. */
  send(message: WireMessage, delivered?: () => void): void {
    if (!this.isOpen) return;
    this.#down.send(() => {
      this.#socket.deliver(message);
      delivered?.();
    });
  }

  close(code: number, reason = ""): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#down.send(() => this.#socket.end(code, reason));
  }

  /** The connection breaks. So many of the messages under way still arrive. */
  cut(keptUp = 0, keptDown = 0): void {
    if (!this.isOpen) return;
    this.#socket.up.drop(keptUp);
    this.#down.drop(keptDown);
    this.close(1006);
    // What still arrives does so before the end is seen.
    this.#socket.up.send(() => this.ended());
  }

  /** Nothing arrives any more, and nobody is told. */
  freeze(): void {
    this.isOpen = false;
    this.#socket.isFrozen = true;
    this.#down.drop(0);
  }

  take(message: WireMessage): void {
    if (this.onmessage === undefined) this.received.push(message);
    else this.onmessage(message);
  }

  ended(): void {
    this.isOpen = false;
    this.onclose?.();
    this.onclose = undefined;
  }
}

class MemorySocket implements ClientSocket {
  protocol = "";
  binaryType = "blob";
  onopen: ClientSocket["onopen"] = null;
  onmessage: ClientSocket["onmessage"] = null;
  onclose: ClientSocket["onclose"] = null;
  isFrozen = false;
  readonly up: Lane;
  #readyState: "connecting" | "open" | "closed" = "connecting";
  #server: ServerEnd | undefined;

  constructor(url: string, protocol: string, network: MemoryNetwork) {
    this.up = new Lane(network.clock, network.latencyMs);
    const down = new Lane(network.clock, network.latencyMs);
    network.dialled += 1;
    const answer = network.answer;
    if (answer === "nothing") return;
    down.send(() => {
      if (this.#readyState !== "connecting") return;
      if (answer === "refuse") {
        this.end(1006, "");
        return;
      }
      this.#readyState = "open";
      this.protocol = answer === "accept" ? protocol : "";
      this.#server = new ServerEnd(url, protocol, this, down);
      network.accepted(this.#server);
      // As if it were the first message.
      const [, path] = url.split("/websocket/");
      if (path !== undefined) this.#server.take(JSON.stringify(["join", 1, path, {}]));
      this.onopen?.();
    });
  }

  send(data: string | Uint8Array): void {
    if (this.#readyState === "connecting") throw new Error("the socket is not open");
    if (this.#readyState === "closed" || this.isFrozen) return;
    const message = typeof data === "string" ? data : data.slice();
    this.up.send(() => this.#server?.take(message));
  }

  close(code = 1000): void {
    // As browsers do.
    if (code !== 1000 && (code < 3000 || code > 4999)) throw new Error(`code ${code}`);
    if (this.#readyState === "closed") return;
    this.#readyState = "closed";
    this.up.send(() => this.#server?.ended());
  }

  deliver(message: WireMessage): void {
    if (this.#readyState !== "open" || this.isFrozen) return;
    const isBinary = typeof message !== "string";
    if (isBinary && this.binaryType !== "arraybuffer") throw new Error("a Blob");
    this.onmessage?.({ data: isBinary ? message.slice().buffer : message });
  }

  end(code: number, reason: string): void {
    if (this.#readyState === "closed" || this.isFrozen) return;
    this.#readyState = "closed";
    this.onclose?.({ code, reason });
  }
}

/** WebSockets in memory, on a clock, that a test cuts, delays, freezes and refuses. */
export class MemoryNetwork {
  readonly clock: ClientClock;
  latencyMs: () => number = () => 0;
  /** What the next connections meet. */
  answer: "accept" | "refuse" | "nothing" | "other protocol" = "accept";
  dialled = 0;
  /** The server's ends of all connections that opened. */
  readonly servers: ServerEnd[] = [];
  onaccept: ((server: ServerEnd) => void) | undefined;
  readonly WebSocket: new (url: string, protocol: string) => ClientSocket;

  constructor(clock: ClientClock) {
    this.clock = clock;
    // oxlint-disable-next-line typescript/no-this-alias -- a constructor has a `this` of its own
    const network = this;
    this.WebSocket = class extends MemorySocket {
      constructor(url: string, protocol: string) {
        super(url, protocol, network);
      }
    };
  }

  /** The newest connection. */
  get server(): ServerEnd {
    const server = this.servers.at(-1);
    if (server === undefined) throw new Error("Expected a connection, got none.");
    return server;
  }

  accepted(server: ServerEnd): void {
    this.servers.push(server);
    this.onaccept?.(server);
  }
}
