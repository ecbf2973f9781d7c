import { protocolName, type ClientEnvelope, type ServerElements } from "../protocol/v1/index.ts";
import type { ClientPorts, ClientSocket, ClientTimer } from "./ports.ts";

/** Silence after which a ping is sent, and silence after it that means the connection is gone. */
const silenceMs = 35_000;
const pongTimeoutMs = 10_000;
/** How long a connection may take to open. */
const openTimeoutMs = 10_000;

/** Codes that a browser lets a page send. */
const closeNormal = 1000;
/** What came was not as specified. */
export const closeFault = 4002;
/** How an end without a close frame is called (RFC 6455, section 7.1.5). */
const closeAbnormal = 1006;

/** A channel as its link sees it. */
export interface LinkChannel {
  readonly path: string;
  /** An envelope for this channel, or an entry of a log that it may follow. `length`: of the message, in bytes or characters. */
  receive(elements: ServerElements, length: number): void;
}

/** Why a link is gone. */
export interface LinkEnd {
  readonly code: number;
  readonly reason: string;
}

export interface LinkOwner {
  opened(link: Link): void;
  lost(link: Link, end: LinkEnd): void;
  draining(link: Link, windowMs: number): void;
}

/**
 * One WebSocket, from its opening to its end.
 *
 * ```
 *   opening ──► open ──► over
 *      └─────────────────▲   close frame, cut, silence, fault, close()
 * ```
 */
export class Link {
  readonly #ports: ClientPorts;
  readonly #owner: LinkOwner;
  readonly #socket: ClientSocket;
  #state: "opening" | "open" | "over" = "opening";
  #timer: ClientTimer;
  #isProbing = false;
  #heardAt = -Infinity;
  #lastChannel = 0;
  /** Its URL asks to join this one, as channel 1; undefined once the channel knows. */
  #asked: LinkChannel | undefined;
  readonly #channels = new Map<number, LinkChannel>();

  /** `asked`: the channel that the URL itself joins. */
  constructor(url: string, ports: ClientPorts, owner: LinkOwner, asked?: LinkChannel) {
    this.#ports = ports;
    this.#owner = owner;
    this.#asked = asked;
    if (asked) {
      url += `/${asked.path}`;
      this.#lastChannel = 1;
    }
    const socket = new ports.WebSocket(url, protocolName);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#timer = ports.clock.setTimeout(() => this.#lost(closeAbnormal), openTimeoutMs);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** A channel joins: its number here. Each is used once. */
  join(channel: LinkChannel, resume: unknown, auth: unknown): number {
    let number = 1;
    if (channel === this.#asked && auth === undefined) this.#asked = undefined;
    else this.send("join", (number = this.#lastChannel += 1), channel.path, { resume, auth });
    this.#channels.set(number, channel);
    return number;
  }

  /** What still comes for this number is dropped. */
  remove(channel: number): void {
    this.#channels.delete(channel);
  }

  /** An envelope by its elements. Those with a payload of the application's come to `write`. */
  send(...elements: readonly [type: ClientEnvelope["type"], ...fields: unknown[]]): void {
    this.write(JSON.stringify(elements));
  }

  write(message: string | Uint8Array): void {
    if (this.isOpen) this.#socket.send(message);
  }

  /** Asks whether the other side is still there, without waiting for the silence. */
  probe(): void {
    if (!this.isOpen || this.#isProbing) return;
    this.#isProbing = true;
    this.send("ping", 0);
    this.#arm(pongTimeoutMs, () => this.#lost(closeAbnormal));
  }

  /** Ends it without a word to the owner. Channels that have not left can be resumed. */
  close(): void {
    this.#end(closeNormal);
  }

  #opened(): void {
    if (this.#socket.protocol !== protocolName) {
      this.#lost(closeFault, `sub-protocol "${this.#socket.protocol}"`);
      return;
    }
    this.#state = "open";
    this.#listen();
    this.#owner.opened(this);
    // It has ended meanwhile, or has more to say in its join.
    if (this.#asked) this.send("leave", 1);
  }

  /** Arms the heartbeat. Always on receipt: a chain of timers would be throttled in a hidden page. */
  #listen(): void {
    const now = this.#ports.clock.now();
    if (!this.#isProbing && now - this.#heardAt < 1000) return;
    this.#isProbing = false;
    this.#heardAt = now;
    this.#arm(silenceMs, () => this.probe());
  }

  #arm(ms: number, run: () => void): void {
    this.#timer.cancel();
    this.#timer = this.#ports.clock.setTimeout(run, ms);
  }

  #received(data: unknown): void {
    this.#listen();
    const message = data instanceof ArrayBuffer ? new Uint8Array(data) : (data as string);
    // What is not as specified is thrown, by a channel too.
    try {
      const elements = this.#ports.decode(message);
      if (elements?.[0] === "draining") this.#owner.draining(this, elements[1]);
      else if (elements) {
        const isShared = elements[0] === "pub" || elements[0] === "restarted";
        // A late envelope of an ended channel finds nobody, and neither does `["pong", 0]`.
        for (const channel of isShared
          ? this.#channels.values()
          : [this.#channels.get(elements[1] as number)])
          channel?.receive(elements, message.length);
      }
    } catch (error) {
      this.#lost(closeFault, (error as Error).message);
    }
  }

  #lost(code: number, reason = ""): void {
    if (this.#state === "over") return;
    this.#end(code === closeFault ? code : closeNormal);
    this.#owner.lost(this, { code, reason });
  }

  #end(code: number): void {
    this.#state = "over";
    this.#timer.cancel();
    this.#channels.clear();
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }
}
