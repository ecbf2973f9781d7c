import { fileURLToPath } from "node:url";
import { getRequestListener } from "@hono/node-server";
import { createServer, type Server } from "windsock";
import type { Access } from "./auth/access.ts";
import type { Auth } from "./auth/auth.ts";
import { parsePublicUrl, type Reach } from "./auth/policy.ts";
import type { Autobuild } from "./autobuild.ts";
import { messageOf } from "./errors.ts";
import { readServerState } from "./http/server-state.ts";
import { pages } from "./pages.ts";
import { setRunning } from "./running.ts";

export interface StartServerOptions extends Reach {
  /** 0: any free one. */
  readonly port: number;
  /** How long somebody goes on reading at most after their access was taken back. What they ask for is checked at once. @default 10_000 */
  readonly accessCheckMs?: number;
}

/** Of the codes that are an app's own: 4000 and what HTTP calls it. */
const accessEnded = 4401;

const defaultAccessCheckMs = 10_000;

/** Where the files of the services are. */
export const servicesFolder: string = fileURLToPath(new URL("./websocket", import.meta.url));

/**
 * Puts the page and the services of an AutoBuild on a port.
 *
 * Throws Windsock's `ListenError`, whose message says what to do, when the port is taken.
 */
export async function startServer(
  autobuild: Autobuild,
  { port, accessCheckMs = defaultAccessCheckMs, ...reach }: StartServerOptions,
): Promise<Server> {
  const { host } = reach;
  const publicUrl = reach.publicUrl === undefined ? undefined : parsePublicUrl(reach.publicUrl);
  autobuild.auth.open({ ...reach, publicUrl });
  setRunning(autobuild);
  const { fetch } = await pages(autobuild, { publicUrl });
  const listener = getRequestListener(fetch);
  const server = await createServer({
    host,
    port,
    services: servicesFolder,
    ...(publicUrl === undefined
      ? {}
      : { origins: [publicUrl], allowedHosts: [new URL(publicUrl).hostname] }),
    health: () => ({
      isReady: autobuild.isStarted,
      details: { ...readServerState(autobuild, Date.now()) },
    }),
    request: (request, response) => void listener(request, response),
  });
  return endWithAccess(server, autobuild.auth, accessCheckMs);
}

/** Closes clients whose access was taken back; they may come again with another. */
function endWithAccess(server: Server, auth: Auth, accessCheckMs: number): Server {
  const check = (): void => {
    for (const { address } of server.services()) {
      for (const client of server.clients(address)) {
        const access = client.user as Access | undefined;
        if (access !== undefined && auth.renew(access).role === "none")
          client.close(accessEnded, "your access has ended: log in again");
      }
    }
  };
  const timer = setInterval(() => {
    try {
      check();
    } catch (error) {
      // The store cannot be read now. What somebody does is refused by then, and the next check comes.
      console.error(`autobuild: Nobody's access could be checked: ${messageOf(error)}`);
    }
  }, accessCheckMs);
  timer.unref();
  const stop = server.stop.bind(server);
  return Object.assign(server, {
    stop() {
      clearInterval(timer);
      return stop();
    },
  });
}
