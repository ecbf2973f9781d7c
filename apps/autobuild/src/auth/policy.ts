import { AutobuildError, show } from "../errors.ts";
import { parseRole, type Role } from "./role.ts";

/** From where AutoBuild can be reached, and what people may do who have not logged in. */
export interface Reach {
  /** The address that is listened on. */
  readonly host: string;
  /** The address by which people reach it through a proxy: `https://ci.example.org`. */
  readonly publicUrl?: string | undefined;
  /** What somebody may do without a login. @default see `anonymousPolicy` */
  readonly anonymous?: string | undefined;
}

/** What somebody may do who has not logged in. */
export interface AnonymousPolicy {
  /** While there is no user and no token. Null: AutoBuild does not start. */
  readonly withoutAccounts: Role | null;
  /** As soon as there is one. */
  readonly withAccounts: Role;
}

/**
 * What somebody may do who has not logged in (ADR 0024).
 *
 * Within this machine: everything, until there is a user or a token, and then read. Beyond it: nothing, and
 * without accounts AutoBuild does not start. `anonymous` says otherwise for both.
 */
export function anonymousPolicy({ host, publicUrl, anonymous }: Reach): AnonymousPolicy {
  if (anonymous !== undefined) {
    const role = parseRole(anonymous, ["none", "viewer", "builder"]);
    return { withoutAccounts: role, withAccounts: role };
  }
  const isWithin =
    isLoopback(host) && (publicUrl === undefined || isLoopback(new URL(publicUrl).hostname));
  return isWithin
    ? { withoutAccounts: "admin", withAccounts: "viewer" }
    : { withoutAccounts: null, withAccounts: "none" };
}

/** Checks the option; gives the origin, `https://ci.example.org`. */
export function parsePublicUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && `${url.origin}/` === url.href)
    return url.origin;
  throw new AutobuildError(
    "AUTOBUILD_BAD_OPTION",
    `Expected a public URL of scheme and name, such as https://ci.example.org, got ${show(text)}.`,
  );
}

/** Whether a name or address can only mean this machine. */
function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    /^127\.\d+\.\d+\.\d+$/.test(name) ||
    name === "::1"
  );
}
