import type { AnyService } from "../service/types.ts";
import type { ClientError } from "./client-error.ts";
import type { ChannelEvent, ChannelHandlers } from "./types.ts";

export type AnyEvent = ChannelEvent<AnyService>;
type AnyHandler = (...args: never[]) => void;

/** Where a channel's events go: to handlers. */
export class HandlerFeed {
  readonly #handlers = new Map<string, Set<AnyHandler>>();

  /** A function that is there already is not added again. */
  on<T extends keyof ChannelHandlers<AnyService>>(
    type: T,
    handler: ChannelHandlers<AnyService>[T],
  ): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  /** `length`: of the message that brought it, about. */
  emit(event: AnyEvent, _length: number): void {
    // What the event is named after, where there is such a thing: the message, the state, the error.
    const { [event.type]: subject = event } = event as unknown as Readonly<Record<string, unknown>>;
    for (const handler of [...(this.#handlers.get(event.type) ?? [])]) {
      try {
        handler(subject as never, event as never);
      } catch (error) {
        // It must not stop the others, and is the application's to see.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Nothing more comes; for this reason, if it is an error. */
  end(_error: ClientError | undefined): void {}
}
