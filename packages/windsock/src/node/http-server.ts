import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock, Timer } from "../actor/clock.ts";
import { ListenError } from "../errors.ts";
import { headerText } from "../gateway/raw-headers.ts";
import type { Limits } from "../protocol/limits.ts";
import type { FrontDoor } from "./front-door.ts";
import type { ResolvedOptions } from "./options.ts";

/** Between two looks for HTTP connections that have become idle while a server stops. */
const idleCheckMs = 50;

/** The HTTP server of a Windsock server that has one of its own. */
export function createHttp(limits: Limits): HttpServer {
  const http = createServer({
    headersTimeout: limits.handshakeTimeoutMs,
    requestTimeout: limits.handshakeTimeoutMs * 3,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 16 * 1024,
    // Checked by admission, which also sees upgrades.
    requireHostHeader: false,
    // `Upgrade: h2c` and the like are requests as any other.
    shouldUpgradeCallback: ({ rawHeaders }) =>
      headerText(rawHeaders, "upgrade").toLowerCase() === "websocket",
  });
  // Beyond what is answered with 503: a bound for sockets that only ask for pages, or for nothing.
  http.maxConnections = limits.maxConnections + limits.maxPendingUpgrades;
  return http;
}

export function listen(http: HttpServer, { host, port }: ResolvedOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why =
        error.code === "EADDRINUSE"
          ? `Expected port ${port} of ${host} to be free, got it taken by another program. Stop that one, or choose another port (\`--port\`, the variable PORT).`
          : error.code === "EACCES"
            ? `Expected leave to listen on port ${port} of ${host}, got none. Choose a port of at least 1024.`
            : `Expected to listen on port ${port} of ${host}, got ${error.message}.`;
      reject(new ListenError(why, { cause: error }));
    };
    http.once("error", failed);
    http.listen(port, host, () => {
      http.off("error", failed);
      resolve(http.address() as AddressInfo);
    });
  });
}

/** Takes no new connection, and resolves when those there are have ended: idle ones now, others with their answer. */
export function closeGently(
  http: HttpServer,
  door: FrontDoor | undefined,
  clock: Clock,
): Promise<void> {
  if (!http.listening) return Promise.resolve();
  return new Promise((resolve) => {
    let timer: Timer | undefined;
    http.close(() => {
      timer?.cancel();
      resolve();
    });
    const look = (): void => {
      door?.closeIdleConnections();
      http.closeIdleConnections();
      timer = clock.setTimeout(look, idleCheckMs);
    };
    look();
  });
}
