import { ClientError } from "./client-error.ts";
import type { Connection } from "./connection.ts";
import { CoreChannel, type CoreChannelOptions } from "./core-channel.ts";
import type { AnyEvent } from "./handler-feed.ts";
import type { ClientPorts } from "./ports.ts";
import { ReaderFeed } from "./reader-feed.ts";
import type { ReaderLimits } from "./reader.ts";
import type { CallOptions, SendOptions } from "./types.ts";

/** A channel that loops can read, and that keeps what comes before anybody does. */
export class ServiceChannel extends CoreChannel {
  readonly #feed: ReaderFeed;

  constructor(
    path: string,
    connection: Connection,
    ports: ClientPorts,
    options: CoreChannelOptions & ReaderLimits,
  ) {
    const feed = new ReaderFeed(options);
    super(path, connection, ports, options, feed);
    this.#feed = feed;
  }

  override send(message: unknown, options?: SendOptions): Promise<void> {
    return refused(message) ?? super.send(message, options);
  }

  override call(name: string, request?: unknown, options?: CallOptions): Promise<never> {
    return refused(request) ?? super.call(name, request, options);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<never, undefined> {
    return this.#feed.read((event) =>
      event.type === "message" ? event.message : undefined,
    ) as never;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  events(): AsyncIterableIterator<AnyEvent, undefined> {
    return this.#feed.read((event) => event);
  }
}

/** What JSON would empty without a word, as at the server. The core has no room for it. */
function refused(value: unknown): Promise<never> | undefined {
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (value instanceof Uint8Array || !/Map$|Set$|\wBuffer|Blob|File|View|\dArray/.test(kind))
    return;
  return Promise.reject(
    new ClientError("WINDSOCK_ENCODE", { value: kind, reason: "JSON would empty it" }),
  );
}
