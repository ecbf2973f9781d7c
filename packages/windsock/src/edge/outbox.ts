import type { Frame } from "../protocol/frame.ts";
import { maxSliceBytes } from "./log-window.ts";

/** A message for some members alone. The item is shared by all who receive it. */
export interface FrameItem {
  readonly type: "frame";
  readonly after: number;
  readonly frame: Frame;
}

/**
 * What waits for one member alone, in the order of the commits. Each comes after the
 * log's entry `after`, and before the next one.
 */
export type OutboxItem =
  | FrameItem
  /** Begins to follow a topic, after those of its entries that lie in [from, until). */
  | {
      readonly type: "subscribe";
      readonly after: number;
      readonly topic: string;
      from: number;
      readonly until: number;
      /** Some of them were read. */
      begun: boolean;
    }
  /** As `subscribe`, for a log that stands on the app's store. */
  | {
      readonly type: "follow";
      readonly after: number;
      readonly topic: string;
      readonly from: number | undefined;
    }
  | { readonly type: "unsubscribe"; readonly after: number; readonly topic: string }
  | {
      readonly type: "close";
      readonly after: number;
      readonly code: number;
      readonly reason: string;
    };

/** What an item takes beside its frame, in bytes: keeps many tiny ones within the bound too. */
export const itemOverheadBytes = 64;

/** A queue of items. Members have one only while something waits in it. */
export class Outbox {
  #items: OutboxItem[] = [];
  #head = 0;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }

  /** What the items take, overhead included. */
  get bytes(): number {
    return this.#bytes;
  }

  get first(): OutboxItem | undefined {
    return this.#items[this.#head];
  }

  push(item: OutboxItem): void {
    this.#items.push(item);
    this.#bytes += costOf(item);
  }

  shift(): void {
    const item = this.#items[this.#head];
    if (item === undefined) return;
    this.#bytes -= costOf(item);
    this.#head += 1;
    // A member that never quite catches up must not keep what it has had.
    if (this.#head >= 64 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Takes the frames at the head that come before the log's entry `position`: one write. */
  takeFrames(position: number): FrameItem[] {
    const taken: FrameItem[] = [];
    let bytes = 0;
    for (
      let item = this.first;
      item?.type === "frame" && item.after < position;
      item = this.first
    ) {
      if (taken.length > 0 && bytes + item.frame.byteLength > maxSliceBytes) break;
      taken.push(item);
      bytes += item.frame.byteLength;
      this.shift();
    }
    return taken;
  }
}

function costOf(item: OutboxItem): number {
  return itemOverheadBytes + (item.type === "frame" ? item.frame.byteLength : 0);
}
