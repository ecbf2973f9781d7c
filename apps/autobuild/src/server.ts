import { fileURLToPath } from "node:url";
import { getRequestListener } from "@hono/node-server";
import { createServer, type Server } from "windsock";
import type { Autobuild } from "./autobuild.ts";
import { pages } from "./pages.ts";
import { setRunning } from "./running.ts";

export interface StartServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

const services = fileURLToPath(new URL("./websocket", import.meta.url));

/**
 * Puts the page and the services of an AutoBuild on a port.
 *
 * Throws Windsock's `ListenError`, whose message says what to do, when the port is taken.
 */
export async function startServer(
  autobuild: Autobuild,
  { host, port }: StartServerOptions,
): Promise<Server> {
  setRunning(autobuild);
  const listener = getRequestListener((await pages(autobuild)).fetch);
  return createServer({
    host,
    port,
    services,
    request: (request, response) => void listener(request, response),
  });
}
