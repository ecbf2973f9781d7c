import type { IncomingMessage, ServerResponse } from "node:http";
import type { Edge, PublishAnswer } from "../edge/edge.ts";
import { checkHost } from "../gateway/host-rule.ts";
import { answerPlain } from "../gateway/plain-answer.ts";
import {
  admitPublish,
  publishTooLarge,
  readPublish,
  type Publish,
  type PublishOptions,
} from "../gateway/publish.ts";
import { refuse, type Refusal } from "../gateway/refusal.ts";
import { requestHead } from "../gateway/request-head.ts";
import type { RouteTable } from "../gateway/route-table.ts";
import type { ServiceInfo } from "../service/service-host.ts";
import type { AppHealth } from "./options.ts";

export interface RequestOptions {
  readonly routes: RouteTable;
  readonly edge: Edge;
  readonly publish: PublishOptions;
  readonly base: string;
  /** Whether nobody else answers on this HTTP server: then its Host rule holds for every path. */
  readonly isAlone: boolean;
  readonly services: () => readonly ServiceInfo[];
  readonly isDraining: () => boolean;
  /** What the app says of itself; undefined: nothing. */
  readonly health: () => AppHealth | undefined;
}

/** For a path that neither a service nor a page has. */
export const nobodyAnswers: Refusal = Object.freeze(
  refuse(404, "Expected the path of a page or a service, got one that nobody answers."),
);

/** Answers the plain HTTP requests that are ours. False: whoever else answers may. */
export function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: RequestOptions,
): boolean {
  const head = requestHead(request);
  const [pathname = "/"] = head.url.split(/[?#]/, 1);
  if (pathname === `${options.base}/healthz`) {
    // Behind the Host rule: a page of another site, its name pointed here, learns nothing.
    const host = checkHost(head, options.publish);
    if (host.type === "refuse") sendRefusal(response, host);
    else answerHealth(response, options);
    return true;
  }
  const match = options.routes.match(pathname);
  if (request.method === "POST" && match.type === "service") {
    void answerPublish(request, response, match.address, options);
    return true;
  }
  const refusal = answerPlain(head, options.routes, options.publish);
  const isElsewhere = match.type === "none" && !match.within;
  if (refusal === undefined || (isElsewhere && !options.isAlone)) return false;
  sendRefusal(response, refusal);
  return true;
}

/** 200 while the server takes clients and the app is ready, else 503; and each service by its name, its keys together. */
function answerHealth(
  response: ServerResponse,
  { services, isDraining, health }: RequestOptions,
): void {
  const byName = new Map<string, { name: string; actors: number; clients: number; down: number }>();
  for (const { name, state, clients } of services()) {
    const sum = byName.get(name) ?? { name, actors: 0, clients: 0, down: 0 };
    sum.actors += 1;
    sum.clients += clients;
    if (state === "down") sum.down += 1;
    byName.set(name, sum);
  }
  const app = health();
  const status = isDraining() ? "draining" : app?.isReady === false ? "unready" : "ok";
  const body = JSON.stringify({ status, services: [...byName.values()], app: app?.details });
  response.writeHead(status === "ok" ? 200 : 503, {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}

async function answerPublish(
  request: IncomingMessage,
  response: ServerResponse,
  address: string,
  options: RequestOptions,
): Promise<void> {
  const read = await readBody(request, options.publish).catch(() => undefined);
  // The client went away while it sent.
  if (read === undefined) return;
  if (read.type === "refuse") {
    sendRefusal(response, read);
    return;
  }
  const answer = await options.edge.publish(address, read.value, read.idempotencyKey);
  if (response.destroyed) return;
  sendAnswer(response, address, answer);
}

async function readBody(
  request: IncomingMessage,
  options: PublishOptions,
): Promise<Publish | Refusal> {
  const accepted = admitPublish(requestHead(request), options);
  if (accepted.type === "refuse") return accepted;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > accepted.maxPayloadBytes) return publishTooLarge(accepted.maxPayloadBytes);
    chunks.push(chunk);
  }
  return readPublish(accepted, Buffer.concat(chunks));
}

function sendAnswer(response: ServerResponse, address: string, answer: PublishAnswer): void {
  switch (answer.type) {
    case "published": {
      const body = JSON.stringify({
        seq: answer.seq,
        delivered: answer.delivered,
        ...(answer.delivered ? {} : { reason: `nobody has joined ${address}` }),
      });
      response.writeHead(202, { "Content-Type": "application/json", "Cache-Control": "no-store" });
      response.end(`${body}\n`);
      return;
    }
    case "busy":
      sendRefusal(
        response,
        refuse(
          503,
          `Expected room in the mailbox of ${address}, got a full one. Try again later.`,
          retryAfter(answer.retryAfterMs),
        ),
      );
      return;
    case "unavailable":
      sendRefusal(
        response,
        refuse(
          503,
          `Expected ${address} to take the message: ${answer.reason}.`,
          retryAfter(answer.retryAfterMs),
        ),
      );
      return;
  }
}

function retryAfter(ms: number): Record<string, string> {
  return { "Retry-After": String(Math.max(1, Math.ceil(ms / 1000))) };
}

/** Ends the connection too: what is left of the request is not read. */
export function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  response.writeHead(refusal.status, {
    ...refusal.headers,
    Connection: refusal.headers["Connection"] ?? "close",
  });
  response.end(refusal.body);
}
