/**
 * The URL of a request, from its target and the origin of its Host field.
 *
 * A target with steps in it (`..`, also percent-encoded, or a backslash) is none: a URL parser
 * would resolve them, and a proxy in front of us may have judged by the path as it was written.
 *
 * @param target origin-form (`/a?b`), or absolute-form of the same origin (RFC 9112, section 3.2)
 */
export function requestUrl(target: string, origin: string): URL | undefined {
  const path = target.startsWith("/") ? target : pathOfAbsolute(target, origin);
  const [written = ""] = path?.split(/[?#]/, 1) ?? [];
  if (path === undefined || /\\|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(written)) return undefined;
  try {
    return new URL(`${origin}${path}`);
  } catch {
    return undefined;
  }
}

function pathOfAbsolute(target: string, origin: string): string | undefined {
  const [, theirs, path = ""] = /^(https?:\/\/[^/?#]+)(.*)$/i.exec(target) ?? [];
  if (theirs === undefined || theirs.includes("@") || URL.parse(theirs)?.origin !== origin)
    return undefined;
  return path.startsWith("/") ? path : `/${path}`;
}
