import type { IncomingMessage } from "node:http";
import type { RawHeaders } from "./raw-headers.ts";

/** What is known of a request before its body: what each decision here is made from. */
export interface RequestHead {
  readonly method: string;
  /** The target of the request line, as it came: `/websocket/status?x=1`. */
  readonly url: string;
  /** `"1.1"` */
  readonly httpVersion: string;
  readonly rawHeaders: RawHeaders;
  /** Whether it came over TLS. */
  readonly secure: boolean;
}

export function requestHead(request: IncomingMessage): RequestHead {
  return {
    method: request.method ?? "GET",
    url: request.url ?? "/",
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    // A TLSSocket has it, and it is always true.
    secure: "encrypted" in request.socket && request.socket.encrypted === true,
  };
}
