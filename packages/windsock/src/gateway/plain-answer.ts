import { nobodyThere, unreadableUrl } from "./admission.ts";
import { checkHost, type HostOptions } from "./host-rule.ts";
import { type Refusal, refuse } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import { requestUrl } from "./request-url.ts";
import type { RouteTable } from "./route-table.ts";
import { windsockProtocol } from "./sub-protocol.ts";

/**
 * The answer to a request without upgrade for a path of ours: 426 with the URL to open instead.
 * Undefined: the path lies elsewhere, and whoever else answers may.
 */
export function answerPlain(
  head: RequestHead,
  routes: RouteTable,
  options: HostOptions,
): Refusal | undefined {
  const host = checkHost(head, options);
  if (host.type === "refuse") return host;
  const url = requestUrl(head.url, host.origin);
  if (url === undefined) return unreadableUrl(head.url);

  const match = routes.match(url.pathname);
  switch (match.type) {
    case "bad":
      return refuse(400, match.reason);
    case "none":
      return match.within ? nobodyThere(url.pathname, match.hint) : undefined;
    case "multiplex":
    case "service": {
      const address = `${host.origin.replace(/^http/, "ws")}${url.pathname}`;
      const protocols = match.type === "multiplex" ? `, "${windsockProtocol}"` : "";
      return refuse(
        426,
        `Expected a WebSocket, got a plain ${head.method}: open it with new WebSocket("${address}"${protocols}).`,
        // Node keeps a connection open, asked or not, whose answer names its options without `close`.
        { Upgrade: "websocket", Connection: "Upgrade, close" },
      );
    }
  }
}
