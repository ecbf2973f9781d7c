import { existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import sirv from "sirv";
import { normalizeBase } from "../gateway/routes.ts";

export interface StaticFileOptions {
  /** Looks at the disk on each request, so that an edit shows. @default false: files are listed once */
  readonly dev?: boolean;
  /** The path that the folder is served below. @default "" */
  readonly base?: string;
}

/** Answers, or calls `next` where there is no such file. */
export type StaticFiles = (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => void;

/**
 * Serves the files of a folder, `index.html` for a folder's path. Files whose name begins with a
 * dot are hidden, but for `.well-known`. Browsers ask again each time, and get 304 by the ETag.
 * Without the folder, nothing is there.
 */
export function staticFiles(folder: string, options: StaticFileOptions = {}): StaticFiles {
  const { dev = false } = options;
  const base = normalizeBase(options.base);
  if (!dev && !existsSync(folder)) return (_request, _response, next) => next();
  const serve = sirv(folder, {
    dev,
    etag: true,
    maxAge: 0,
    setHeaders: (response) => response.setHeader("X-Content-Type-Options", "nosniff"),
  });

  return (request, response, next) => {
    const url = request.url ?? "/";
    const isRead = request.method === "GET" || request.method === "HEAD";
    const [pathname = ""] = url.split(/[?#]/, 1);
    if (!isRead || !isVisible(pathname)) return next();
    if (base !== "" && pathname === base) {
      // Without the slash, what the page links to relatively would be looked for beside the base.
      response.writeHead(308, { Location: `${base}/${url.slice(pathname.length)}` }).end();
      return;
    }
    if (!pathname.startsWith(`${base}/`)) return next();

    dropOddRange(request);
    response.once("pipe", (file: Readable) => guard(file, response));
    const restore = (): void => {
      request.url = url;
    };
    request.url = url.slice(base.length);
    try {
      serve(request, response, () => {
        restore();
        next();
      });
    } catch {
      // The file went between two looks at it.
      response.destroy();
    } finally {
      restore();
    }
  };
}

/** sirv hides dotfiles only when it does not look at the disk. */
function isVisible(pathname: string): boolean {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    return false;
  }
  return decoded.split(/[/\\]/).every((part) => !part.startsWith(".") || part === ".well-known");
}

/**
 * A Range may be ignored (RFC 9110, section 14.2). sirv takes a suffix (`-500`) for a beginning,
 * several ranges for one, and throws at one that ends before it begins.
 */
function dropOddRange(request: IncomingMessage): void {
  const [, from, to] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(request.headers.range ?? "") ?? [];
  const isPlain = from !== undefined && (!to || Number(to) >= Number(from));
  if (!isPlain) delete request.headers.range;
}

/** sirv pipes a file without a listener for its errors, and leaves it open when the reader goes. */
function guard(file: Readable, response: ServerResponse): void {
  file.once("error", () => response.destroy());
  response.once("close", () => file.destroy());
}
