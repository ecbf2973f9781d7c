import { quote } from "./refusal.ts";

/** The sub-protocol of `<base>/websocket`. No service can list it. */
export const windsockProtocol = "windsock.v1";

/** `protocol` undefined: the answer carries no Sec-WebSocket-Protocol (RFC 6455, section 4.2.2). */
export type Negotiation =
  | { readonly type: "agreed"; readonly protocol: string | undefined }
  | { readonly type: "fault"; readonly sentence: string };

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Chooses the first of the client's sub-protocols that the service lists.
 *
 * - A client that offers none is plain, whatever the service lists.
 * - A service that lists none takes any offer and chooses none. Browsers then close: a page that
 *   names a protocol wants an answer. Other clients carry on.
 * - A service that lists some refuses a client that offers only others.
 *
 * @param offers the values of all Sec-WebSocket-Protocol fields
 */
export function negotiateProtocol(
  offers: readonly string[],
  listed: readonly string[],
): Negotiation {
  if (offers.length === 0) return { type: "agreed", protocol: undefined };
  const [only = ""] = offers;
  // What our client and most others offer: one that is listed, and nothing else.
  if (offers.length === 1 && listed.includes(only) && token.test(only))
    return { type: "agreed", protocol: only };
  const offered = offers.flatMap((value) => value.split(",")).map((each) => each.trim());
  const odd = offered.find((each) => !token.test(each));
  if (odd !== undefined) {
    const sentence = `Expected the names in Sec-WebSocket-Protocol to be tokens (RFC 9110, section 5.6.2), got ${quote(odd)}.`;
    return { type: "fault", sentence };
  }
  if (new Set(offered).size < offered.length) {
    const sentence = `Expected each name in Sec-WebSocket-Protocol once (RFC 6455, section 4.1), got ${quote(offered.join(", "))}.`;
    return { type: "fault", sentence };
  }
  const protocol = offered.find((each) => listed.includes(each));
  if (protocol !== undefined) return { type: "agreed", protocol };
  if (listed.length > 0) {
    const sentence = `Expected one of the sub-protocols ${listed.join(", ")}, or none, got ${quote(offered.join(", "))}.`;
    return { type: "fault", sentence };
  }
  return { type: "agreed", protocol: undefined };
}
