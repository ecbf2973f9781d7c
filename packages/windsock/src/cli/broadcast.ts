import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { setDefaultAutoSelectFamilyAttemptTimeout } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { WindsockError } from "../errors.ts";
import type { BroadcastOptions, MessageSource } from "./command-line.ts";
import { UsageError } from "./usage-error.ts";

/** More than any server takes by default; an endless stdin must end somewhere. */
const maxMessageBytes = 16 * 1024 * 1024;
/** The time that a server has for its answer, which comes after the commit. */
const answerTimeoutMs = 60_000;
/** The longest pause that a server may ask for. */
const maxRetryAfterMs = 60_000;
/** `localhost` has two addresses. Node's 250 ms for each are too few on a machine that builds. */
const connectTimeoutMs = 5000;
/** What is shown of an answer that is not the sentence we expect. */
const maxShownLength = 1000;

const contentTypes = {
  text: "text/plain; charset=utf-8",
  json: "application/json",
  binary: "application/octet-stream",
} as const;

/** `windsock broadcast`: a `POST` to the service's URL. */
export async function broadcast(options: BroadcastOptions): Promise<void> {
  const url = serviceUrl(options);
  const body = await read(options.message);
  setDefaultAutoSelectFamilyAttemptTimeout(connectTimeoutMs);
  const headers: Record<string, string> = {
    "Content-Type": contentTypes[options.kind],
    // The same for every try: a message that was taken already is not published twice.
    "Idempotency-Key": randomUUID(),
    ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
  };
  for (let tries = 0; ; tries++) {
    const response = await post(url, headers, body);
    const text = await textOf(response, url);
    if (response.status === 202) {
      console.log(published(options.service, text));
      return;
    }
    const waitMs = response.status === 503 ? retryAfterMs(response) : undefined;
    if (waitMs === undefined || tries >= options.retries) throw refused(response, url, text, tries);
    console.error(`${sentence(text)} Trying again in ${Math.ceil(waitMs / 1000)} s.`);
    await delay(waitMs);
  }
}

/** `room/42` below the server's URL. A key may be written as it is or percent-encoded. */
function serviceUrl({ service, url }: BroadcastOptions): URL {
  let root: URL;
  try {
    root = new URL(url.replace(/^ws(s?):/, "http$1:"));
  } catch (cause) {
    throw new UsageError(
      `Expected \`--url\` to be a URL such as http://localhost:8001, got ${JSON.stringify(url)}.`,
      { cause },
    );
  }
  if (!/^https?:$/.test(root.protocol) || root.username !== "" || root.password !== "")
    throw new UsageError(
      `Expected \`--url\` to begin with http:// or https:// and the server's name, got ${JSON.stringify(url)}.`,
    );
  const parts = service.split("/").map(encodePart);
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw new UsageError(
      `Expected the name of a service, such as status or room/42, got ${JSON.stringify(service)}.`,
    );
  root.search = "";
  root.hash = "";
  root.pathname = `${root.pathname.replace(/\/$/, "")}/websocket/${parts.join("/")}`;
  return root;
}

function encodePart(part: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(part));
  } catch {
    return encodeURIComponent(part);
  }
}

async function read(source: MessageSource): Promise<Buffer> {
  if (source.type === "text") return Buffer.from(source.text);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const input = source.path === "-" ? process.stdin : createReadStream(source.path);
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxMessageBytes)
        throw new WindsockError(
          `Expected a message of at most ${maxMessageBytes} bytes, got more from ${source.path}.`,
        );
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof WindsockError) throw error;
    throw new WindsockError(`Expected to read ${source.path}, got ${messageOf(error)}.`, {
      cause: error,
    });
  }
  return Buffer.concat(chunks);
}

async function post(url: URL, headers: Record<string, string>, body: Buffer): Promise<Response> {
  try {
    return await fetch(url, {
      method: "POST",
      headers,
      body: new Uint8Array(body),
      // The token is for this server alone.
      redirect: "manual",
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function textOf(response: Response, url: URL): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
}

function unreachable(url: URL, error: unknown): WindsockError {
  const cause = error instanceof TypeError ? error.cause : error;
  const isRefused = codesOf(cause).includes("ECONNREFUSED");
  const came = isRefused
    ? "nobody who listens there"
    : cause instanceof DOMException && cause.name === "TimeoutError"
      ? `no answer in ${answerTimeoutMs / 1000} s`
      : messageOf(cause);
  return new WindsockError(
    `Expected a Windsock server at ${url.origin}, got ${came}. ` +
      "Start it with `windsock start`, or name another one with `--url`.",
    { cause: error },
  );
}

/** Of an error, or of each of several: a name may have more than one address. */
function codesOf(error: unknown): unknown[] {
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf);
  return [error instanceof Error && "code" in error ? error.code : undefined];
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "")
    return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}

function published(service: string, text: string): string {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = undefined;
  }
  if (typeof answer !== "object" || answer === null) return `${service} has taken the message.`;
  const { seq, delivered } = answer as { readonly seq?: unknown; readonly delivered?: unknown };
  return delivered === false
    ? `Nobody has joined ${service}: the message went nowhere.`
    : `${service} has taken the message (seq ${String(seq)}).`;
}

/** In ms; undefined: the server does not say when. RFC 9110, section 10.2.3. */
function retryAfterMs(response: Response): number | undefined {
  const value = response.headers.get("retry-after");
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), maxRetryAfterMs);
}

function refused(response: Response, url: URL, text: string, tries: number): WindsockError {
  const { status } = response;
  const location = response.headers.get("location");
  if (status >= 300 && status < 400 && location !== null)
    return new WindsockError(
      `Expected ${url.href} to take the message, got a redirect to ${sentence(location)}. If that is the server, give it as \`--url\`.`,
    );
  const isOurs =
    (response.headers.get("content-type") ?? "").startsWith("text/plain") && text !== "";
  const said = isOurs
    ? sentence(text)
    : `Expected ${url.href} to take the message, got ${status} ${response.statusText}.`;
  const hint = status === 401 || status === 403 ? tokenHint(status, said) : "";
  return new WindsockError(`${said}${hint}${tries > 0 ? ` (Tried ${tries + 1} times.)` : ""}`);
}

function tokenHint(status: number, said: string): string {
  if (status === 401) return " Give it with the variable WINDSOCK_TOKEN.";
  return said.includes("publishToken")
    ? " With `windsock start`, set the variable WINDSOCK_TOKEN for both."
    : "";
}

/** What somebody else wrote, fit for a terminal: bounded, and no escape sequences. */
function sentence(text: string): string {
  const plain = stripVTControlCharacters(text)
    // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
    .trim();
  return plain.length > maxShownLength ? `${plain.slice(0, maxShownLength)}…` : plain;
}
