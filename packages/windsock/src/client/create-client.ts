import { ClientError } from "./client-error.ts";
import { Connection } from "./connection.ts";
import { portsWith, type ClientPorts } from "./ports.ts";
import { ServiceChannel, type ServiceChannelOptions } from "./service-channel.ts";
import type { Connect, ConnectOptions } from "./types.ts";

/** What `connect` takes when nothing is said. */
const defaults: ServiceChannelOptions = {
  auth: undefined,
  maxQueueBytes: 256 * 1024,
  maxQueueMessages: 1000,
  maxBufferMessages: 10_000,
  maxBufferBytes: 8 * 1024 * 1024,
};

/** Channels that share sockets with each other, and with nobody else. */
export interface WindsockClient {
  readonly connect: Connect;
}

/**
 * Makes a client of its own: with another `WebSocket`, or a test's clock, randomness and page.
 * Everybody else uses `connect`.
 */
export function createClient(given: Partial<ClientPorts> = {}): WindsockClient {
  return createCoreClient(portsWith(given));
}

/**
 * The same with nothing that is not given, for pages where every kilobyte counts: leave out
 * the checks of what comes (`decode: readServerElements`), the page's events (`page: noPage`),
 * and errors have a code and figures instead of a sentence.
 */
export function createCoreClient(ports: ClientPorts): WindsockClient {
  const connections = new Map<string, Connection>();

  function connectionTo(url: string): Connection {
    const existing = connections.get(url);
    if (existing !== undefined) return existing;
    const connection: Connection = new Connection(url, ports, () => {
      if (connections.get(url) === connection) connections.delete(url);
    });
    connections.set(url, connection);
    return connection;
  }

  function connect(path: string, options: ConnectOptions = {}): ServiceChannel {
    const { url, query, ...own } = options;
    const whole =
      query === undefined
        ? path
        : `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(query).toString()}`;
    return new ServiceChannel(whole, connectionTo(socketUrl(url, ports.page.url)), ports, {
      ...defaults,
      ...own,
    });
  }

  return { connect };
}

/** `https://example.com/app/` -> `wss://example.com/app/websocket` */
function socketUrl(given: string | undefined, pageUrl: string | undefined): string {
  const origin = pageUrl === undefined ? undefined : new URL(pageUrl).origin;
  let url: URL;
  try {
    url = new URL(given ?? origin ?? "", pageUrl);
  } catch (error) {
    throw new ClientError("WINDSOCK_BAD_URL", { url: given, page: pageUrl }, error);
  }
  return `${url.protocol.replace("http", "ws")}//${url.host}${url.pathname.replace(/\/$/, "")}/websocket`;
}

let shared: WindsockClient | undefined;

/**
 * Opens a channel to a service: `connect("status")`, `connect("room/42")`.
 *
 * Typed by the names that are declared in `Services`, or by the service's file:
 * `connect<typeof import("./websocket/status.ts").default>("status")`.
 */
export const connect: Connect = (path: string, options?: ConnectOptions) => {
  shared ??= createClient();
  return shared.connect(path, options);
};
