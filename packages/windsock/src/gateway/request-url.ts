/** What is asked of the URL of a request. */
export interface RequestUrl {
  readonly href: string;
  readonly pathname: string;
}

/**
 * The URL of a request, from its target and the origin of its Host field.
 *
 * A target with steps in it (`..`, also percent-encoded, or a backslash) is none: a URL parser
 * would resolve them, and a proxy in front of us may have judged by the path as it was written.
 *
 * @param target origin-form (`/a?b`), or absolute-form of the same origin (RFC 9112, section 3.2)
 */
export function requestUrl(target: string, origin: string): RequestUrl | undefined {
  const text = `${origin} ${target}`;
  const known = knownUrls.get(text);
  if (known !== undefined) return known;
  const found = parse(target, origin);
  if (found === undefined || text.length > maxKnownUrlLength) return found;
  if (knownUrls.size >= maxKnownUrls) knownUrls.clear();
  knownUrls.set(text, found);
  return found;
}

/** Nearly all requests are for one of a few URLs. Beyond the bound the list begins anew. */
const knownUrls = new Map<string, RequestUrl>();
const maxKnownUrls = 100;
const maxKnownUrlLength = 256;

function parse(target: string, origin: string): RequestUrl | undefined {
  const path = target.startsWith("/") ? target : pathOfAbsolute(target, origin);
  const [written = ""] = path?.split(/[?#]/, 1) ?? [];
  if (path === undefined || /\\|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(written)) return undefined;
  const url = URL.parse(`${origin}${path}`);
  return url === null ? undefined : Object.freeze({ href: url.href, pathname: url.pathname });
}

function pathOfAbsolute(target: string, origin: string): string | undefined {
  const [, theirs, path = ""] = /^(https?:\/\/[^/?#]+)(.*)$/i.exec(target) ?? [];
  if (theirs === undefined || theirs.includes("@") || URL.parse(theirs)?.origin !== origin)
    return undefined;
  return path.startsWith("/") ? path : `/${path}`;
}
