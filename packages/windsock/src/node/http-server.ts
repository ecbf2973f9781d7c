import { createServer, type Server as HttpServer } from "node:http";
import type { Clock, Timer } from "../actor/clock.ts";
import { headerText } from "../gateway/raw-headers.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Entrances } from "./entrances.ts";
import type { FrontDoor } from "./front-door.ts";

/** Between two looks for HTTP connections that have become idle while a server stops. */
const idleCheckMs = 50;

/** The HTTP server of a Windsock server that has one of its own. */
export function createHttp(limits: Limits): HttpServer {
  return createServer({
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
}

/** Takes no new connection, and resolves when those there are have ended: idle ones now, others with their answer. */
export async function closeGently(
  http: HttpServer,
  entrances: Entrances,
  door: FrontDoor,
  clock: Clock,
): Promise<void> {
  let timer: Timer | undefined;
  const look = (): void => {
    door.closeIdleConnections();
    http.closeIdleConnections();
    timer = clock.setTimeout(look, idleCheckMs);
  };
  const closed = entrances.close();
  look();
  await closed;
  timer?.cancel();
}
