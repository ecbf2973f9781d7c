import { NoServerError } from "../errors.ts";
import type { ServiceHost } from "./service-host.ts";
import { turnStorage } from "./turn.ts";

/** Which server `broadcast`, `info` and `call` mean, outside of any callback. */
export const runningHosts: Set<ServiceHost> = new Set();

/** The host of the running callback, else the only one there is. */
export function currentHost(what: string): ServiceHost {
  const turn = turnStorage.getStore();
  if (turn !== undefined) {
    for (const host of runningHosts) if (host.runs(turn.actor)) return host;
  }
  if (runningHosts.size === 1) for (const host of runningHosts) return host;
  throw new NoServerError(
    runningHosts.size === 0
      ? `Expected a running server for \`${what}\`, got none. Start one with \`windsock start\` or \`await createServer()\` first.`
      : `Expected one running server for \`${what}\`, got ${runningHosts.size}. Use \`server.${what}\` of the one you mean.`,
  );
}
