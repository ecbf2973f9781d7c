import type { AnyService } from "../service/types.ts";
import type { ClientError } from "./client-error.ts";
import { HandlerFeed, type AnyEvent } from "./handler-feed.ts";
import { Reader, type ReaderLimits } from "./reader.ts";
import type { ChannelHandlers } from "./types.ts";

/** Where a channel's events go: to handlers and loops. Messages that come before any of them are kept. */
export class ReaderFeed extends HandlerFeed {
  readonly #limits: ReaderLimits;
  readonly #readers = new Map<Reader<unknown>, (event: AnyEvent) => unknown>();
  /** Messages that nobody has read, until somebody does. */
  #early: Reader<AnyEvent> | undefined;
  #end: { readonly error: ClientError | undefined } | undefined;

  constructor(limits: ReaderLimits) {
    super();
    this.#limits = limits;
    this.#early = new Reader(limits, () => {});
  }

  override on<T extends keyof ChannelHandlers<AnyService>>(
    type: T,
    handler: ChannelHandlers<AnyService>[T],
  ): () => void {
    if (type === "message") this.#release();
    return super.on(type, handler);
  }

  /** What `pick` makes of each event, undefined ones left out. */
  read<T>(pick: (event: AnyEvent) => T | undefined): Reader<T> {
    const reader = new Reader<T>(this.#limits, () => void this.#readers.delete(reader as never));
    this.#readers.set(reader as Reader<unknown>, pick);
    if (this.#end !== undefined) reader.end(this.#end.error);
    this.#release();
    return reader;
  }

  override emit(event: AnyEvent, length: number): void {
    if (event.type === "message" && this.#early !== undefined) {
      this.#early.push(event, length);
      return;
    }
    for (const [reader, pick] of this.#readers) {
      const value = pick(event);
      if (value !== undefined) reader.push(value, length);
    }
    super.emit(event, length);
  }

  override end(error: ClientError | undefined): void {
    this.#end = { error };
    this.#endReaders(error);
  }

  /** There is a reader now: what came before goes to all that are there after this turn of the code. */
  #release(): void {
    queueMicrotask(() => {
      const early = this.#early;
      if (early === undefined) return;
      this.#early = undefined;
      for (const { value, bytes } of early.drain()) this.emit(value, bytes);
      if (early.error === undefined) return;
      this.#endReaders(early.error);
      this.emit({ type: "error", error: early.error }, 0);
    });
  }

  #endReaders(error: ClientError | undefined): void {
    for (const reader of this.#readers.keys()) reader.end(error);
  }
}
