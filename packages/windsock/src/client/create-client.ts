import { ClientError } from "./client-error.ts";
import { connector, coreDefaults } from "./create-core-client.ts";
import { portsWith, type ClientPorts } from "./ports.ts";
import type { ReaderLimits } from "./reader.ts";
import { ServiceChannel } from "./service-channel.ts";
import type { Connect, ConnectOptions } from "./types.ts";

/** What `connect` takes when nothing is said. */
const defaults: ReaderLimits = {
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
  const ports = portsWith(given);
  const open = connector(
    ports,
    (path, connection, options) =>
      new ServiceChannel(path, connection, ports, { ...coreDefaults, ...defaults, ...options }),
  );
  const connect = (path: string, { query, ...options }: ConnectOptions = {}): ServiceChannel => {
    const { url } = options;
    const search =
      query && `${path.includes("?") ? "&" : "?"}${new URLSearchParams(query).toString()}`;
    try {
      return open(`${path}${search ?? ""}`, options);
    } catch (error) {
      throw new ClientError("WINDSOCK_BAD_URL", { url, page: ports.page.url }, error);
    }
  };
  return { connect };
}

let shared: WindsockClient | undefined;

/**
 * Opens a channel to a service: `connect("status")`, `connect("room/42")`.
 *
 * Typed by the names that are declared in `Services`, or by the service's file:
 * `connect<typeof import("./websocket/status.ts").default>("status")`.
 */
export const connect: Connect = ((path: never, options?: ConnectOptions) => {
  shared ??= createClient();
  return shared.connect(path, options);
}) as unknown as Connect;
