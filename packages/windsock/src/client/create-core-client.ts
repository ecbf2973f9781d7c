import { Connection } from "./connection.ts";
import { CoreChannel, type CoreChannelOptions } from "./core-channel.ts";
import { HandlerFeed } from "./handler-feed.ts";
import type { ClientPorts } from "./ports.ts";
import type { ConnectOptions, CoreConnect } from "./types.ts";

/** Makes a channel of what was asked for and the connection that it shares. */
export type Open<C> = (
  path: string,
  connection: Connection,
  options: Omit<ConnectOptions, "url">,
) => C;

/** What `connect` takes when nothing is said. */
export const coreDefaults: CoreChannelOptions = {
  auth: undefined,
  maxQueueBytes: 256 * 1024,
  maxQueueMessages: 1000,
};

/** A `connect` over connections of its own, one for each URL. */
export function connector<C>(
  ports: ClientPorts,
  open: Open<C>,
): (path: string, options?: ConnectOptions) => C {
  const connections = new Map<string, Connection>();
  return (path, { url, ...options } = {}) => {
    const whole = socketUrl(url, ports.page.url);
    const connection =
      connections.get(whole) ??
      new Connection(whole, ports, () => {
        connections.delete(whole);
      });
    connections.set(whole, connection);
    return open(path, connection, options);
  };
}

/**
 * A client with nothing that is not given, for pages where every kilobyte counts: messages come
 * to handlers only, which are added right after `connect`; leave out the checks of what comes
 * (`decode: readServerElements`) and the page's events (`page: noPage`). Its errors have a code
 * and figures instead of a sentence.
 */
export function createCoreClient(ports: ClientPorts): { readonly connect: CoreConnect } {
  const connect = connector(
    ports,
    (path, connection, options) =>
      new CoreChannel(path, connection, ports, { ...coreDefaults, ...options }, new HandlerFeed()),
  );
  return { connect };
}

/** `https://example.com/app/` -> `wss://example.com/app/websocket` */
function socketUrl(given: string | undefined, pageUrl: string | undefined): string {
  const { protocol, host, pathname } = new URL(given ?? new URL("/", pageUrl), pageUrl);
  return `${protocol.replace("http", "ws")}//${host}${pathname.replace(/\/$/, "")}/websocket`;
}
