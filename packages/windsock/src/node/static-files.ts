import { existsSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, type Readable } from "node:stream";
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
  const lengths = new WeakMap<ServerResponse, number>();
  const serve = sirv(folder, {
    dev,
    etag: true,
    maxAge: 0,
    setHeaders(response, _path, { size }) {
      response.setHeader("X-Content-Type-Options", "nosniff");
      lengths.set(response, size);
    },
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
    response.once("pipe", (file: Readable) => {
      // Of a range sirv reads so much and no more.
      const length = response.statusCode === 206 ? Infinity : (lengths.get(response) ?? 0);
      guard(file, response, length);
    });
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

/**
 * sirv pipes a file up to its end, wherever that is by then: what is beyond the length that was said would be read
 * as the head of the next answer. It has no listener for a file's errors, and leaves it open when the reader goes.
 */
function guard(file: Readable, response: ServerResponse, length: number): void {
  file.unpipe(response);
  // Whatever fails, the file is closed and the answer broken off: that is all there is to do.
  pipeline(
    file,
    (chunks: AsyncIterable<Buffer>) => cut(chunks, length),
    response,
    () => {},
  );
}

async function* cut(chunks: AsyncIterable<Buffer>, length: number): AsyncIterable<Buffer> {
  let left = length;
  for await (const chunk of chunks) {
    yield chunk.length <= left ? chunk : chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
  // It has become shorter. The reader would wait for what does not come.
  if (left > 0 && left < Infinity) throw new Error("The file has changed.");
}
