import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { settleWithin } from "../actor/clock.ts";
import { LocalLink } from "../cluster/local-link.ts";
import { Edge } from "../edge/edge.ts";
import { OptionError, WindsockError } from "../errors.ts";
import { addressBook } from "../gateway/address-book.ts";
import { refuse } from "../gateway/refusal.ts";
import { requestHead } from "../gateway/request-head.ts";
import { RouteTable } from "../gateway/route-table.ts";
import { routeFromName, type Route } from "../gateway/routes.ts";
import { SqliteHistory } from "../log/sqlite-history.ts";
import { closeCode } from "../protocol/close-code.ts";
import type { CallOptions } from "../service/calls.ts";
import {
  definitionOf as definitionOfService,
  type ErasedDefinition,
} from "../service/definition.ts";
import type { broadcast, call, info, Target } from "../service/registry.ts";
import { runningHosts } from "../service/running-hosts.ts";
import { ServiceHost, type HostedService, type ServiceInfo } from "../service/service-host.ts";
import type { Client } from "../service/types.ts";
import { describe } from "../service/value.ts";
import { Authorization } from "./authorization.ts";
import { deflateFrom } from "./deflate.ts";
import { Entrances } from "./entrances.ts";
import { FrontDoor } from "./front-door.ts";
import { closeGently, createHttp } from "./http-server.ts";
import {
  resolveOptions,
  type AppHealth,
  type ResolvedOptions,
  type ServerOptions,
} from "./options.ts";
import { answerRequest, nobodyAnswers, sendRefusal } from "./requests.ts";
import { loadServices } from "./service-files.ts";
import { joinHttp, type HttpTenant } from "./shared-http.ts";
import { stopOnSignals } from "./signals.ts";
import { staticFiles } from "./static-files.ts";
import { Upgrades } from "./upgrade.ts";

/** A server that runs. */
export interface Server {
  /** `http://127.0.0.1:8001`, with the port that it really has. */
  readonly url: string;
  readonly port: number;
  /** As the function of the same name, for this server. */
  readonly broadcast: typeof broadcast;
  readonly info: typeof info;
  readonly call: typeof call;
  /** The actors that run. */
  readonly services: () => readonly ServiceInfo[];
  /** The clients of one service or key, in the order of their joins. */
  readonly clients: (target: Target) => readonly Client<never>[];
  /** The routes, specific ones first come first served. */
  readonly routes: () => readonly Route[];
  /**
   * Drains and ends: no new clients, time to move (`drainWindowMs`), mailboxes run empty,
   * `terminate`, clients closed with 1012. After `drainTimeoutMs` what is left is cut, and `timedOut` says so. Idempotent.
   */
  readonly stop: () => Promise<{ readonly timedOut: boolean }>;
  /** Stops at SIGTERM or SIGINT and exits: 0, or 1 if the drain took too long. A second signal exits at once. Gives a function that takes it back. */
  readonly stopOnSignals: () => () => void;
}

/**
 * Starts a server of its own on `host` and `port`.
 *
 * @throws ServiceFileError, RouteError, OptionError when services or options are wrong; ListenError when the port cannot be had
 */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  const resolved = resolveOptions(options);
  const http = createHttp(resolved.limits);
  const wired = await WiredServer.load(resolved, http, true);
  try {
    await wired.open();
  } catch (error) {
    await wired.stop();
    throw error;
  }
  wired.start();
  return wired;
}

/**
 * Puts services on an HTTP server that exists, after its own listeners. Requests and
 * upgrades for paths of theirs are answered; all others go where they went before.
 * Listening and closing stay with its owner. Several may be on one server, by their `base`.
 */
export async function attach(http: HttpServer, options: ServerOptions = {}): Promise<Server> {
  const resolved = resolveOptions(options);
  // Structural: it may be another library's that is one in all but its class.
  if (typeof (http as Partial<HttpServer> | undefined)?.rawListeners !== "function" || isApp(http))
    throw new OptionError(
      `Expected an HTTP server to attach to, got ${describe(http)}. ` +
        "Give what listens: `http.createServer(app)` or what `app.listen()` returns, of Fastify `app.server`, of Vite `vite.httpServer`.",
    );
  const wired = await WiredServer.load(resolved, http, false);
  wired.start();
  return wired;
}

class WiredServer implements Server, HttpTenant {
  readonly #options: ResolvedOptions;
  readonly #http: HttpServer;
  readonly #ownsHttp: boolean;
  readonly #table: RouteTable;
  readonly #host: ServiceHost;
  readonly #edge: Edge;
  readonly #upgrades: Upgrades;
  readonly #leaveHttp: () => void;
  /** Only where the HTTP server is ours: others may have listeners of their own for its connections. */
  readonly #door: FrontDoor | undefined;
  #entrances: Entrances | undefined;
  #staticFiles: ReturnType<typeof staticFiles> | undefined;
  #stopping: Promise<{ timedOut: boolean }> | undefined;
  #httpClosed: Promise<void> | undefined;

  static async load(
    options: ResolvedOptions,
    http: HttpServer,
    ownsHttp: boolean,
  ): Promise<WiredServer> {
    const loaded = await servicesOf(options);
    return new WiredServer(options, http, ownsHttp, loaded);
  }

  private constructor(
    options: ResolvedOptions,
    http: HttpServer,
    ownsHttp: boolean,
    loaded: readonly (HostedService & { readonly route: Route })[],
  ) {
    this.#options = options;
    this.#http = http;
    this.#ownsHttp = ownsHttp;
    const { clock, limits, base, onReport: report } = options;
    this.#table = new RouteTable(
      loaded.map(({ route }) => route),
      { base },
    );
    this.#host = new ServiceHost({
      services: loaded,
      addresses: addressBook(this.#table),
      clock,
      report,
      maxMessageBytes: limits.maxPayloadBytes,
      maxTotalPrivateBytes: limits.maxTotalPrivateBytes,
      maxDroppedClients: limits.maxDroppedClients,
      ...(loaded.some(({ service }) => definitionOfService(service).isDurable)
        ? { history: new SqliteHistory(options.historyFile, { sync: options.historySync }) }
        : {}),
    });
    const link = new LocalLink();
    const definitionOf = (name: string): ErasedDefinition | undefined =>
      this.#host.definition(name);
    const authorization = new Authorization({
      routes: this.#table,
      definitionOf,
      limits,
      clock,
      report,
    });
    const threshold = options.compressionThresholdBytes;
    this.#edge = new Edge({
      clock,
      limits,
      outlet: link.toActor,
      ...(threshold === undefined ? {} : { deflate: deflateFrom(threshold) }),
      admitChannel: (request, path, auth) => authorization.admitChannel(request, path, auth),
    });
    const toActors = this.#host.connect("local", link.toEdge);
    link.bind({
      actor: (message) => toActors.post(message),
      edge: (message) => this.#edge.receive(message),
    });
    this.#upgrades = new Upgrades({
      routes: this.#table,
      edge: this.#edge,
      authorization,
      definitionOf,
      admission: options.admission,
      base,
      sessionSecret: options.sessionSecret,
      limits,
      compresses: threshold !== undefined,
      clock,
      report,
    });
    this.#leaveHttp = joinHttp(http, this);
    if (!ownsHttp) return;
    this.#door = new FrontDoor(http, {
      clock,
      timeoutMs: limits.handshakeTimeoutMs,
      // Beyond what is answered with 503: a bound for sockets that only ask for pages, or for nothing.
      maxConnections: limits.maxConnections + limits.maxPendingUpgrades,
      upgrade: (head, socket, rest) => this.#upgrades.handle(head, socket, rest),
    });
  }

  async open(): Promise<void> {
    this.#entrances = await Entrances.open(this.#http, this.#options);
  }

  /** Starts the services: not before the port is ours. */
  start(): void {
    runningHosts.add(this.#host);
    this.#host.start();
  }

  get port(): number {
    const address = this.#http.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get url(): string {
    const { host } = this.#options;
    return `http://${host.includes(":") ? `[${host}]` : host}:${this.port}`;
  }

  broadcast(target: Target, message: unknown): void {
    this.#host.broadcast(target, message);
  }

  info(target: Target, message: unknown): void {
    this.#host.info(target, message);
  }

  call<Response>(target: Target, name: string, ...args: readonly unknown[]): Promise<Response> {
    const [request, options] = args as [request?: unknown, options?: CallOptions];
    return this.#host.call(target, name, request, options) as Promise<Response>;
  }

  services(): readonly ServiceInfo[] {
    return this.#host.services();
  }

  clients(target: Target): readonly Client<never>[] {
    return this.#host.clients(target);
  }

  routes(): readonly Route[] {
    return this.#table.routes;
  }

  stopOnSignals(): () => void {
    return stopOnSignals(() => this.stop());
  }

  stop(): Promise<{ timedOut: boolean }> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<{ timedOut: boolean }> {
    const { limits, clock, onReport } = this.#options;
    const late = new WindsockError("The drain took too long.");
    let timedOut = false;
    try {
      await settleWithin(this.#drain(), limits.drainTimeoutMs, clock, () => late);
    } catch (error) {
      timedOut = true;
      if (error !== late) onReport({ type: "failure", where: "the drain of the server", error });
    }
    this.#host.close();
    this.#edge.destroy({ type: "shutdown" });
    this.#upgrades.stop();
    runningHosts.delete(this.#host);
    if (this.#ownsHttp) {
      const closed = this.#closeHttp();
      this.#door?.closeIdleConnections();
      this.#http.closeAllConnections();
      await closed;
      this.#door?.stop();
    }
    this.#leaveHttp();
    return { timedOut };
  }

  /** Who comes meanwhile is answered: 503, and come back. */
  async #drain(): Promise<void> {
    this.#upgrades.drain();
    const { drainWindowMs, limits } = this.#options;
    await this.#edge.drain(drainWindowMs, limits.drainTimeoutMs);
    await this.#host.drain();
    await this.#edge.close(closeCode.serviceRestart, "the server is restarting: come back");
    if (this.#ownsHttp) await this.#closeHttp();
  }

  /** Resolves when every request has its answer. */
  #closeHttp(): Promise<void> {
    const entrances = this.#entrances;
    const door = this.#door;
    // It never got its port.
    if (entrances === undefined || door === undefined) return Promise.resolve();
    this.#httpClosed ??= closeGently(this.#http, entrances, door, this.#options.clock);
    return this.#httpClosed;
  }

  // ---------- HTTP ----------

  request(request: IncomingMessage, response: ServerResponse): boolean {
    const options = this.#options;
    return answerRequest(request, response, {
      routes: this.#table,
      edge: this.#edge,
      publish: {
        ...options.admission,
        publishTokens: options.publishTokens,
        maxPayloadBytes: options.limits.maxPayloadBytes,
      },
      base: options.base,
      isAlone: this.#ownsHttp,
      services: () => this.services(),
      isDraining: () => this.#upgrades.isDraining,
      health: () => this.#health(),
    });
  }

  #health(): AppHealth | undefined {
    const { health, onReport } = this.#options;
    try {
      return health?.();
    } catch (error) {
      onReport({ type: "failure", where: "the health of the app", error });
      return { isReady: false };
    }
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const [pathname = "/"] = (request.url ?? "/").split(/[?#]/, 1);
    const { root } = this.#table;
    if (!this.#ownsHttp && pathname !== root && !pathname.startsWith(`${root}/`)) return false;
    this.#upgrades.handle(requestHead(request), socket, head);
    return true;
  }

  otherRequest(request: IncomingMessage, response: ServerResponse): void {
    const { publicFolder, base } = this.#options;
    const next = (): void => this.#page(request, response);
    if (publicFolder === undefined) {
      next();
      return;
    }
    this.#staticFiles ??= staticFiles(publicFolder, { base });
    this.#staticFiles(request, response, next);
  }

  #page(request: IncomingMessage, response: ServerResponse): void {
    const options = this.#options;
    if (options.request === undefined) {
      sendRefusal(response, nobodyAnswers);
      return;
    }
    try {
      options.request(request, response);
    } catch (error) {
      options.onReport({ type: "failure", where: "the request handler", error });
      if (!response.headersSent)
        sendRefusal(
          response,
          refuse(500, "Expected a page, got an error that the server has reported."),
        );
      else response.destroy();
    }
  }
}

/** A handler of requests, such as Express's `app`, is an emitter of other events. */
function isApp(http: unknown): boolean {
  return typeof http === "function";
}

async function servicesOf(
  options: ResolvedOptions,
): Promise<(HostedService & { readonly route: Route })[]> {
  const { services, base } = options;
  if (typeof services === "string") {
    const loaded = await loadServices(services, { base });
    return loaded.map(({ route, service }) => ({ name: route.name, route, service }));
  }
  return Object.entries(services).map(([name, service]) => {
    const route = routeFromName(name, { base });
    const { params } = definitionOfService(service);
    if (!isDeepStrictEqual(params, route.params))
      throw new OptionError(
        `Expected \`params: ${JSON.stringify(route.params)}\` in the service "${name}", the keys in its name, got \`params: ${JSON.stringify(params)}\`.`,
      );
    return { name, service, route };
  });
}
