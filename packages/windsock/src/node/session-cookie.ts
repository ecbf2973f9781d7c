import { randomBytes } from "node:crypto";
import { parseCookie, stringifySetCookie } from "cookie";
import { sign, unsign } from "cookie-signature";
import { OptionError } from "../errors.ts";

export const sessionCookieName = "windsock_session";

/** One secret, or several while they are being replaced: the first signs, each is believed. */
export type SessionSecret = string | readonly string[];

export interface SessionCookieOptions {
  /** Whether the request came over TLS: then the cookie never leaves by anything else. */
  readonly secure: boolean;
  /** The server's `base`: the cookie goes to URLs below it. @default "/" */
  readonly base?: string;
}

/** 16 random bytes in base64url. */
const sessionId = /^[A-Za-z0-9_-]{22}$/;
/** Id, dot and signature are 66 characters. What is longer is not ours. */
const maxValueLength = 128;
/** Cookies of our name in one header that are looked at: each costs a signature per secret. */
const maxCandidates = 8;

/** A session that no one can guess: 128 random bits. */
export function newSessionId(): string {
  return randomBytes(16).toString("base64url");
}

/**
 * The session of a Cookie header: the first cookie of our name that we have signed. There may be
 * others before it, since any site under the same domain can set one. Never throws.
 */
export function readSession(
  cookieHeader: string | undefined,
  secret: SessionSecret,
): string | undefined {
  const candidates = (cookieHeader ?? "")
    .split(";")
    .filter((pair) => pair.trimStart().startsWith(`${sessionCookieName}=`))
    .slice(0, maxCandidates);
  for (const pair of candidates) {
    const value = parseCookie(pair)[sessionCookieName];
    if (value === undefined || value.length > maxValueLength) continue;
    for (const each of [secret].flat()) {
      const id = each === "" ? false : unsign(value, each);
      if (id !== false && sessionId.test(id)) return id;
    }
  }
  return undefined;
}

/**
 * The Set-Cookie value that gives a browser this session, until it is closed.
 *
 * @throws OptionError where the secret is too short to sign with
 */
export function sessionCookie(
  id: string,
  secret: SessionSecret,
  options: SessionCookieOptions,
): string {
  const [first = ""] = checkSessionSecret(secret);
  return stringifySetCookie({
    name: sessionCookieName,
    value: sign(id, first),
    httpOnly: true,
    sameSite: "lax",
    secure: options.secure,
    path: options.base || "/",
  });
}

/** Checks the option when the server starts. Each secret has at least 32 characters. */
export function checkSessionSecret(secret: SessionSecret): readonly string[] {
  const secrets = [secret].flat();
  const short = secrets.find((each) => each.length < 32);
  if (secrets.length > 0 && short === undefined) return secrets;
  throw new OptionError(
    "Expected `sessionSecret` to be at least 32 characters, or a list of such, " +
      `got ${short === undefined ? "an empty list" : `${short.length} characters`}. ` +
      "Make one with `openssl rand -base64 32`.",
  );
}
