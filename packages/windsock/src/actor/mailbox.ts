/** What a mailbox counts of an item. */
export interface MailItem {
  /** Bytes that the item holds, for the bound; 0 for what holds none. */
  readonly bytes: number;
}

export interface MailboxLimits {
  readonly maxMailboxMessages: number;
  readonly maxMailboxBytes: number;
}

/**
 * A bounded queue, first in, first out.
 *
 * `offer` refuses at the bound. `force` is for what must always enter: closes,
 * timers, reloads, stops, and what was already on its way.
 */
export class Mailbox<Item extends MailItem> {
  #items: (Item | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  readonly #limits: MailboxLimits;

  constructor(limits: MailboxLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether `offer` would refuse the next item. */
  get isFull(): boolean {
    return (
      this.size >= this.#limits.maxMailboxMessages || this.#bytes >= this.#limits.maxMailboxBytes
    );
  }

  /** At most half full: senders that were held back may go on. */
  get hasRoom(): boolean {
    return (
      this.size <= this.#limits.maxMailboxMessages / 2 &&
      this.#bytes <= this.#limits.maxMailboxBytes / 2
    );
  }

  offer(item: Item): boolean {
    if (this.isFull) return false;
    this.force(item);
    return true;
  }

  force(item: Item): void {
    this.#items.push(item);
    this.#bytes += item.bytes;
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    this.#bytes -= item.bytes;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes everything out, oldest first. */
  drain(): Item[] {
    const items: Item[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) items.push(item);
    return items;
  }
}
