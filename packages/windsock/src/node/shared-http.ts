import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { refusalBytes, refuse } from "../gateway/refusal.ts";

/** One server of ours on an HTTP server. Each says false to what is not for it. */
export interface HttpTenant {
  request(request: IncomingMessage, response: ServerResponse): boolean;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Answers what nobody has taken. */
  otherRequest(request: IncomingMessage, response: ServerResponse): void;
}

type Listener = (...args: unknown[]) => void;

const shared = new WeakMap<HttpServer, SharedHttp>();

/**
 * Lets a tenant answer on an HTTP server, ahead of those who listened there before; they
 * get what no tenant takes. The returned function takes it back. When the last tenant has
 * gone, the server is as it was.
 */
export function joinHttp(http: HttpServer, tenant: HttpTenant): () => void {
  let one = shared.get(http);
  if (one === undefined) shared.set(http, (one = new SharedHttp(http)));
  one.add(tenant);
  const joined = one;
  return () => {
    joined.remove(tenant);
    if (joined.isEmpty) shared.delete(http);
  };
}

/** One listener for all tenants of an HTTP server: they may come and go in any order. */
class SharedHttp {
  readonly #http: HttpServer;
  readonly #tenants: HttpTenant[] = [];
  #before: readonly Listener[] = [];

  constructor(http: HttpServer) {
    this.#http = http;
  }

  get isEmpty(): boolean {
    return this.#tenants.length === 0;
  }

  add(tenant: HttpTenant): void {
    if (this.isEmpty) {
      const http = this.#http;
      this.#before = http.rawListeners("request") as Listener[];
      http.removeAllListeners("request");
      http.on("request", this.#onRequest);
      http.on("upgrade", this.#onUpgrade);
    }
    this.#tenants.push(tenant);
  }

  remove(tenant: HttpTenant): void {
    const index = this.#tenants.indexOf(tenant);
    if (index === -1) return;
    this.#tenants.splice(index, 1);
    if (!this.isEmpty) return;
    const http = this.#http;
    http.off("request", this.#onRequest);
    http.off("upgrade", this.#onUpgrade);
    for (const listener of this.#before) http.on("request", listener);
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    for (const tenant of this.#tenants) if (tenant.request(request, response)) return;
    if (this.#before.length === 0) this.#tenants[0]?.otherRequest(request, response);
    for (const listener of this.#before) listener.call(this.#http, request, response);
  };

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    for (const tenant of this.#tenants) if (tenant.upgrade(request, socket, head)) return;
    // Another listener may know it (Vite's, a proxy's). Without one, nobody would ever answer.
    if (this.#http.listenerCount("upgrade") > 1) return;
    const sentence = "Expected the path of a service, got one that nobody answers.";
    socket.end(refusalBytes(refuse(404, sentence)), () => socket.destroy());
  };
}
