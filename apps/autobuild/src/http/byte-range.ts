import type { Context } from "hono";

/** Bytes from one offset up to and without another. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** One range of bytes (RFC 9110, section 14.1.2). Undefined: all; `none`: beyond the end. Several ranges get all. */
export function rangeOf(
  header: string | undefined,
  length: number,
): ByteRange | undefined | "none" {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const to = first === "" || last === "" ? length : Math.min(Number(last) + 1, length);
  return from >= length || to <= from ? "none" : { from, to };
}

/** What answers a request for bytes, or for a range of them. */
export interface ByteAnswer {
  readonly length: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes from an offset up to and without another. */
  readonly stream: (
    from: number,
    to: number,
  ) => ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>;
}

/** Answers with bytes, or with the range of them that is asked for. */
export async function sendBytes(
  context: Context,
  { length, headers, stream }: ByteAnswer,
): Promise<Response> {
  const range = rangeOf(context.req.header("range"), length);
  if (range === "none")
    return context.body(null, 416, { ...headers, "Content-Range": `bytes */${length}` });
  const { from, to } = range ?? { from: 0, to: length };
  return context.body(await stream(from, to), range === undefined ? 200 : 206, {
    ...headers,
    "Accept-Ranges": "bytes",
    "Content-Length": String(to - from),
    ...(range === undefined ? {} : { "Content-Range": `bytes ${from}-${to - 1}/${length}` }),
  });
}
