import type { Connection } from "./connection.ts";
import { CoreChannel, type CoreChannelOptions } from "./core-channel.ts";
import type { AnyEvent } from "./handler-feed.ts";
import type { ClientPorts } from "./ports.ts";
import { ReaderFeed } from "./reader-feed.ts";
import type { ReaderLimits } from "./reader.ts";

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
