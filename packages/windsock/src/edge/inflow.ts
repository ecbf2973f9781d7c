import type { Transport } from "./transport.ts";

/** Holds messages back, and lets go of them when that is worth it. */
export interface Holding {
  /** Lets go of up to `count`. */
  release(count: number): void;
}

/** What an inflow needs of the edge. */
export interface InflowHost {
  readonly maxMessagesPerSecond: number;
  now(): number;
  /** Calls `release` of this one in a while: its client has sent too fast. */
  throttle(holding: Holding): void;
}

/** A mailbox that may be full. */
export interface InflowRoom {
  readonly isFull: boolean;
  /** Who is to be released when there is room again. */
  readonly held: Set<Holding>;
}

/** To whom messages go, and where they come from. */
export interface InflowOwner<Message> {
  /** Undefined where something else bounds what waits. */
  readonly feed: InflowRoom | undefined;
  readonly transport: Transport | undefined;
  incoming(message: Message): void;
}

/**
 * What one socket sends, on its way to the actor: at a bounded rate, and held back while
 * the mailbox is full. Holding back means that the socket is not read, so TCP slows the
 * sender; what had been read before is kept here, no more than one read of it.
 */
export class Inflow<Message> implements Holding {
  readonly #owner: InflowOwner<Message>;
  readonly #host: InflowHost;
  #held: Message[] | undefined;
  #head = 0;
  #tokens: number;
  #tokensAt: number;

  /** `passed`: how many have gone on before there was one. */
  constructor(owner: InflowOwner<Message>, host: InflowHost, passed: number = 0) {
    this.#owner = owner;
    this.#host = host;
    this.#tokens = host.maxMessagesPerSecond - passed;
    this.#tokensAt = host.now();
  }

  get isHolding(): boolean {
    return this.#held !== undefined && this.#head < this.#held.length;
  }

  /** Whether the next message may go on to the actor now. If not, it is to be held. */
  passes(): boolean {
    return !this.isHolding && this.#mayPass();
  }

  /** Keeps a message that may not pass, behind those before it. */
  hold(message: Message): void {
    if (!this.isHolding) this.#owner.transport?.pause();
    this.#held ??= [];
    this.#held.push(message);
  }

  /** Hands on up to `count` of what was held back, as far as that goes; then the socket is read again. */
  release(count: number): void {
    for (let passed = 0; passed < count && this.isHolding; passed++) {
      if (!this.#mayPass()) return;
      const message = this.#held?.[this.#head];
      this.#head += 1;
      if (message !== undefined) this.#owner.incoming(message);
    }
    if (this.isHolding) {
      this.#owner.feed?.held.add(this);
      return;
    }
    this.#held = undefined;
    this.#head = 0;
    this.#owner.transport?.resume();
  }

  /** The connection is over. */
  clear(): void {
    this.#held = undefined;
    this.#head = 0;
    this.#owner.feed?.held.delete(this);
  }

  /** Whether the next message may go to the actor now. If not, `release` follows when it is worth it. */
  #mayPass(): boolean {
    const { feed } = this.#owner;
    if (feed?.isFull === true) {
      feed.held.add(this);
      return false;
    }
    if (this.#tokens < 1) {
      const rate = this.#host.maxMessagesPerSecond;
      const now = this.#host.now();
      this.#tokens = Math.min(rate, this.#tokens + ((now - this.#tokensAt) * rate) / 1000);
      this.#tokensAt = now;
      if (this.#tokens < 1) {
        this.#host.throttle(this);
        return false;
      }
    }
    this.#tokens -= 1;
    return true;
  }
}
