import { OptionError } from "../errors.ts";
import { defaultLimits } from "../protocol/limits.ts";
import { checkHandshake } from "./handshake-rule.ts";
import { checkHost, type HostOptions } from "./host-rule.ts";
import { checkOrigin, checkOrigins, type OriginOptions } from "./origin-rule.ts";
import { headersSize, headerValues } from "./raw-headers.ts";
import { quote, type Refusal, refuse } from "./refusal.ts";
import type { RequestHead } from "./request-head.ts";
import { requestUrl, type RequestUrl } from "./request-url.ts";
import type { RouteTable, ServiceMatch } from "./route-table.ts";
import type { Route } from "./routes.ts";
import { negotiateProtocol, windsockProtocol } from "./sub-protocol.ts";

export interface AdmissionOptions extends HostOptions, OriginOptions {
  /** Open connections. Beyond: 503 with `Retry-After`. @default 20000 */
  readonly maxConnections: number;
  /** Open connections of one `addressBlock`. Beyond: 429 with `Retry-After`. @default 1000 */
  readonly maxConnectionsPerAddress: number;
  /** The request's target, in bytes. Beyond: 414. @default 4096 */
  readonly maxUrlBytes: number;
  /** Header fields. Beyond: 431. @default 100 */
  readonly maxHeaders: number;
  /** All header fields together, in bytes. Beyond: 431. @default 16384 */
  readonly maxHeaderBytes: number;
  /** What a client is told to wait that comes at a full or a stopping server. @default 5 */
  readonly retryAfterSeconds: number;
}

const defaultAdmissionOptions: AdmissionOptions = Object.freeze({
  host: "localhost",
  allowedHosts: [],
  origins: [],
  maxConnections: defaultLimits.maxConnections,
  maxConnectionsPerAddress: defaultLimits.maxConnectionsPerAddress,
  maxUrlBytes: 4096,
  maxHeaders: 100,
  maxHeaderBytes: 16 * 1024,
  retryAfterSeconds: 5,
});

/** How full the server is when a request comes, that request not counted. */
export interface AdmissionLoad {
  readonly connections: number;
  /** Those of the request's `addressBlock`. */
  readonly connectionsOfAddress: number;
  readonly isDraining: boolean;
}

export interface AdmissionContext {
  readonly routes: RouteTable;
  readonly load: AdmissionLoad;
  readonly options: AdmissionOptions;
  /** The sub-protocols that a service lists. Absent: no service lists any. */
  readonly protocolsOf?: (route: Route) => readonly string[];
}

/**
 * What became of an upgrade. `protocol` is the one to name in the handshake; undefined: none,
 * even where the client offered some. `url` is as the client wrote it, `http:` or `https:`.
 */
export type Admission =
  | {
      readonly type: "admit";
      readonly endpoint: "service";
      readonly match: ServiceMatch;
      readonly url: RequestUrl;
      readonly protocol: string | undefined;
    }
  | {
      readonly type: "admit";
      readonly endpoint: "multiplex";
      readonly url: RequestUrl;
      readonly protocol: typeof windsockProtocol;
      /** What the URL asks to join as channel 1, below the root; a join of its own judges it. */
      readonly path: string | undefined;
    }
  | Refusal;

/**
 * Decides on an upgrade before anything is spent on it. Pure: it sees no socket and no clock.
 *
 * In order: size, HTTP version, Host, path, the handshake's own fields, Origin, draining,
 * connection counts, sub-protocol. The first that fails answers.
 */
export function admit(head: RequestHead, context: AdmissionContext): Admission {
  const { options, routes, load } = context;
  const tooBig = checkSize(head, options);
  if (tooBig !== undefined) return tooBig;
  // RFC 6455, section 4.2.1: HTTP/1.1 or higher. Node itself checks it on plain requests only.
  if (!(Number(head.httpVersion) >= 1.1)) {
    return refuse(400, `Expected HTTP/1.1 for an upgrade, got HTTP/${head.httpVersion}.`);
  }
  const host = checkHost(head, options);
  if (host.type === "refuse") return host;
  const url = requestUrl(head.url, host.origin);
  if (url === undefined) return unreadableUrl(head.url);

  const offers = headerValues(head.rawHeaders, "sec-websocket-protocol");
  const match = routes.match(url.pathname);
  // A page cannot read why an upgrade was refused: in this dialect a wrong path is answered in band.
  const path = offers.some(offersWindsock) ? pathBelow(routes.root, url) : undefined;
  if (path === undefined) {
    if (match.type === "bad") return refuse(400, match.reason);
    if (match.type === "none") return nobodyThere(url.pathname, match.hint);
  }

  const refusal =
    checkHandshake(head) ??
    checkOrigin(head.rawHeaders, host.origin, options) ??
    checkLoad(load, options);
  if (refusal !== undefined) return refusal;

  if (match.type === "service") {
    const theirs = context.protocolsOf?.(match.route) ?? [];
    const agreed = negotiateProtocol(
      offers,
      path === undefined ? theirs : [...theirs, windsockProtocol],
    );
    if (agreed.type === "fault") return refuse(400, agreed.sentence);
    if (agreed.protocol !== windsockProtocol)
      return { type: "admit", endpoint: "service", match, url, protocol: agreed.protocol };
  } else {
    const agreed = negotiateProtocol(offers, [windsockProtocol]);
    if (agreed.type === "fault") return refuse(400, agreed.sentence);
    if (agreed.protocol === undefined) {
      return refuse(
        400,
        `Expected the sub-protocol ${windsockProtocol} at ${routes.root}, got none. ` +
          `Use \`connect\` from "windsock/client", or a service's own URL below ${routes.root}/ for plain messages.`,
      );
    }
  }
  return { type: "admit", endpoint: "multiplex", url, protocol: windsockProtocol, path };
}

/** Fills in the defaults, and refuses what could never hold. */
export function admissionOptions(given: Partial<AdmissionOptions> = {}): AdmissionOptions {
  const options = { ...defaultAdmissionOptions, ...given };
  checkOrigins(options.origins);
  if (options.allowedHosts !== "*") {
    if (!Array.isArray(options.allowedHosts))
      throw new OptionError(
        `Expected \`allowedHosts\` to be a list of names (["build.example"]) or "*", got ${JSON.stringify(options.allowedHosts)}.`,
      );
    for (const name of options.allowedHosts) {
      if (/^\.?[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f:.]+\]$/.test(name)) continue;
      throw new OptionError(
        'Expected each of `allowedHosts` to be a name without port ("build.example"), ' +
          `or ".example" for all names below it, got ${quote(name)}.`,
      );
    }
  }
  for (const name of [
    "maxConnections",
    "maxConnectionsPerAddress",
    "maxUrlBytes",
    "maxHeaders",
    "maxHeaderBytes",
    "retryAfterSeconds",
  ] as const) {
    const value: unknown = options[name];
    if (Number.isSafeInteger(value) && Number(value) >= 1) continue;
    throw new OptionError(
      `Expected \`${name}\` to be an integer of at least 1, got ${JSON.stringify(value)} (${typeof value}).`,
    );
  }
  return Object.freeze(options);
}

/** The answer where no service is. It tells how to make one, never which ones there are. */
export function nobodyThere(pathname: string, hint?: string): Refusal {
  const todo =
    hint === undefined
      ? "Check the name; the command `windsock routes` lists the services there are."
      : `It is at ${hint}, without the last slash.`;
  return refuse(404, `Expected the path of a service, got ${quote(pathname)}. ${todo}`);
}

export function unreadableUrl(target: string): Refusal {
  return refuse(
    400,
    `Expected a path without "..", "." and "\\" for the request's target, got ${quote(target)}.`,
  );
}

/** What follows the root in a URL, query included. */
function pathBelow(root: string, { href, pathname }: RequestUrl): string | undefined {
  if (!pathname.startsWith(`${root}/`)) return undefined;
  return href.slice(href.indexOf(pathname, href.indexOf("//") + 2) + root.length + 1);
}

function offersWindsock(value: string): boolean {
  return (
    value === windsockProtocol || value.split(",").some((each) => each.trim() === windsockProtocol)
  );
}

function checkSize(head: RequestHead, options: AdmissionOptions): Refusal | undefined {
  if (head.url.length > options.maxUrlBytes) {
    const sentence = `Expected a target of at most ${options.maxUrlBytes} bytes, got ${head.url.length}.`;
    return refuse(414, `${sentence} Send what is long as the first message.`);
  }
  const { fields, bytes } = headersSize(head.rawHeaders);
  if (fields > options.maxHeaders) {
    const sentence = `Expected at most ${options.maxHeaders} header fields, got ${fields}.`;
    return refuse(431, `${sentence} Send fewer.`);
  }
  if (bytes > options.maxHeaderBytes) {
    const sentence = `Expected header fields of at most ${options.maxHeaderBytes} bytes, got ${bytes}.`;
    return refuse(431, `${sentence} Large cookies are the usual cause.`);
  }
  return undefined;
}

function checkLoad(load: AdmissionLoad, options: AdmissionOptions): Refusal | undefined {
  const { maxConnections, maxConnectionsPerAddress, retryAfterSeconds } = options;
  const isFull = load.connections >= maxConnections;
  const isOfMany = load.connectionsOfAddress >= maxConnectionsPerAddress;
  if (!load.isDraining && !isFull && !isOfMany) return undefined;
  const later = `Come back in ${retryAfterSeconds} s.`;
  const headers = { "Retry-After": String(retryAfterSeconds) };
  if (load.isDraining)
    return refuse(503, `The server is stopping and takes nobody new. ${later}`, headers);
  if (isFull) return refuse(503, `The server is full (\`maxConnections\`). ${later}`, headers);
  const limit = `${maxConnectionsPerAddress} connections`;
  const sentence = `Expected at most ${limit} from one address (\`maxConnectionsPerAddress\`), got one more.`;
  return refuse(429, `${sentence} Close some, or come back in ${retryAfterSeconds} s.`, headers);
}
