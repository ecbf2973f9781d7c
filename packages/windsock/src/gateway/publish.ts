import { OptionError } from "../errors.ts";
import type { PublishedValue } from "../protocol/port.ts";
import { bearerOf, isAmong } from "./bearer.ts";
import { checkHost, type HostOptions } from "./host-rule.ts";
import { jsonFault } from "./json-fault.ts";
import { checkOrigin, type OriginOptions } from "./origin-rule.ts";
import { headerValues, type RawHeaders } from "./raw-headers.ts";
import { quote, type Refusal, refuse } from "./refusal.ts";

export interface PublishOptions extends HostOptions, OriginOptions {
  /**
   * Who may broadcast over HTTP: whoever sends one of these in `Authorization: Bearer`. Several,
   * so that one can be replaced without a gap. Empty: nobody, `POST` is off.
   * @default []
   */
  readonly publishTokens: readonly string[];
  /** The body, in bytes. Beyond: 413. @default 65536 */
  readonly maxPayloadBytes: number;
}

/** The longest `Idempotency-Key`, in bytes. A longer one is refused with 400. */
const maxIdempotencyKeyBytes = 128;

/** A publish that may be read: at most so many bytes, which then mean this. */
export interface AcceptedPublish {
  readonly type: "accept";
  readonly kind: PublishedValue["kind"];
  readonly maxPayloadBytes: number;
  readonly idempotencyKey: string | undefined;
}

export interface Publish {
  readonly type: "publish";
  /** Checked: text and JSON are valid as what they are. */
  readonly value: PublishedValue;
  readonly idempotencyKey: string | undefined;
}

const kinds: ReadonlyMap<string, PublishedValue["kind"]> = new Map([
  ["text/plain", "text"],
  ["application/json", "json"],
  ["application/octet-stream", "binary"],
]);

/**
 * Decides on `POST <service url>` by its head, before a byte of its body is read.
 *
 * In order: Host, Origin, token, content type, announced length, `Idempotency-Key`.
 */
export function admitPublish(
  head: { readonly rawHeaders: RawHeaders; readonly secure: boolean },
  options: PublishOptions,
): AcceptedPublish | Refusal {
  const host = checkHost(head, options);
  if (host.type === "refuse") return host;
  const { rawHeaders } = head;
  const refusal =
    checkOrigin(rawHeaders, host.origin, options) ?? checkToken(rawHeaders, options.publishTokens);
  if (refusal !== undefined) return refusal;

  const kind = kindOf(rawHeaders);
  if (typeof kind !== "string") return kind;
  const [length] = headerValues(rawHeaders, "content-length");
  if (length !== undefined && Number(length) > options.maxPayloadBytes) {
    return publishTooLarge(options.maxPayloadBytes);
  }

  const [idempotencyKey, ...more] = headerValues(rawHeaders, "idempotency-key");
  if (more.length > 0 || (idempotencyKey !== undefined && !/^[!-~]{1,128}$/.test(idempotencyKey))) {
    return refuse(
      400,
      `Expected one Idempotency-Key of 1 to ${maxIdempotencyKeyBytes} visible ASCII characters, ` +
        `got ${quote([idempotencyKey, ...more].join(", "))}.`,
    );
  }
  return { type: "accept", kind, maxPayloadBytes: options.maxPayloadBytes, idempotencyKey };
}

/** Checks the body that belongs to an accepted publish. */
export function readPublish(accepted: AcceptedPublish, body: Uint8Array): Publish | Refusal {
  const { kind, maxPayloadBytes, idempotencyKey } = accepted;
  if (body.byteLength > maxPayloadBytes) return publishTooLarge(maxPayloadBytes);
  if (kind !== "binary") {
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    } catch {
      return refuse(
        400,
        "Expected UTF-8, got bytes that are none. Send bytes as application/octet-stream.",
      );
    }
    const fault = kind === "json" ? jsonFault(text) : undefined;
    if (fault !== undefined) {
      return refuse(
        400,
        `Expected JSON, got something else at ${fault}. Send plain text as text/plain.`,
      );
    }
  }
  return { type: "publish", value: { kind, bytes: body }, idempotencyKey };
}

/** Also for a reader that has counted more bytes than the head announced. */
export function publishTooLarge(maxPayloadBytes: number): Refusal {
  const sentence = `Expected a body of at most ${maxPayloadBytes} bytes (\`maxPayloadBytes\`), got more.`;
  return refuse(413, `${sentence} Send it in parts, or raise the limit.`);
}

/** Checks the tokens when the server starts. An empty one, as of an unset variable, is left out. */
export function publishTokens(given: string | readonly string[] | undefined): readonly string[] {
  const tokens = [given ?? []].flat().filter((each) => each !== "");
  for (const token of tokens) {
    if (/^[A-Za-z0-9._~+/-]{16,}=*$/.test(token)) continue;
    throw new OptionError(
      "Expected `publishToken` to be at least 16 letters, digits or any of `-._~+/`, " +
        `got ${token.length} characters. Make one with \`openssl rand -base64 32\`.`,
    );
  }
  return Object.freeze(tokens);
}

function checkToken(headers: RawHeaders, tokens: readonly string[]): Refusal | undefined {
  if (tokens.length === 0) {
    return refuse(
      403,
      "Expected a WebSocket, got a POST: broadcasting over HTTP is off. " +
        "Set the server's option `publishToken` to switch it on, and send it as `Authorization: Bearer <token>`.",
    );
  }
  const bearer = bearerOf(headers);
  if (bearer.type === "token" && isAmong(bearer.token, tokens)) return undefined;
  // RFC 6750, section 3.1: an error code only where something was tried.
  const challenge = {
    token: ', error="invalid_token"',
    malformed: ', error="invalid_request"',
    missing: "",
  }[bearer.type];
  const came = { token: "a wrong token", malformed: "something else", missing: "none" }[
    bearer.type
  ];
  return refuse(
    401,
    `Expected \`Authorization: Bearer <token>\` with the server's publish token, got ${came}.`,
    {
      "WWW-Authenticate": `Bearer realm="windsock"${challenge}`,
    },
  );
}

function kindOf(headers: RawHeaders): PublishedValue["kind"] | Refusal {
  const types = headerValues(headers, "content-type");
  const encodings = headerValues(headers, "content-encoding");
  const encoding = encodings.join(", ");
  if (encodings.length > 0 && encoding.toLowerCase() !== "identity") {
    const sentence = `Expected a body without Content-Encoding, got ${quote(encoding)}: send it as it is.`;
    return refuse(415, sentence, { "Accept-Encoding": "identity" });
  }
  const [type = "text/plain", ...parameters] = (types[0] ?? "text/plain")
    .split(";")
    .map((each) => each.trim().toLowerCase());
  const kind = types.length > 1 ? undefined : kinds.get(type);
  if (kind === undefined) {
    const sentence = `Expected one Content-Type of ${[...kinds.keys()].join(", ")}, got ${quote(types.join(", "))}.`;
    return refuse(415, sentence, { Accept: [...kinds.keys()].join(", ") });
  }
  const charset = parameters.find((each) => each.startsWith("charset="))?.slice("charset=".length);
  if (charset !== undefined && !/^"?(?:utf-?8|us-ascii)"?$/.test(charset)) {
    return refuse(415, `Expected text in UTF-8, got the charset ${quote(charset)}: convert it.`);
  }
  return kind;
}
