import { OptionError } from "../errors.ts";
import { headerCount, headerText, type RawHeaders } from "./raw-headers.ts";
import { quote, type Refusal, refuse } from "./refusal.ts";

export interface OriginOptions {
  /**
   * Origins of pages that may connect, beside the server's own: `"https://app.example"`. Scheme,
   * name and port are compared whole, there are no patterns. `"*"`: every page, sandboxed ones
   * too; then cookies must not be what `authorize` trusts.
   * @default []
   */
  readonly origins: readonly string[] | "*";
}

/**
 * Checks that a page which sends this request is one of ours: browsers send cookies along with a
 * WebSocket of any site (RFC 6455, section 10.2). Without an Origin it is not a browser.
 *
 * @param own the origin that the request was made to, from `checkHost`
 */
export function checkOrigin(
  rawHeaders: RawHeaders,
  own: string,
  options: OriginOptions,
): Refusal | undefined {
  const count = headerCount(rawHeaders, "origin");
  if (count === 0) return undefined;
  if (count > 1) return refuse(400, `Expected at most one Origin header field, got ${count}.`);
  const value = headerText(rawHeaders, "origin");
  // `own` is in canonical form, so what equals it is too.
  if (options.origins === "*" || value === own) return undefined;
  if (value === "null") {
    return refuse(
      403,
      'Expected a page with an origin, got "null" (a sandboxed page, or a file). ' +
        'Serve the page over HTTP, or set the option `origins: "*"` if every page may connect.',
    );
  }
  const origin = canonicalOrigin(value);
  if (origin === undefined) {
    return refuse(403, `Expected an Origin like "https://app.example", got ${quote(value)}.`);
  }
  if (origin === own || options.origins.some((each) => canonicalOrigin(each) === origin)) {
    return undefined;
  }
  return refuse(
    403,
    `Expected a page of ${own}, got one of ${origin}. ` +
      `If it may connect, add ${quote(origin)} to the server's option \`origins\`.`,
  );
}

/** Checks the option when the server starts: a pattern or a path in it would never match. */
export function checkOrigins(origins: readonly string[] | "*"): void {
  if (origins === "*") return;
  if (!Array.isArray(origins))
    throw new OptionError(
      `Expected \`origins\` to be a list (["https://app.example"]) or "*", got ${JSON.stringify(origins)}.`,
    );
  for (const origin of origins) {
    if (canonicalOrigin(origin) !== undefined && !origin.includes("*")) continue;
    throw new OptionError(
      'Expected each of `origins` to be a scheme, a name and a port if need be ("https://app.example"), ' +
        `without path or pattern, got ${quote(origin)}.`,
    );
  }
}

/** `HTTPS://App.example:443` is `https://app.example`. Nothing else may stand beside the origin. */
function canonicalOrigin(text: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s]+$/i.test(text)) return undefined;
  // What is no web scheme (`chrome-extension://...`) has no origin to a URL parser.
  if (!/^https?:/i.test(text)) return text.toLowerCase();
  try {
    return new URL(text).origin;
  } catch {
    return undefined;
  }
}
