import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../actor/clock.ts";
import type { Edge, JoinAnswer } from "../edge/edge.ts";
import type { TransportEvents } from "../edge/transport.ts";
import { addressBlock } from "../gateway/address-block.ts";
import { admit, type Admission, type AdmissionOptions } from "../gateway/admission.ts";
import { negotiateDeflate } from "../gateway/deflate-offer.ts";
import { handshakeAnswer, type Agreed } from "../gateway/handshake-answer.ts";
import { headerText } from "../gateway/raw-headers.ts";
import { refusalBytes, refuse, type Refusal } from "../gateway/refusal.ts";
import type { RequestHead } from "../gateway/request-head.ts";
import type { RouteTable } from "../gateway/route-table.ts";
import { windsockProtocol } from "../gateway/sub-protocol.ts";
import { fitCloseReason } from "../protocol/close-code.ts";
import type { Limits } from "../protocol/limits.ts";
import type { RequestData } from "../protocol/port.ts";
import type { ErasedDefinition } from "../service/definition.ts";
import type { Report } from "../service/report.ts";
import type { Authorization, Authorized } from "./authorization.ts";
import { Connections, type AddressCount } from "./connections.ts";
import { inflate } from "./deflate.ts";
import type { DecoderLimits } from "./frame-decoder.ts";
import { HeaderPool } from "./header-pool.ts";
import { newSessionId, SessionCookies } from "./session-cookie.ts";
import { abandon } from "./socket-owner.ts";
import { SocketTransport, type TransportShare } from "./socket-transport.ts";
import { TimeoutQueue } from "./timeout-queue.ts";

export interface UpgradeOptions {
  readonly routes: RouteTable;
  readonly edge: Edge;
  readonly authorization: Authorization;
  readonly definitionOf: (name: string) => ErasedDefinition | undefined;
  readonly admission: AdmissionOptions;
  readonly base: string;
  readonly sessionSecret: readonly string[];
  readonly limits: Limits;
  /** Whether compression is agreed on with clients that offer it. */
  readonly compresses: boolean;
  readonly clock: Clock;
  readonly report: (report: Report) => void;
}

/** How much longer than `maxPayloadBytes` a message of `windsock.v1` may be before it ends the socket. */
const payloadSlack = 16;
/** The same for a compressed message: a thousand bytes may stand for a million, and cost as much time. */
const inflatedPayloadSlack = 2;
/** A message may come in so many fragments, and in more only if they are of some size (ADR 0021). */
const minFragments = 1024;
const bytesPerFragment = 64;

/** A request that asks for a WebSocket, whoever has read it. */
export interface UpgradeRequest extends RequestHead {
  /** The header fields as they may be kept. Absent: they are to be made from all. */
  readonly kept?: readonly string[];
}

interface Upgrade {
  readonly request: UpgradeRequest;
  readonly socket: Duplex;
  readonly rest: Buffer;
  readonly data: RequestData;
  readonly of: AddressCount;
  /** The compression that was agreed on. */
  readonly extensions: string | undefined;
}

/** What connections have in common, with compression or without. */
interface Shares {
  readonly usual: TransportShare;
  readonly deflated: TransportShare;
}

/** `gone`: the socket is. */
type Outcome = Refusal | { readonly type: "up" } | { readonly type: "gone" };

const up: Outcome = Object.freeze({ type: "up" });
const gone: Outcome = Object.freeze({ type: "gone" });

type ServiceAdmission = Extract<Admission, { endpoint: "service" }>;

/**
 * From an upgrade request to a membership: admission, key, `authorize`, a place in the
 * mailbox, handshake. Each may refuse, with a sentence, before the next costs anything.
 *
 * Where nobody has to be waited for, all of it is done within the event of the HTTP server:
 * promises and what they keep were a third of what a connection costs.
 */
export class Upgrades {
  #isDraining = false;
  readonly #options: UpgradeOptions;
  /** For the sockets of one service, and for those of many. */
  readonly #plain: Shares;
  readonly #sessions: Shares;
  readonly #connections = new Connections();
  readonly #closeTimeouts: TimeoutQueue<SocketTransport>;
  readonly #headers = new HeaderPool();
  readonly #cookies: SessionCookies;
  /** Those that wait for `authorize`, or for a place: at most `maxPendingUpgrades`. */
  #pending = 0;

  constructor(options: UpgradeOptions) {
    this.#options = options;
    this.#cookies = new SessionCookies(options.sessionSecret, options.base);
    const { maxPayloadBytes, closeTimeoutMs } = options.limits;
    const closeTimeouts = new TimeoutQueue<SocketTransport>(
      options.clock,
      closeTimeoutMs,
      (transport) => transport.destroy(),
    );
    this.#closeTimeouts = closeTimeouts;
    const sharesOf = (maxBytes: number, maxInflatedBytes: number): Shares => {
      const share = { connections: this.#connections, closeTimeouts };
      const limits = decoderLimits(maxBytes);
      return {
        usual: { ...share, limits },
        deflated: {
          ...share,
          limits: Object.freeze({ ...limits, inflation: { maxBytes: maxInflatedBytes, inflate } }),
        },
      };
    };
    this.#plain = sharesOf(maxPayloadBytes, maxPayloadBytes);
    // Beyond the limit of a message there is an answer in band; only what is far beyond ends the socket.
    this.#sessions = sharesOf(
      maxPayloadBytes * payloadSlack,
      maxPayloadBytes * inflatedPayloadSlack,
    );
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

  /** All sockets have been ended. */
  stop(): void {
    this.#closeTimeouts.stop();
  }

  /** Takes over the socket. `rest`: what was read of it behind the head. Never throws. */
  handle(request: UpgradeRequest, socket: Duplex, rest: Buffer): void {
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = this.#admit(request, socket, rest);
    } catch (error) {
      outcome = this.#failed(error);
    }
    if (outcome === up) return;
    abandon(socket);
    if (!(outcome instanceof Promise)) {
      answer(socket, outcome);
      return;
    }
    // What comes meanwhile waits in the socket.
    socket.pause();
    void outcome
      .catch((error: unknown) => this.#failed(error))
      .then((settled) => answer(socket, settled));
  }

  #failed(error: unknown): Refusal {
    this.#options.report({ type: "failure", where: "an upgrade", error });
    return refuse(
      500,
      "Expected to open a connection, got an error that the server has reported. Try again later.",
    );
  }

  #admit(request: UpgradeRequest, socket: Duplex, rest: Buffer): Outcome | Promise<Outcome> {
    const { routes, limits, admission, definitionOf } = this.#options;
    const remoteAddress = (socket instanceof Socket ? socket.remoteAddress : undefined) ?? "";
    const address = addressBlock(remoteAddress);
    const decision = admit(request, {
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
    const deflate = this.#options.compresses
      ? negotiateDeflate(headerText(request.rawHeaders, "sec-websocket-extensions"))
      : undefined;
    if (deflate?.type === "fault") return refuse(400, deflate.sentence);
    const data: RequestData = {
      url: this.#headers.share(decision.url.href),
      rawHeaders: request.kept ?? this.#headers.headers(request.rawHeaders),
      remoteAddress: this.#headers.share(remoteAddress),
    };
    const of = this.#connections.open(address);
    const upgrade: Upgrade = { request, socket, rest, data, of, extensions: deflate?.answer };
    let outcome: Outcome | Promise<Outcome>;
    try {
      // Each join of a session is authorized by itself.
      outcome =
        decision.endpoint === "multiplex"
          ? this.#openSession(upgrade, decision.path)
          : this.#authorize(upgrade, decision);
    } catch (error) {
      this.#connections.close(of);
      throw error;
    }
    if (outcome instanceof Promise) return this.#later(outcome, of);
    if (outcome !== up) this.#connections.close(of);
    return outcome;
  }

  /** Counts an upgrade that waits. */
  async #later(waiting: Promise<Outcome>, of: AddressCount): Promise<Outcome> {
    let outcome: Outcome = gone;
    this.#pending += 1;
    try {
      outcome = await waiting;
      return outcome;
    } finally {
      this.#pending -= 1;
      if (outcome !== up) this.#connections.close(of);
    }
  }

  #authorize(upgrade: Upgrade, admission: ServiceAdmission): Outcome | Promise<Outcome> {
    const authorized = this.#options.authorization.authorize(admission.match, upgrade.data);
    return authorized instanceof Promise
      ? authorized.then((settled) => this.#join(upgrade, admission, settled))
      : this.#join(upgrade, admission, authorized);
  }

  /** A place in the mailbox. */
  #join(
    upgrade: Upgrade,
    { match, protocol }: ServiceAdmission,
    authorized: Authorized,
  ): Outcome | Promise<Outcome> {
    if (authorized.type === "refuse") return authorized;
    if (upgrade.socket.destroyed) return gone;
    const { sessionId, setCookie } = this.#session(upgrade.request);
    const mid = randomUUID();
    const joined = this.#options.edge.join({
      mid,
      address: match.address,
      sessionId,
      protocol: protocol ?? "",
      request: upgrade.data,
      user: authorized.user,
      isDeflated: upgrade.extensions !== undefined,
    });
    const agreed: Agreed = { protocol, extensions: upgrade.extensions, setCookie };
    return joined instanceof Promise
      ? joined.then((settled) => this.#complete(upgrade, mid, agreed, settled))
      : this.#complete(upgrade, mid, agreed, joined);
  }

  /** The handshake's answer. */
  #complete(upgrade: Upgrade, mid: string, agreed: Agreed, joined: JoinAnswer): Outcome {
    if (joined.type === "refused") {
      const headers: Record<string, string> =
        joined.retryAfterMs > 0
          ? { "Retry-After": String(Math.ceil(joined.retryAfterMs / 1000)) }
          : {};
      return refuse(
        joined.status,
        `Expected a service that takes clients: ${fitCloseReason(joined.reason)}.`,
        headers,
      );
    }
    const { edge } = this.#options;
    const outcome = upgrade.socket.destroyed
      ? gone
      : this.#handshake(this.#plain, upgrade, agreed, (transport) => edge.attach(mid, transport));
    if (outcome !== up) edge.abandon(mid);
    return outcome;
  }

  /** A socket for many services: the first may be joined along with it. */
  #openSession(upgrade: Upgrade, path: string | undefined): Outcome {
    const { sessionId, setCookie } = this.#session(upgrade.request);
    return this.#handshake(
      this.#sessions,
      upgrade,
      { protocol: windsockProtocol, extensions: upgrade.extensions, setCookie },
      (transport) => this.#options.edge.openSession(transport, upgrade.data, sessionId, path),
      path !== undefined,
    );
  }

  /**
   * `open` gives whom the events of the connection go to; undefined: there is nobody any more.
   * `isJoining`: frames may follow the answer at once.
   */
  #handshake(
    shares: Shares,
    { request, socket, rest, of }: Upgrade,
    agreed: Agreed,
    open: (transport: SocketTransport) => TransportEvents | undefined,
    isJoining = false,
  ): Outcome {
    // It has ended its side already: nobody waits for an answer.
    if (!socket.readable || !socket.writable) {
      socket.destroy();
      return gone;
    }
    if (socket instanceof Socket) {
      // Of an HTTP server that others have made.
      if ((socket.timeout ?? 0) > 0) socket.setTimeout(0);
      socket.setNoDelay(true);
    }
    const share = agreed.extensions === undefined ? shares.usual : shares.deflated;
    const transport = new SocketTransport(socket, share);
    transport.answer(handshakeAnswer(request.rawHeaders, agreed), isJoining);
    const events = open(transport);
    if (events === undefined) {
      transport.destroy();
      return gone;
    }
    transport.bind(events, of, rest);
    return up;
  }

  /** The browser's session, by its cookie, or a new one and the cookie for it. */
  #session({ rawHeaders, secure }: UpgradeRequest): {
    sessionId: string;
    setCookie: string | undefined;
  } {
    const known = this.#cookies.read(headerText(rawHeaders, "cookie", "; "));
    if (known !== undefined) return { sessionId: known, setCookie: undefined };
    const sessionId = newSessionId();
    return { sessionId, setCookie: this.#cookies.write(sessionId, secure) };
  }
}

function decoderLimits(maxPayloadBytes: number): DecoderLimits {
  const maxFragments = Math.max(minFragments, Math.ceil(maxPayloadBytes / bytesPerFragment));
  return Object.freeze({ maxPayloadBytes, maxFragments });
}

/** Tells a socket what became of its upgrade. */
function answer(socket: Duplex, outcome: Outcome): void {
  if (outcome.type === "refuse" && !socket.destroyed)
    socket.end(refusalBytes(outcome), () => socket.destroy());
}
