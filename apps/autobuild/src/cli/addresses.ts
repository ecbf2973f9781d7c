import { networkInterfaces } from "node:os";
import type { Role } from "../auth/role.ts";

/** Where a server can be opened. */
export interface Addresses {
  /** For programs of this machine. */
  readonly local: string;
  /** For people on this machine. */
  readonly here: string;
  /** For others; none when it listens for this machine only. */
  readonly elsewhere: readonly string[];
}

type Interfaces = Readonly<Record<string, readonly Interface[] | undefined>>;

interface Interface {
  readonly address: string;
  readonly family: string;
  readonly internal: boolean;
}

/** A machine with containers has many addresses that nobody else reaches. */
const maxShown = 4;

/**
 * Gives the addresses of a server: `0.0.0.0` and `::` are all of the machine's, and can be opened nowhere.
 *
 * @param url as the server has it, with the host that it listens on
 * @param publicUrl the one by which people reach it through a proxy
 */
export function addressesOf(
  url: string,
  publicUrl?: string,
  interfaces: Interfaces = networkInterfaces(),
): Addresses {
  const { hostname, port } = new URL(url);
  const at = (host: string): string =>
    `http://${host.includes(":") ? `[${host}]` : host}:${port || "80"}`;
  const proxied = publicUrl === undefined ? [] : [publicUrl];
  const isAny = hostname === "0.0.0.0" || hostname === "[::]";
  if (!isAny) {
    const isHere = /^(?:127\.|\[::1\]$|localhost$)/.test(hostname);
    return {
      local: url,
      here: url.replace("127.0.0.1", "localhost"),
      elsewhere: [...proxied, ...(isHere ? [] : [url])],
    };
  }
  const own = Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(({ internal, address }) => !internal && !/^(?:fe80|169\.254\.)/i.test(address))
    .filter(({ family }) => family === "IPv4" || hostname === "[::]")
    .map(({ address }) => at(address));
  return {
    local: at(hostname === "[::]" ? "::1" : "127.0.0.1"),
    here: at("localhost"),
    elsewhere: [...proxied, ...own.slice(0, maxShown)],
  };
}

/** What a start prints: where it is, and, where others reach it, what they may do. */
export function sayAddresses({ here, elsewhere }: Addresses, withoutLogin: Role): string[] {
  const others = elsewhere.filter((address) => address !== here);
  const lines = [
    others.length === 0
      ? `AutoBuild is at ${here}`
      : `AutoBuild is at ${here}, and for other machines at ${others.join(", ")}`,
  ];
  if (elsewhere.length === 0) return lines;
  const may = {
    none: "log in with a user or a token, and nothing before",
    viewer: "look without a login, and more with one",
    builder: "look and build without a login, and more with one",
    admin: "do everything without a login",
  } satisfies Record<Role, string>;
  return [...lines, `Whoever reaches it may ${may[withoutLogin]}.`];
}
