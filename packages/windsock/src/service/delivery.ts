import { hash, timingSafeEqual } from "node:crypto";
import { Slabs } from "../log/slabs.ts";
import type { Private } from "../protocol/port.ts";
import { messageOverheadBytes, type PrivateBudget } from "./private-budget.ts";
import { newSecret } from "./secret.ts";
import type { Line } from "./service-client.ts";

export interface DeliveryLimits {
  readonly maxPrivateBytes: number;
  readonly creditBytes: number;
  /** The longest message that the server takes: once all is disposed of, there is credit for one. */
  readonly maxMessageBytes: number;
}

/** A message for some members alone, shared by all for whom it is kept. */
export class KeptMessage {
  readonly bytes: number;
  /** For how many it is kept. */
  keepers = 0;
  #item: Private;
  #isSettled = false;

  constructor(item: Private) {
    this.#item = item;
    this.bytes = "payload" in item ? item.payload.bytes.length : item.message.length;
  }

  get item(): Private {
    return this.#item;
  }

  /** It stays longer than what it was allocated among, and must not keep that. */
  settle(slabs: Slabs, heldBytes: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if ("payload" in this.#item) this.#item = slabs.keepItem(this.#item, heldBytes);
  }
}

/** A message for one member, kept until the member has acknowledged it. */
export interface KeptPrivate {
  readonly count: number;
  /** The log's entry that it comes after. */
  readonly after: number;
  readonly message: KeptMessage;
}

/** Of all for whom nothing is kept: that is most, most of the time. */
const none: KeptPrivate[] = [];

/**
 * What a membership of `windsock.v1` needs beyond its socket: messages it has not
 * acknowledged, numbers that were disposed of, credit, and the token of the next resume.
 */
export class Delivery {
  /** The newest number that was taken into the mailbox. */
  received = 0;
  /** The newest number that was disposed of. */
  done = 0;
  /** Private messages so far, and how many of them the member has. */
  count = 0;
  acked = 0;
  readonly #limits: DeliveryLimits;
  readonly #budget: PrivateBudget;
  #kept: KeptPrivate[] = none;
  #keptBytes = 0;
  /** Those up to this count are settled. */
  #settledThrough = 0;
  /** Up to this count some went before they were acknowledged; 0 once that was asked. */
  #lostThrough = 0;
  #creditUsed = 0;
  #creditGiven: number;
  /** Bytes as Latin-1: a buffer of its own would take 200 bytes more, for each membership. */
  #tokenHash: string | undefined;
  /** Valid until the first word from the new socket: the answer with the new token may be lost. */
  #previousHash: string | undefined;
  /** Where it was resumed last. */
  #edge = "";
  #session = 0;
  /** The sweep of the budget since which it has waited. */
  sweptAt = 0;

  constructor(limits: DeliveryLimits, budget: PrivateBudget) {
    this.#limits = limits;
    this.#budget = budget;
    this.#creditGiven = windowOf(limits);
  }

  // ---------- to the member ----------

  /** Counts and keeps a message. Beyond the bounds older ones go, and with them the chance to resume. */
  keep(message: KeptMessage, after: number): KeptPrivate {
    this.count += 1;
    const kept = { count: this.count, after, message };
    this.#add(kept);
    return kept;
  }

  /** The count up to which some went since this was asked last; 0: none did. */
  takeLost(): number {
    const lost = this.#lostThrough;
    this.#lostThrough = 0;
    return lost;
  }

  /** The process keeps too much: all of this goes. */
  lose(): void {
    this.#drop(this.#kept.length);
    this.#lostThrough = this.count;
    this.#budget.moved(this, false);
  }

  /** It has acknowledged nothing for a while. Settles so many messages at most, and gives how many it did. */
  settle(most: number): number {
    const first = this.#kept[0]?.count ?? 0;
    const begin = Math.max(this.#settledThrough + 1 - first, 0);
    const due = this.#kept.slice(begin, begin + most);
    const slabs = new Slabs();
    for (const { message } of due) message.settle(slabs, this.#keptBytes);
    this.#settledThrough = due.at(-1)?.count ?? this.#settledThrough;
    return due.length;
  }

  /** Its membership is over: nothing is kept for it any more. */
  end(): void {
    this.#drop(this.#kept.length);
    this.#budget.moved(this, false);
  }

  /** The member has handled this many. Impossible numbers are ignored. */
  ack(count: number): void {
    if (count <= this.acked || count > this.count) return;
    this.acked = count;
    // What is kept are the newest, without a gap.
    const drop = this.#kept.length - (this.count - count);
    if (drop <= 0) return;
    this.#drop(drop);
    this.#budget.moved(this, this.#kept.length > 0);
  }

  #add(kept: KeptPrivate): void {
    if (this.#kept === none) this.#kept = [kept];
    else this.#kept.push(kept);
    this.#keptBytes += costOf(kept);
    let drop = 0;
    for (let bytes = this.#keptBytes; bytes > this.#limits.maxPrivateBytes; drop++) {
      const oldest = this.#kept[drop];
      if (oldest === undefined) break;
      this.#lostThrough = oldest.count;
      bytes -= costOf(oldest);
    }
    if (this.#kept.length === 1) this.#budget.moved(this, true);
    // Counted before it goes: what is too large by itself is kept for nobody.
    this.#budget.add(kept.message);
    if (drop > 0) this.#drop(drop);
    if (this.#kept.length === 0) this.#budget.moved(this, false);
  }

  #drop(count: number): void {
    for (const one of this.#kept.splice(0, count)) {
      this.#keptBytes -= costOf(one);
      this.#budget.remove(one.message);
    }
    if (this.#kept.length === 0) this.#kept = none;
  }

  /** What a member that has handled `count` still needs; undefined when some of it is gone, or `count` is impossible. */
  since(count: number): readonly KeptPrivate[] | undefined {
    if (count > this.count || count < this.acked) return undefined;
    const needed = this.#kept.filter((one) => one.count > count);
    return needed.length === this.count - count ? needed : undefined;
  }

  // ---------- from the member ----------

  /** What to do with message `n`, which took so many bytes on the wire. */
  take(n: number, wireBytes: number): "take" | "repeat" | "hole" | "over-credit" {
    this.#previousHash = undefined;
    this.#creditUsed += wireBytes;
    if (this.#creditUsed > this.#creditGiven) return "over-credit";
    if (n <= this.received) return "repeat";
    if (n !== this.received + 1) return "hole";
    this.received = n;
    return "take";
  }

  /** How much the member may now have sent in total, if that is worth telling. */
  grant(): number | undefined {
    if (this.#creditGiven - this.#creditUsed >= this.#limits.maxMessageBytes) return undefined;
    this.#creditGiven = this.#creditUsed + windowOf(this.#limits);
    return this.#creditGiven;
  }

  /** A new socket: credit begins anew. */
  reset(): number {
    this.#creditUsed = 0;
    this.#creditGiven = windowOf(this.#limits);
    return this.#creditGiven;
  }

  /** The member has spoken on its new socket, so it has its new token. */
  heard(): void {
    this.#previousHash = undefined;
  }

  // ---------- the token ----------

  /**
   * A new secret for the next resume. Only its hash is kept, and that of the one that was
   * shown: answers may be lost one after the other, so it is all that the member surely has.
   */
  rotate(shown?: string): string {
    const secret = newSecret();
    this.#previousHash = shown === undefined ? undefined : hashOf(shown);
    this.#tokenHash = hashOf(secret);
    return secret;
  }

  /** This socket has the membership from now on. */
  resumedOn({ edge, session = 0 }: Line): void {
    this.#edge = edge;
    this.#session = session;
  }

  /**
   * Whether a resume comes late: from a socket that opened before the one on which the member
   * came back, and without the token that it was given there. Its client has gone on since.
   */
  isLate({ edge, session = 0 }: Line, secret: string): boolean {
    if (edge !== this.#edge || session >= this.#session || this.#tokenHash === undefined)
      return false;
    return !timingSafeEqual(bytesOf(this.#tokenHash), bytesOf(hashOf(secret)));
  }

  owns(secret: string): boolean {
    const shown = bytesOf(hashOf(secret));
    return [this.#tokenHash, this.#previousHash].some(
      (one) => one !== undefined && timingSafeEqual(bytesOf(one), shown),
    );
  }

  /** For the next incarnation of an actor that ended before it could join. */
  anew(): Delivery {
    return new Delivery(this.#limits, this.#budget);
  }

  // ---------- durable ----------

  /** What must outlive the process. */
  save(): SavedDelivery {
    return {
      done: this.done,
      count: this.count,
      acked: this.acked,
      tokenHash: this.#tokenHash,
      previousHash: this.#previousHash,
    };
  }

  /** After a start: what was received but not done is not in the mailbox any more. */
  static restore(
    limits: DeliveryLimits,
    budget: PrivateBudget,
    saved: SavedDelivery,
    kept: readonly KeptPrivate[],
  ): Delivery {
    const delivery = new Delivery(limits, budget);
    delivery.received = saved.done;
    delivery.done = saved.done;
    delivery.count = saved.count;
    delivery.acked = saved.acked;
    delivery.#tokenHash = saved.tokenHash;
    delivery.#previousHash = saved.previousHash;
    for (const one of kept) delivery.#add(one);
    return delivery;
  }
}

export interface SavedDelivery {
  readonly done: number;
  readonly count: number;
  readonly acked: number;
  readonly tokenHash: string | undefined;
  readonly previousHash: string | undefined;
}

function costOf({ message }: KeptPrivate): number {
  return messageOverheadBytes + message.bytes;
}

/** So much ahead that a member which sends without a pause is not held up by the way there and back. */
function windowOf({ creditBytes, maxMessageBytes }: DeliveryLimits): number {
  return creditBytes + maxMessageBytes;
}

function hashOf(secret: string): string {
  return hash("sha256", secret, "latin1");
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
