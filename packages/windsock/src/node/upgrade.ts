import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type Server as HandshakeServer } from "ws";
import type { Edge } from "../edge/edge.ts";
import { addressBlock } from "../gateway/address-block.ts";
import { admit, type AdmissionOptions } from "../gateway/admission.ts";
import { refusalBytes, refuse, type Refusal } from "../gateway/refusal.ts";
import { requestHead } from "../gateway/request-head.ts";
import type { ServiceMatch, RouteTable } from "../gateway/route-table.ts";
import { windsockProtocol } from "../gateway/sub-protocol.ts";
import { fitCloseReason } from "../protocol/close-code.ts";
import type { Limits } from "../protocol/limits.ts";
import type { RequestData } from "../protocol/port.ts";
import type { ErasedDefinition } from "../service/define-service.ts";
import type { Report } from "../service/report.ts";
import type { Authorization } from "./authorization.ts";
import { Connections, type AddressCount } from "./connections.ts";
import { HeaderPool } from "./header-pool.ts";
import { newSessionId, readSession, sessionCookie } from "./session-cookie.ts";
import { WsTransport } from "./ws-transport.ts";

export interface UpgradeOptions {
  readonly routes: RouteTable;
  readonly edge: Edge;
  readonly authorization: Authorization;
  readonly definitionOf: (name: string) => ErasedDefinition | undefined;
  readonly admission: AdmissionOptions;
  readonly base: string;
  readonly sessionSecret: readonly string[];
  readonly limits: Limits;
  readonly report: (report: Report) => void;
}

/** How much longer than `maxPayloadBytes` a message of `windsock.v1` may be before it ends the socket. */
const payloadSlack = 16;
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
  readonly #sessions: HandshakeServer<typeof WsTransport>;
  readonly #connections = new Connections();
  readonly #headers = new HeaderPool();
  #pending = 0;
  /** Refuse those that wait for `authorize`: at most `maxPendingUpgrades`. */

  constructor(options: UpgradeOptions) {
    this.#options = options;
    const { maxPayloadBytes } = options.limits;
    this.#server = this.#createServer(maxPayloadBytes);
    // Beyond the limit of a message there is an answer in band; only what is far beyond ends the socket.
    this.#sessions = this.#createServer(maxPayloadBytes * payloadSlack);
  }

  #createServer(maxPayload: number): HandshakeServer<typeof WsTransport> {
    const parts = Math.max(minParts, Math.ceil(maxPayload / bytesPerPart));
    // Newer than the type declarations of `ws`.
    const newer: object = {
      closeTimeout: this.#options.limits.closeTimeoutMs,
      maxFragments: parts,
      maxBufferedChunks: parts,
    };
    const server = new WebSocketServer({
      ...newer,
      noServer: true,
      WebSocket: WsTransport,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload,
      handleProtocols: (_offered, request) => this.#agreed.get(request)?.protocol ?? false,
    });
    server.on("headers", (headers, request) => {
      const cookie = this.#agreed.get(request)?.setCookie;
      if (cookie !== undefined) headers.push(`Set-Cookie: ${cookie}`);
    });
    return server;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From here on nobody is let in; who waits for `authorize` is told so now. */
  drain(): void {
    this.#isDraining = true;
    const sentence = "The server is stopping and takes nobody new. Come back in 5 s.";
    const refusal = refuse(503, sentence, { "Retry-After": "5" });
    this.#options.authorization.refuseWaiting(refusal);
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
      if (decision.endpoint === "multiplex") {
        // Each of its joins is authorized by itself.
        isUp = this.#openSession(request, socket, head, data, of);
        return undefined;
      }
      const admitted = await this.#options.authorization.authorize(decision.match, data);
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

  /** A place in the mailbox. */
  async #join(
    request: IncomingMessage,
    decision: { readonly match: ServiceMatch; readonly protocol: string | undefined },
    data: RequestData,
    user: unknown,
  ): Promise<({ readonly type: "joined"; readonly mid: string } & Agreed) | Refusal> {
    const { edge } = this.#options;
    const { sessionId, setCookie } = this.#session(request);
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

  /** A socket for many services: it has no membership yet. False as for `#complete`. */
  #openSession(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    data: RequestData,
    of: AddressCount,
  ): boolean {
    const { sessionId, setCookie } = this.#session(request);
    this.#agreed.set(request, { protocol: windsockProtocol, setCookie });
    let isUp = false;
    this.#sessions.handleUpgrade(request, socket, head, (transport) => {
      isUp = true;
      socket.off("error", ignore);
      const events = this.#options.edge.openSession(transport, data, sessionId);
      transport.bind(socket, events, this.#connections, of);
    });
    return isUp;
  }

  /** The browser's session, by its cookie, or a new one and the cookie for it. */
  #session(request: IncomingMessage): { sessionId: string; setCookie: string | undefined } {
    const { sessionSecret, base } = this.#options;
    const known = readSession(request.headers.cookie, sessionSecret);
    if (known !== undefined) return { sessionId: known, setCookie: undefined };
    const sessionId = newSessionId();
    return {
      sessionId,
      setCookie: sessionCookie(sessionId, sessionSecret, { secure: isSecure(request), base }),
    };
  }
}

function ignore(): void {}

export function isSecure(request: IncomingMessage): boolean {
  return "encrypted" in request.socket && request.socket.encrypted === true;
}
