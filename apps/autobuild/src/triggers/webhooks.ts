import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, show } from "../errors.ts";
import type { RepositorySource } from "../git/source.ts";
import {
  forges,
  deliveryOf,
  isForge,
  isGenuine,
  namesOf,
  readDelivery,
  type Forge,
} from "./delivery.ts";
import type { RepositoryTriggers } from "./repository-triggers.ts";

/** Bounds of the webhooks. */
export interface WebhookLimits {
  /** Of one delivery. @default 5 MiB */
  readonly maxBodyBytes: number;
  /** Deliveries that are being received; what comes beyond is answered with 503. @default 8 */
  readonly maxAtOnce: number;
  /** For a whole delivery to arrive. @default 10_000 */
  readonly receiveTimeoutMs: number;
  /** Names of deliveries that are remembered, the newest. @default 10_000 */
  readonly maxRemembered: number;
}

export const webhookDefaults: WebhookLimits = {
  maxBodyBytes: 5 * 1024 * 1024,
  maxAtOnce: 8,
  receiveTimeoutMs: 10_000,
  maxRemembered: 10_000,
};

/**
 * What forges and hooks on this machine tell: `POST /hooks/<forge>`.
 *
 * A delivery only has its repository looked at (or a pull request fetched): what is built comes from the repository,
 * never from the delivery. So a lost one costs the time until the next look, and one that comes twice nothing.
 */
export class Webhooks {
  readonly #repositories: readonly RepositoryTriggers[];
  readonly #secret: string | undefined;
  readonly #limits: WebhookLimits;
  readonly #remembered = new Set<string>();
  #receiving = 0;

  /** @param secret shared with the forges; without one they are refused */
  constructor(
    repositories: readonly RepositoryTriggers[],
    secret: string | undefined,
    limits: WebhookLimits = webhookDefaults,
  ) {
    this.#repositories = repositories;
    this.#secret = secret === "" ? undefined : secret;
    this.#limits = limits;
  }

  /**
   * Answers one delivery. Never rejects.
   *
   *     202  it is ours; the text says what becomes of it
   *     400  the body is not as the forge sends it         401  the signature or token is wrong
   *     404  no such forge, or no repository of ours        405  not a POST
   *     408  it took too long                               409  it came before
   *     413  it is too large                                503  webhooks are off, or too many come at once
   *
   * @param forge the part of the path after `/hooks/`
   */
  async handle(request: Request, forge: string): Promise<Response> {
    if (request.method !== "POST") return answer(405, `Expected a POST, got ${request.method}.`);
    const known = isForge(forge) ? forge : undefined;
    if (known === undefined && forge !== "local")
      return answer(
        404,
        `Expected /hooks/ with ${forges.join(", ")} or local behind it, got ${show(forge)}.`,
      );
    if (this.#receiving >= this.#limits.maxAtOnce)
      return answer(
        503,
        `Expected at most ${this.#limits.maxAtOnce} deliveries at once. Send it again.`,
      );
    this.#receiving++;
    try {
      const body = await this.#receive(request);
      if (body instanceof Response) return body;
      return known === undefined ? this.#local(body) : this.#deliver(known, request.headers, body);
    } catch (error) {
      return answer(400, `Expected a delivery that can be read: ${messageOf(error)}`);
    } finally {
      this.#receiving--;
    }
  }

  #deliver(forge: Forge, headers: Headers, body: Uint8Array): Response {
    if (this.#secret === undefined)
      return answer(
        503,
        "Webhooks are off: start AutoBuild with a secret in AUTOBUILD_HOOK_SECRET, and give the forge the same.",
      );
    if (!isGenuine(forge, headers, body, this.#secret))
      return answer(
        401,
        "Expected a signature or token made with the secret that AutoBuild has, got another one or none.",
      );
    const names = namesOf(forge, headers, body);
    if (names.some((name) => this.#remembered.has(name)))
      return answer(
        409,
        "Expected a new delivery, got one that came before. Nothing is done about it.",
      );

    let delivery;
    try {
      delivery = readDelivery(forge, headers, body);
    } catch (error) {
      return answer(
        400,
        `Expected a delivery as ${forge} sends them: ${messageOf(error).slice(0, 300)}`,
      );
    }
    const { news, urls } = delivery;
    if (news.type === "other")
      return answer(202, `Nothing is to be done about ${show(news.event)}.`);
    const wanted = new Set(urls.map(addressOf).filter((each) => each !== undefined));
    const found = this.#repositories.filter(({ source }) => {
      const address = addressOf(source.location);
      return address !== undefined && wanted.has(address);
    });
    if (found.length === 0)
      return answer(
        404,
        `Expected a repository that AutoBuild builds, got ${show(urls[0])}. Start AutoBuild with it.`,
      );
    this.#remember(names);
    const trigger = { type: "webhook", forge, delivery: deliveryOf(forge, headers) } as const;
    const said = found.map((triggers) => {
      if (news.type === "pullRequest") return triggers.handlePullRequest(news.request, trigger);
      triggers.wake(trigger);
      return "looks at the repository";
    });
    return answer(202, said[0] ?? "");
  }

  /** A hook of a repository on this machine. It needs no secret: all it can do is have that repository looked at. */
  #local(body: Uint8Array): Response {
    const told = JSON.parse(Buffer.from(body).toString("utf8")) as { repository?: unknown } | null;
    const repository = told?.repository;
    const found = this.#repositories.filter(
      ({ source }) => source.type === "path" && isWithin(repository, source),
    );
    if (found.length === 0)
      return answer(
        404,
        `Expected the path of a repository that AutoBuild builds, got ${show(repository)}.`,
      );
    for (const triggers of found) triggers.wake({ type: "hook" });
    return answer(202, "looks at the repository");
  }

  /** The whole body, or the answer to one that is too large or too slow. */
  async #receive(request: Request): Promise<Uint8Array | Response> {
    const { maxBodyBytes, receiveTimeoutMs } = this.#limits;
    const tooLarge = (): Response =>
      answer(413, `Expected at most ${maxBodyBytes} bytes, got more.`);
    if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) return tooLarge();
    if (request.body === null) return new Uint8Array();
    const reader = request.body.getReader();
    const timer = new AbortController();
    const late = sleep(receiveTimeoutMs, undefined, { signal: timer.signal }).catch(
      () => undefined,
    );
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for (;;) {
        const read = await Promise.race([reader.read(), late]);
        if (read === undefined)
          return answer(408, `Expected the delivery within ${receiveTimeoutMs / 1000} s.`);
        if (read.done) return Buffer.concat(chunks);
        bytes += read.value.length;
        if (bytes > maxBodyBytes) return tooLarge();
        chunks.push(read.value);
      }
    } finally {
      timer.abort();
      reader.cancel().catch(() => {});
    }
  }

  #remember(names: readonly string[]): void {
    for (const name of names) this.#remembered.add(name);
    for (const oldest of this.#remembered) {
      if (this.#remembered.size <= this.#limits.maxRemembered) break;
      this.#remembered.delete(oldest);
    }
  }
}

/**
 * What is the same in all ways to write where a repository is: host and path, without user, port, scheme, `.git` and
 * case. Undefined for a path of this machine.
 */
export function addressOf(location: string): string | undefined {
  const short = /^(?:[^@/:\s]+@)?([^/:\s]+):(?!\/\/)(.+)$/.exec(location);
  let host = short?.[1];
  let path = short?.[2];
  if (short === null) {
    try {
      const url = new URL(location);
      if (url.hostname === "") return undefined;
      host = url.hostname;
      path = url.pathname;
    } catch {
      return undefined;
    }
  }
  if (host === undefined || path === undefined) return undefined;
  return `${host}/${path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "")}`.toLowerCase();
}

function isWithin(repository: unknown, { location }: RepositorySource): boolean {
  return (
    typeof repository === "string" && (repository === location || repository === `${location}/.git`)
  );
}

function answer(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
  });
}
