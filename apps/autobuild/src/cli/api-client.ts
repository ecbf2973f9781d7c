import type { Build } from "../build/build.ts";
import { AutobuildError, messageOf } from "../errors.ts";
import type { Problem } from "../http/problem.ts";
import { findServer, type FoundServer, type Where } from "./find-server.ts";

const timeoutMs = 60_000;

/** What cannot be done, as the server says it. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The HTTP API of a server, for commands. */
export class ApiClient {
  readonly server: FoundServer;

  constructor(server: FoundServer) {
    this.server = server;
  }

  static async find(where: Where, environment: NodeJS.ProcessEnv, cwd: string): Promise<ApiClient> {
    return new ApiClient(await findServer(where, environment, cwd));
  }

  get<Answer>(path: string): Promise<Answer> {
    return this.#ask<Answer>("GET", path);
  }

  post<Answer>(path: string, body: unknown = {}): Promise<Answer> {
    return this.#ask<Answer>("POST", path, body);
  }

  /** The build of that number; without one the newest that runs or has run. */
  async build(id: number | undefined): Promise<Build> {
    if (id !== undefined) return this.get<Build>(`/api/builds/${id}`);
    const { builds } = await this.get<{ builds: readonly Build[] }>("/api/builds");
    const newest =
      builds.find(({ state }) => state === "running") ??
      builds.find(({ startedMs }) => startedMs !== null);
    if (newest !== undefined) return newest;
    throw new RefusedError(404, "Expected a build that has started, and there is none yet.");
  }

  /** The text of an answer, in pieces as they come. */
  async *text(path: string): AsyncGenerator<string, undefined> {
    const answer = await this.#fetch("GET", path);
    if (!answer.ok) throw new RefusedError(answer.status, detailOf(await answer.text()));
    const decoder = new TextDecoder();
    for await (const bytes of (answer.body ?? []) as AsyncIterable<Uint8Array>)
      yield decoder.decode(bytes, { stream: true });
    return undefined;
  }

  /** What an answer says of itself, without its body. */
  async headers(path: string): Promise<Headers> {
    const answer = await this.#fetch("HEAD", path, undefined, AbortSignal.timeout(timeoutMs));
    // A refusal has no body either: the same with one says why.
    if (!answer.ok) await this.get(path);
    return answer.headers;
  }

  async #ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.#fetch(method, path, body, AbortSignal.timeout(timeoutMs));
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text) as Answer;
    throw new RefusedError(answer.status, detailOf(text));
  }

  async #fetch(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Response> {
    const { url, token } = this.server;
    try {
      return await fetch(url + path, {
        method,
        ...(signal === undefined ? {} : { signal }),
        headers: {
          Accept: "application/json",
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new AutobuildError(
        "AUTOBUILD_STOPPED",
        `Expected an AutoBuild at ${url}, got none: ${messageOf(cause)}. Start it, or give its --url; the --data-dir that it was started with does as well.`,
        { cause: error },
      );
    }
  }
}

function detailOf(text: string): string {
  try {
    const { detail } = JSON.parse(text) as Partial<Problem>;
    if (typeof detail === "string") return detail;
  } catch {
    // An answer of something in between.
  }
  return `Expected an answer of AutoBuild, got ${JSON.stringify(text.slice(0, 200))}.`;
}
