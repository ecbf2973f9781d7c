import type { RawHeaders } from "./raw-headers.ts";

/**
 * What is known of a request before its body: what each decision here is made from. Node's
 * `IncomingMessage` has all of it but `secure`.
 */
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
