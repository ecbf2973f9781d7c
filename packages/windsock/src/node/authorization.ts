import { serialize } from "node:v8";
import { settleWithin, type Clock } from "../actor/clock.ts";
import type { ChannelAdmission } from "../edge/session-host.ts";
import { OptionError, WindsockError } from "../errors.ts";
import { refuse, type Refusal } from "../gateway/refusal.ts";
import type { RouteTable, ServiceMatch } from "../gateway/route-table.ts";
import type { Limits } from "../protocol/limits.ts";
import type { RequestData } from "../protocol/port.ts";
import type { ErasedDefinition } from "../service/definition.ts";
import type { Report } from "../service/report.ts";
import { check } from "../service/schema.ts";
import { upgradeRequestOf } from "../service/upgrade-request.ts";

export interface AuthorizationOptions {
  readonly routes: RouteTable;
  readonly definitionOf: (name: string) => ErasedDefinition | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
}

/** Whom a service has let in as, or why not. */
export type Authorized = { readonly type: "user"; readonly user: unknown } | Refusal;

const anybody: Authorized = Object.freeze({ type: "user", user: undefined });

/** Who a client is: the service's own `authorize`, its key first, and what may come of it. */
export class Authorization {
  readonly #options: AuthorizationOptions;
  readonly #waiting = new Set<(refusal: Refusal) => void>();

  constructor(options: AuthorizationOptions) {
    this.#options = options;
  }

  /** For at most what is left of a handshake's time. Rejects when `authorize` throws, or gives what cannot be a user. */
  authorize(match: ServiceMatch, data: RequestData): Authorized | Promise<Authorized> {
    const definition = this.#options.definitionOf(match.route.name);
    // Without a promise: most services let everybody in, and an upgrade then takes no turn.
    if (definition?.authorize === undefined && definition?.key === undefined) return anybody;
    return this.#authorizeInTime(match, data);
  }

  async #authorizeInTime(match: ServiceMatch, data: RequestData): Promise<Authorized> {
    const { clock, report } = this.#options;
    const { handshakeTimeoutMs: ms } = this.#options.limits;
    const late = new WindsockError(
      `Expected \`authorize\` of ${match.route.name} to settle within ${ms} ms (\`limits.handshakeTimeoutMs\`), got nothing.`,
    );
    const { promise: refused, resolve: refuseNow } = Promise.withResolvers<Refusal>();
    this.#waiting.add(refuseNow);
    const decided = Promise.race([this.#authorize(match, data), refused]);
    try {
      return await settleWithin(decided, ms, clock, () => late);
    } catch (error) {
      if (error !== late) throw error;
      report({ type: "failure", where: `authorize of ${match.route.name}`, error });
      const sentence = `Expected to know within ${ms} ms whether you may connect, got no answer.`;
      return refuse(504, `${sentence} Try again later.`, { "Retry-After": "5" });
    } finally {
      this.#waiting.delete(refuseNow);
    }
  }

  /** Who waits for `authorize` is refused now. */
  refuseWaiting(refusal: Refusal): void {
    for (const refuseOne of this.#waiting) refuseOne(refusal);
  }

  /**
   * The same for a join over a socket of `windsock.v1`: the upgrade's headers, and the path
   * that it names. Never rejects.
   */
  admitChannel(
    upgrade: RequestData,
    path: string,
    auth: unknown,
  ): ChannelAdmission | Promise<ChannelAdmission> {
    const { routes } = this.#options;
    const address = `${routes.root}/${path}`;
    const url = hrefOf(upgrade.url, address);
    if (url === undefined)
      return refused(
        "bad_join",
        `Expected the path of a service below ${routes.root}/, percent-encoded, got ${JSON.stringify(path.slice(0, 100))}.`,
        400,
      );
    const [pathname = ""] = address.split("?", 1);
    const match = routes.match(pathname);
    if (match.type === "bad") return refused("bad_join", match.reason, 400);
    if (match.type !== "service")
      return refused(
        "not_found",
        `Expected the path of a service, got ${JSON.stringify(path.slice(0, 100))}. ${whatToDo(path)}`,
        404,
      );
    const request: RequestData = { ...upgrade, url, ...(auth === undefined ? {} : { auth }) };
    const answer = this.authorize(match, request);
    return answer instanceof Promise
      ? this.#admitLater(match, request, answer)
      : admissionOf(match, request, answer);
  }

  async #admitLater(
    match: ServiceMatch,
    request: RequestData,
    answer: Promise<Authorized>,
  ): Promise<ChannelAdmission> {
    try {
      return admissionOf(match, request, await answer);
    } catch (error) {
      this.#options.report({ type: "failure", where: `authorize of ${match.route.name}`, error });
      return refused(
        "refused",
        "Expected to be let in or not, got an error that the server has reported.",
        500,
      );
    }
  }

  async #authorize(match: ServiceMatch, data: RequestData): Promise<Authorized> {
    const { name } = match.route;
    const definition = this.#options.definitionOf(name);
    if (definition?.key !== undefined) {
      const checked = await check(definition.key, match.params);
      if (!checked.ok) return refuse(404, `Expected a key that fits ${name}: ${checked.message}.`);
    }
    if (definition?.authorize === undefined) return { type: "user", user: undefined };
    const user: unknown = await definition.authorize(upgradeRequestOf(data));
    if (user instanceof Response) return refusalOf(user);
    const { maxUserBytes } = this.#options.limits;
    let bytes: number;
    try {
      bytes = serialize(user).byteLength;
    } catch (error) {
      throw new OptionError(
        `Expected what \`authorize\` of ${name} returns to be data that structured clone can copy, got ${String(error)}.`,
        { cause: error },
      );
    }
    if (bytes > maxUserBytes) {
      throw new OptionError(
        `Expected what \`authorize\` of ${name} returns to take at most ${maxUserBytes} bytes (\`maxUserBytes\`), got ${bytes}. Keep an id, and look the rest up.`,
      );
    }
    return { type: "user", user: structuredClone(user) };
  }
}

/** A path that the URL parser leaves as it is: most are. */
const usualPath = /^[A-Za-z0-9_/-]+$/;

/**
 * The URL of an address on the host that the upgrade went to. Undefined: what the URL parser
 * would resolve (`..`) or cut off (`#`) is no service's path.
 */
function hrefOf(upgradeUrl: string, address: string): string | undefined {
  // As the URL parser gave it: the third slash ends its origin.
  const origin = upgradeUrl.slice(0, upgradeUrl.indexOf("/", upgradeUrl.indexOf("//") + 2));
  const href = origin + address;
  if (usualPath.test(address)) return href;
  if (address.includes("#") || address.includes("\\")) return undefined;
  return URL.parse(href)?.href === href ? href : undefined;
}

function admissionOf(
  { address }: ServiceMatch,
  request: RequestData,
  answer: Authorized,
): ChannelAdmission {
  if (answer.type === "user") return { type: "admit", address, request, user: answer.user };
  const code = answer.status === 404 ? "not_found" : "refused";
  return refused(code, answer.body.trim(), answer.status);
}

/** Most often the URL was taken for the path, or a part of it for the server. */
function whatToDo(path: string): string {
  if (path.startsWith("websocket/"))
    return "Leave `/websocket` out of the `url` of the server; the client adds it.";
  if (path.startsWith("/"))
    return 'Give `connect` what follows `/websocket/` in the URL, such as "status".';
  return "Check the name; the command `windsock routes` lists the services there are.";
}

function refused(
  code: "not_found" | "refused" | "bad_join",
  message: string,
  status: number,
): ChannelAdmission {
  return { type: "refuse", code, message, status };
}

/** The `Response` with which `authorize` refuses, as far as an upgrade can carry it. */
async function refusalOf(response: Response): Promise<Refusal> {
  if (response.status < 300) {
    throw new OptionError(
      `Expected the Response of \`authorize\` to refuse with a status of at least 300, got ${response.status}. To let a client in, return its user.`,
    );
  }
  const body = Buffer.from(await response.arrayBuffer());
  const headers: Record<string, string> = {};
  for (const [name, value] of response.headers)
    if (name !== "content-length" && name !== "connection") headers[name] = value;
  return {
    type: "refuse",
    status: response.status,
    headers: { ...headers, "content-length": String(body.length) },
    body: body.toString("utf8"),
  };
}
