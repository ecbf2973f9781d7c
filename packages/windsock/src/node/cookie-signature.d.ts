/** What we use of a package that brings no types. */
declare module "cookie-signature" {
  import type { KeyObject } from "node:crypto";

  /** `value.signature`, HMAC-SHA256 in Base64 without its padding. */
  export function sign(value: string, secret: string | KeyObject): string;
  /** The value, if the signature is this secret's. Compared in constant time. */
  export function unsign(input: string, secret: string | KeyObject): string | false;
}
