import { quote } from "./refusal.ts";

/** `answer`: the value of `Sec-WebSocket-Extensions` in the 101; undefined: no compression. */
export type DeflateAgreement =
  | { readonly type: "agreed"; readonly answer: string | undefined }
  | { readonly type: "fault"; readonly sentence: string };

type Offer = { readonly name: string; readonly params: readonly (readonly [string, string])[] };

const name = "permessage-deflate";
const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const extensionPattern = new RegExp(
  `^(${token})((?:[ \\t]*;[ \\t]*${token}(?:[ \\t]*=[ \\t]*(?:${token}|"${token}"))?)*)$`,
);
const paramPattern = new RegExp(`(${token})(?:[ \\t]*=[ \\t]*"?(${token})"?)?`, "g");
/** Offers in one request that are looked at. */
const maxOffers = 16;

/**
 * Chooses the first offer of permessage-deflate that this server can keep (RFC 7692, section 5.1).
 * Both sides compress each message by itself: a broadcast is then the same for everybody, and
 * nobody needs a window of 32 KiB between messages.
 *
 * @param offers the value of all Sec-WebSocket-Extensions fields, with commas between
 */
export function negotiateDeflate(offers: string): DeflateAgreement {
  const none: DeflateAgreement = { type: "agreed", answer: undefined };
  if (offers.trim() === "") return none;
  const texts = offers.split(",").map((each) => each.trim());
  for (const text of texts.slice(0, maxOffers)) {
    if (text === "") continue;
    const offer = parse(text);
    if (offer === undefined) {
      const sentence = `Expected Sec-WebSocket-Extensions to be a list of extensions (RFC 6455, section 9.1), got ${quote(offers)}.`;
      return { type: "fault", sentence };
    }
    const answer = offer.name === name ? answerTo(offer) : undefined;
    if (answer !== undefined) return { type: "agreed", answer };
  }
  return none;
}

/** Undefined: it asks for what we do not do, or for what there is not. Then the next offer counts, if there is one. */
function answerTo({ params }: Offer): string | undefined {
  const seen = new Set<string>();
  let window = "";
  for (const [param, value] of params) {
    if (seen.has(param)) return undefined;
    seen.add(param);
    switch (param) {
      case "server_no_context_takeover":
      case "client_no_context_takeover":
        if (value !== "") return undefined;
        break;
      case "server_max_window_bits":
        // One size for all, which is the largest: a broadcast is compressed once.
        if (value !== "15") return undefined;
        window = "; server_max_window_bits=15";
        break;
      case "client_max_window_bits":
        // Whatever it is, we can read it.
        if (value !== "" && !/^(?:8|9|1[0-5])$/.test(value)) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return `${name}; server_no_context_takeover; client_no_context_takeover${window}`;
}

function parse(text: string): Offer | undefined {
  const [, extension, rest] = extensionPattern.exec(text) ?? [];
  if (extension === undefined || rest === undefined) return undefined;
  const params = [...rest.matchAll(paramPattern)].map(
    ([, param = "", value = ""]) => [param, value] as const,
  );
  return { name: extension, params };
}
