import { createSecretKey, type KeyObject } from "node:crypto";
import { parseCookie, stringifySetCookie } from "cookie";
import { sign, unsign } from "cookie-signature";
import { OptionError } from "../errors.ts";
import { newSecret } from "../service/secret.ts";

const sessionCookieName = "windsock_session";

/** One secret, or several while they are being replaced: the first signs, each is believed. */
export type SessionSecret = string | readonly string[];

/** 16 random bytes in base64url. */
const sessionId = /^[A-Za-z0-9_-]{22}$/;
/** Id, dot and signature are 66 characters. What is longer is not ours. */
const maxValueLength = 128;
/** Cookies of our name in one header that are looked at: each costs a signature per secret. */
const maxCandidates = 8;

/** A session that no one can guess. */
export const newSessionId: () => string = newSecret;

/** Writes and reads the cookie by which a browser's session is known. */
export class SessionCookies {
  readonly #keys: readonly KeyObject[];
  readonly #head = `${sessionCookieName}=`;
  readonly #tail: string;
  readonly #secureTail: string;

  /**
   * @param base the server's `base`: the cookie goes to URLs below it
   * @throws OptionError where a secret is too short to sign with
   */
  constructor(secret: SessionSecret, base: string = "") {
    this.#keys = checkSessionSecret(secret).map((each) => createSecretKey(each, "utf8"));
    this.#tail = attributes(base, false);
    this.#secureTail = attributes(base, true);
  }

  /**
   * The session of a Cookie header: the first cookie of our name that we have signed. There may
   * be others before it, since any site under the same domain can set one. Never throws.
   */
  read(cookieHeader: string | undefined): string | undefined {
    // A new visitor has none, nor anything that looks like it.
    if (cookieHeader === undefined || !cookieHeader.includes(this.#head)) return undefined;
    const candidates = cookieHeader
      .split(";")
      .filter((pair) => pair.trimStart().startsWith(this.#head))
      .slice(0, maxCandidates);
    for (const pair of candidates) {
      const value = parseCookie(pair)[sessionCookieName];
      if (value === undefined || value.length > maxValueLength) continue;
      for (const key of this.#keys) {
        const id = unsign(value, key);
        if (id !== false && sessionId.test(id)) return id;
      }
    }
    return undefined;
  }

  /**
   * The Set-Cookie value that gives a browser this session, until it is closed.
   *
   * @param secure whether the request came over TLS: then the cookie never leaves by anything else
   */
  write(id: string, secure: boolean): string {
    const [first] = this.#keys;
    if (first === undefined) throw new TypeError("There is always a key.");
    const value = encodeURIComponent(sign(id, first));
    return `${this.#head}${value}${secure ? this.#secureTail : this.#tail}`;
  }
}

/** What stands behind the value: the same for all. */
function attributes(base: string, secure: boolean): string {
  const cookie = stringifySetCookie({
    name: sessionCookieName,
    value: "",
    httpOnly: true,
    sameSite: "lax",
    secure,
    path: base || "/",
  });
  return cookie.slice(`${sessionCookieName}=`.length);
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
