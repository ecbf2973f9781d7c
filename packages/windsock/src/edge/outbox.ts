import { Slabs } from "../log/slabs.ts";
import type { Frame } from "../protocol/frame.ts";
import type { ComeBack, Private } from "../protocol/port.ts";
import { maxSliceBytes } from "./log-window.ts";
import type { Speech } from "./speech.ts";

/** A message for some members alone. The item is shared by all who receive it. */
export class PrivateItem {
  readonly type = "private";
  readonly after: number;
  readonly byteLength: number;
  #item: Private;
  #isSettled = false;
  /** In how many outboxes it waits. */
  waiting = 0;
  #speech: Speech | undefined;
  #frame: Frame | undefined;

  constructor(after: number, item: Private) {
    this.after = after;
    this.#item = item;
    this.byteLength = "payload" in item ? item.payload.bytes.length : item.message.length;
  }

  /** It waits for longer than what it was allocated among, and must not keep that. */
  settle(slabs: Slabs, heldBytes: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#frame = undefined;
    if ("payload" in this.#item) this.#item = slabs.keepItem(this.#item, heldBytes);
  }

  /** Built once for all who are spoken to in the same way. */
  frame(speech: Speech): Frame {
    const { base, deflate } = speech;
    if (this.#frame === undefined || this.#speech !== base) {
      this.#frame = base.privateFrame(this.#item);
      this.#speech = base;
    }
    return deflate === undefined ? this.#frame : this.#frame.deflated(deflate);
  }
}

/** The service's state, in place of the entries up to `after`. Shared by all on the same channel. */
export class SnapshotItem {
  readonly type = "snapshot";
  readonly after: number;
  readonly frame: Frame;
  waiting = 0;

  constructor(after: number, frame: Frame) {
    this.after = after;
    this.frame = frame;
  }

  get byteLength(): number {
    return this.frame.byteLength;
  }
}

/** What a member of `windsock.v1` is told beside its messages. Not counted. */
export interface ControlItem {
  readonly type: "control";
  readonly after: number;
  readonly frame: Frame;
}

/** What is nothing but a frame to be written. */
export type FrameItem = PrivateItem | ControlItem;

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
      /** A client of `windsock.v1` was told that entries of this topic begin. */
      isSaid: boolean;
    }
  /** As `subscribe`, for a log that stands on the app's store. */
  | {
      readonly type: "follow";
      readonly after: number;
      readonly topic: string;
      readonly from: number | undefined;
    }
  | { readonly type: "unsubscribe"; readonly after: number; readonly topic: string }
  | SnapshotItem
  | {
      readonly type: "close";
      readonly after: number;
      readonly code: number;
      readonly reason: string;
      readonly comeBack: ComeBack | undefined;
    };

/** What an item takes beside its frame, in bytes: keeps many tiny ones within the bound too. */
export const itemOverheadBytes = 64;

/** What waits in all outboxes of an edge, in bytes. What is shared counts once. */
export class QueuedBytes {
  bytes = 0;

  add(item: OutboxItem): void {
    this.bytes += itemOverheadBytes;
    if (item.type === "control") this.bytes += item.frame.byteLength;
    else if (item.type === "private" || item.type === "snapshot") {
      if (item.waiting === 0) this.bytes += item.byteLength;
      item.waiting += 1;
    }
  }

  remove(item: OutboxItem): void {
    this.bytes -= itemOverheadBytes;
    if (item.type === "control") this.bytes -= item.frame.byteLength;
    else if (item.type === "private" || item.type === "snapshot") {
      item.waiting -= 1;
      if (item.waiting === 0) this.bytes -= item.byteLength;
    }
  }
}

/** 50 us of copying. */
const settledAtOnce = 1000;

/** A queue of items. Members have one only while something waits in it. */
export class Outbox {
  readonly #queued: QueuedBytes;
  #items: OutboxItem[] = [];
  #head = 0;
  #bytes = 0;
  #hasWaited = false;
  /** Those in front of it are settled. */
  #settled = 0;

  constructor(queued: QueuedBytes) {
    this.#queued = queued;
  }

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
    this.#queued.add(item);
  }

  shift(): void {
    const item = this.#items[this.#head];
    if (item === undefined) return;
    this.#bytes -= costOf(item);
    this.#queued.remove(item);
    this.#head += 1;
    this.#shrink();
  }

  /** Called about once a second. What waits from one time to the next gets memory of its own, so much at a time. */
  settle(): void {
    if (!this.#hasWaited) {
      this.#hasWaited = true;
      return;
    }
    const begin = Math.max(this.#settled, this.#head);
    const end = Math.min(begin + settledAtOnce, this.#items.length);
    const slabs = new Slabs();
    for (let index = begin; index < end; index++) {
      const item = this.#items[index];
      if (item?.type === "private") item.settle(slabs, this.#bytes);
      else if (item?.type === "control") this.#items[index] = settled(item, slabs, this.#bytes);
    }
    this.#settled = end;
  }

  /** Its member is over: what it was due is dropped. */
  clear(): void {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item !== undefined) this.#queued.remove(item);
    }
    this.#items = [];
    this.#head = 0;
    this.#settled = 0;
    this.#bytes = 0;
  }

  /** A member that never quite catches up must not keep what it has had. */
  #shrink(): void {
    if (this.#head < 64 || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#settled = Math.max(this.#settled - this.#head, 0);
    this.#head = 0;
  }

  /** Takes the frames at the head that come before the log's entry `position`: one write. */
  takeFrames(position: number): FrameItem[] {
    const taken: FrameItem[] = [];
    let bytes = 0;
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item === undefined || !isFrame(item) || item.after >= position) break;
      const length = lengthOf(item);
      if (taken.length > 0 && bytes + length > maxSliceBytes) break;
      taken.push(item);
      bytes += length;
      this.#queued.remove(item);
    }
    this.#head += taken.length;
    this.#bytes -= bytes + taken.length * itemOverheadBytes;
    this.#shrink();
    return taken;
  }
}

function settled(item: ControlItem, slabs: Slabs, heldBytes: number): ControlItem {
  const { frame } = item;
  return { ...item, frame: frame.holding(slabs.keep(frame.payload, heldBytes)) };
}

function costOf(item: OutboxItem): number {
  return itemOverheadBytes + (isFrame(item) ? lengthOf(item) : 0);
}

function isFrame(item: OutboxItem): item is FrameItem {
  return item.type === "private" || item.type === "control";
}

function lengthOf(item: FrameItem): number {
  return item.type === "private" ? item.byteLength : item.frame.byteLength;
}
