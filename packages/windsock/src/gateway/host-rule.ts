import { headerCount, headerText, type RawHeaders } from "./raw-headers.ts";
import { quote, type Refusal, refuse } from "./refusal.ts";

export interface HostOptions {
  /** The address that the server is bound to, as given to `listen`. @default "localhost" */
  readonly host: string;
  /**
   * Names that a request may call this server by, without a port: `"build.example"`, or
   * `".example"` for it and all names below it. Loopback names are always among them.
   *
   * Empty and bound to loopback: loopback names only, since a page of any site can have its name
   * point to 127.0.0.1 (DNS rebinding). Empty and bound to another address: any name.
   * @default []
   */
  readonly allowedHosts: readonly string[] | "*";
}

/**
 * Checks the Host field: exactly one (RFC 9112, section 3.2), well-formed, and a name of ours.
 * Gives it back as a URL has it, in lower case and with its port unless that is the scheme's.
 */
export function checkHost(
  head: { readonly rawHeaders: RawHeaders; readonly secure: boolean },
  options: HostOptions,
): { readonly type: "host"; readonly origin: string } | Refusal {
  const count = headerCount(head.rawHeaders, "host");
  if (count !== 1) {
    const came = count === 0 ? "none" : String(count);
    return refuse(400, `Expected exactly one Host header field, got ${came}: send one.`);
  }
  const value = headerText(head.rawHeaders, "host");
  const url = hostUrl(value, head.secure);
  if (url === undefined) {
    const expected = "Expected the Host header field to be a name or an address, and a port";
    return refuse(400, `${expected} ("localhost:8001"), got ${quote(value)}.`);
  }
  if (!isAllowed(url, options)) {
    const name = quote(url.hostname);
    return refuse(
      403,
      `Expected a Host that this server is known by, got ${name}. ` +
        `If it is, add ${name} to the server's option \`allowedHosts\`.`,
    );
  }
  return { type: "host", origin: url.origin };
}

/** Whether a host name or address can only mean this machine. */
function isLoopback(host: string): boolean {
  const text = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return hostUrl(text, false)?.isLoopback ?? false;
}

function isLoopbackName(hostname: string): boolean {
  const name = hostname.replace(/\.$/, "");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    /^127\.\d+\.\d+\.\d+$/.test(name) ||
    name === "[::1]" ||
    /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(name)
  );
}

function isAllowed(url: HostUrl, { host, allowedHosts }: HostOptions): boolean {
  if (allowedHosts === "*" || url.isLoopback) return true;
  if (allowedHosts.length === 0) return !isLoopback(host);
  const name = url.hostname.replace(/\.$/, "");
  return allowedHosts.some((each) => {
    const allowed = each.toLowerCase();
    return allowed.startsWith(".")
      ? name === allowed.slice(1) || name.endsWith(allowed)
      : name === allowed;
  });
}

/** A Host as a URL has it. */
interface HostUrl {
  readonly hostname: string;
  readonly origin: string;
  readonly isLoopback: boolean;
}

/** Nearly all requests name one of a few hosts. Beyond the bound the list begins anew. */
const knownHosts = new Map<string, HostUrl>();
const maxKnownHosts = 100;
const maxKnownHostLength = 256;

/** The URL parser brings addresses and case into one form; the pattern keeps out what else it takes. */
function hostUrl(value: string, secure: boolean): HostUrl | undefined {
  const text = `${secure ? "https" : "http"}://${value}/`;
  const known = knownHosts.get(text);
  if (known !== undefined) return known;
  if (!/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(value)) return undefined;
  const url = URL.parse(text);
  if (url === null) return undefined;
  const { hostname, origin } = url;
  const host = { hostname, origin, isLoopback: isLoopbackName(hostname) };
  if (knownHosts.size >= maxKnownHosts) knownHosts.clear();
  if (text.length <= maxKnownHostLength) knownHosts.set(text, host);
  return host;
}
