import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { serialize } from "node:v8";
import { WebSocketServer, type Server as HandshakeServer } from "ws";
import { settleWithin, type Clock } from "../actor/clock.ts";
import type { Edge } from "../edge/edge.ts";
import { OptionError, WindsockError } from "../errors.ts";
import { addressBlock } from "../gateway/address-block.ts";
import { admit, type AdmissionOptions } from "../gateway/admission.ts";
import { refusalBytes, refuse, type Refusal } from "../gateway/refusal.ts";
import { requestHead } from "../gateway/request-head.ts";
import type { ServiceMatch, RouteTable } from "../gateway/route-table.ts";
import { fitCloseReason } from "../protocol/close-code.ts";
import type { Limits } from "../protocol/limits.ts";
import type { RequestData } from "../protocol/port.ts";
import type { ErasedDefinition } from "../service/define-service.ts";
import type { Report } from "../service/report.ts";
import { check } from "../service/schema.ts";
import { upgradeRequestOf } from "../service/upgrade-request.ts";
import { Connections, type AddressCount } from "./connections.ts";
import { HeaderPool } from "./header-pool.ts";
import { newSessionId, readSession, sessionCookie } from "./session-cookie.ts";
import { WsTransport } from "./ws-transport.ts";

export interface UpgradeOptions {
  readonly routes: RouteTable;
  readonly edge: Edge;
  readonly definitionOf: (name: string) => ErasedDefinition | undefined;
  readonly admission: AdmissionOptions;
  readonly base: string;
  readonly sessionSecret: readonly string[];
  readonly limits: Limits;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
}

/** A message may come in so many fragments or packets, and in more only if they are of some size: each costs memory of its own. */
const minParts = 1024;
const bytesPerPart = 64;

/** What the handshake needs to know of an upgrade that was let in. */
interface Agreed {
  readonly protocol: string | undefined;
  readonly setCookie: string | undefined;
}

/**
 * From an upgrade request to a membership: admission, key, `authorize`, a place in the
 * mailbox, handshake. Each may refuse, with a sentence, before the next costs anything.
 */
export class Upgrades {
  #isDraining = false;
  readonly #options: UpgradeOptions;
  readonly #agreed = new WeakMap<IncomingMessage, Agreed>();
  readonly #server: HandshakeServer<typeof WsTransport>;
  readonly #connections = new Connections();
  readonly #headers = new HeaderPool();
  #pending = 0;
  /** Refuse those that wait for `authorize`: at most `maxPendingUpgrades`. */
  readonly #refuseWaiting = new Set<(refusal: Refusal) => void>();

  constructor(options: UpgradeOptions) {
    this.#options = options;
    const { maxPayloadBytes, closeTimeoutMs } = options.limits;
    const parts = Math.max(minParts, Math.ceil(maxPayloadBytes / bytesPerPart));
    // Newer than the type declarations of `ws`.
    const newer: object = {
      closeTimeout: closeTimeoutMs,
      maxFragments: parts,
      maxBufferedChunks: parts,
    };
    this.#server = new WebSocketServer({
      ...newer,
      noServer: true,
      WebSocket: WsTransport,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxPayloadBytes,
      handleProtocols: (_offered, request) => this.#agreed.get(request)?.protocol ?? false,
    });
    this.#server.on("headers", (headers, request) => {
      const cookie = this.#agreed.get(request)?.setCookie;
      if (cookie !== undefined) headers.push(`Set-Cookie: ${cookie}`);
    });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From here on nobody is let in; who waits for `authorize` is told so now. */
  drain(): void {
    this.#isDraining = true;
    const sentence = "The server is stopping and takes nobody new. Come back in 5 s.";
    const refusal = refuse(503, sentence, { "Retry-After": "5" });
    for (const refuseOne of this.#refuseWaiting) refuseOne(refusal);
  }

  /** Takes over the socket. Never rejects. */
  async handle(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Without a listener, a reset while we wait would end the process.
    socket.on("error", ignore);
    const address = addressBlock(request.socket.remoteAddress ?? "");
    const refusal = await this.#admit(request, socket, head, address).catch((error: unknown) => {
      this.#options.report({ type: "failure", where: "an upgrade", error });
      return refuse(
        500,
        "Expected to open a connection, got an error that the server has reported. Try again later.",
      );
    });
    if (refusal !== undefined && !socket.destroyed)
      socket.end(refusalBytes(refusal), () => socket.destroy());
  }

  async #admit(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    address: string,
  ): Promise<Refusal | undefined> {
    const { routes, limits, admission, definitionOf } = this.#options;
    const decision = admit(requestHead(request), {
      routes,
      load: {
        connections: this.#connections.count,
        connectionsOfAddress: this.#connections.countOf(address),
        isDraining: this.#isDraining,
      },
      options: admission,
      protocolsOf: (route) => definitionOf(route.name)?.protocols ?? [],
    });
    if (decision.type === "refuse") return decision;
    const definition =
      decision.endpoint === "service" ? definitionOf(decision.match.route.name) : undefined;
    if (decision.endpoint !== "service" || definition === undefined) {
      return refuse(
        404,
        `Expected a service's own URL below ${routes.root}/, got ${routes.root} itself.`,
      );
    }
    if (this.#pending >= limits.maxPendingUpgrades) {
      return refuse(
        503,
        `Expected at most ${limits.maxPendingUpgrades} upgrades at a time, got one more. Try again in a second.`,
        { "Retry-After": "1" },
      );
    }
    const of = this.#connections.open(address);
    let isUp = false;
    this.#pending += 1;
    try {
      const data: RequestData = {
        url: this.#headers.share(decision.url.href),
        rawHeaders: this.#headers.headers(request.rawHeaders),
        remoteAddress: this.#headers.share(request.socket.remoteAddress ?? ""),
      };
      const admitted = await this.#authorizeInTime(definition, decision.match, data);
      if (admitted.type === "refuse") return admitted;
      if (socket.destroyed) return undefined;
      const joined = await this.#join(request, decision, data, admitted.user);
      if (joined.type === "refuse") return joined;
      isUp = this.#complete(request, socket, head, joined, of);
      return undefined;
    } finally {
      this.#pending -= 1;
      if (!isUp) this.#connections.close(of);
    }
  }

  /** `authorize`, for at most what is left of a handshake's time. */
  async #authorizeInTime(
    definition: ErasedDefinition,
    match: ServiceMatch,
    data: RequestData,
  ): Promise<{ type: "user"; user: unknown } | Refusal> {
    if (definition.authorize === undefined && definition.key === undefined)
      return { type: "user", user: undefined };
    const { clock, report } = this.#options;
    const { handshakeTimeoutMs: ms } = this.#options.limits;
    const late = new WindsockError(
      `Expected \`authorize\` of ${match.route.name} to settle within ${ms} ms (\`limits.handshakeTimeoutMs\`), got nothing.`,
    );
    const { promise: refused, resolve: refuseNow } = Promise.withResolvers<Refusal>();
    this.#refuseWaiting.add(refuseNow);
    const decided = Promise.race([this.#authorize(definition, match, data), refused]);
    try {
      return await settleWithin(decided, ms, clock, () => late);
    } catch (error) {
      if (error !== late) throw error;
      report({ type: "failure", where: `authorize of ${match.route.name}`, error });
      const sentence = `Expected to know within ${ms} ms whether you may connect, got no answer.`;
      return refuse(504, `${sentence} Try again later.`, { "Retry-After": "5" });
    } finally {
      this.#refuseWaiting.delete(refuseNow);
    }
  }

  /** Checks the key, then who it is. */
  async #authorize(
    definition: ErasedDefinition,
    match: ServiceMatch,
    data: RequestData,
  ): Promise<{ type: "user"; user: unknown } | Refusal> {
    if (definition.key !== undefined) {
      const checked = await check(definition.key, match.params);
      if (!checked.ok)
        return refuse(404, `Expected a key that fits ${match.route.name}: ${checked.message}.`);
    }
    if (definition.authorize === undefined) return { type: "user", user: undefined };
    const user: unknown = await definition.authorize(upgradeRequestOf(data));
    if (user instanceof Response) return refusalOf(user);
    const { maxUserBytes } = this.#options.limits;
    let bytes: number;
    try {
      bytes = serialize(user).byteLength;
    } catch (error) {
      throw new OptionError(
        `Expected what \`authorize\` of ${match.route.name} returns to be data that structured clone can copy, got ${String(error)}.`,
        { cause: error },
      );
    }
    if (bytes > maxUserBytes) {
      throw new OptionError(
        `Expected what \`authorize\` of ${match.route.name} returns to take at most ${maxUserBytes} bytes (\`maxUserBytes\`), got ${bytes}. Keep an id, and look the rest up.`,
      );
    }
    return { type: "user", user: structuredClone(user) };
  }

  /** A place in the mailbox. */
  async #join(
    request: IncomingMessage,
    decision: { readonly match: ServiceMatch; readonly protocol: string | undefined },
    data: RequestData,
    user: unknown,
  ): Promise<({ readonly type: "joined"; readonly mid: string } & Agreed) | Refusal> {
    const { edge, sessionSecret, base } = this.#options;
    const known = readSession(request.headers.cookie, sessionSecret);
    const sessionId = known ?? newSessionId();
    const setCookie =
      known === undefined
        ? sessionCookie(sessionId, sessionSecret, { secure: isSecure(request), base })
        : undefined;
    const mid = randomUUID();
    const answer = await edge.join({
      mid,
      address: decision.match.address,
      sessionId,
      protocol: decision.protocol ?? "",
      request: data,
      user,
    });
    if (answer.type === "admitted")
      return { type: "joined", mid, protocol: decision.protocol, setCookie };
    const headers: Record<string, string> =
      answer.retryAfterMs > 0
        ? { "Retry-After": String(Math.ceil(answer.retryAfterMs / 1000)) }
        : {};
    return refuse(
      answer.status,
      `Expected a service that takes clients: ${fitCloseReason(answer.reason)}.`,
      headers,
    );
  }

  /** The handshake's answer. False: the socket is gone, or `ws` found a fault of its own and has answered it. */
  #complete(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    joined: { readonly mid: string } & Agreed,
    of: AddressCount,
  ): boolean {
    const { edge } = this.#options;
    let isUp = false;
    if (!socket.destroyed) {
      this.#agreed.set(request, joined);
      this.#server.handleUpgrade(request, socket, head, (transport) => {
        isUp = true;
        socket.off("error", ignore);
        const events = edge.attach(joined.mid, transport);
        if (events !== undefined) transport.bind(socket, events, this.#connections, of);
      });
    }
    if (!isUp) edge.abandon(joined.mid);
    return isUp;
  }
}

function ignore(): void {}

export function isSecure(request: IncomingMessage): boolean {
  return "encrypted" in request.socket && request.socket.encrypted === true;
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
