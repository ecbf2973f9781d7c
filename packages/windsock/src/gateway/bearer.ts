import { createHash, timingSafeEqual } from "node:crypto";
import { headerValues, type RawHeaders } from "./raw-headers.ts";

/** The token of `Authorization: Bearer ...` (RFC 6750, section 2.1). */
export type Bearer =
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "missing" }
  /** Another scheme, a garbled one, or the field twice. */
  | { readonly type: "malformed" };

export function bearerOf(headers: RawHeaders): Bearer {
  const values = headerValues(headers, "authorization");
  if (values.length === 0) return { type: "missing" };
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(values[0] ?? "")?.[1];
  if (values.length > 1 || token === undefined) return { type: "malformed" };
  return { type: "token", token };
}

/**
 * Whether a token is among those that are taken. The time does not depend on how much of it is
 * right, nor on its length: digests are compared, and every one of them.
 */
export function isAmong(token: string, taken: readonly string[]): boolean {
  const given = digest(token);
  let found = false;
  for (const each of taken) found = timingSafeEqual(given, digest(each)) || found;
  return found;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
