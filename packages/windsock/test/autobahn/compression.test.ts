import { deflateRawSync } from "node:zlib";
import { describeCases, type Case } from "./conversation.ts";
import { binary, frame, last, ping, text, textStart } from "./raw-client.ts";

/** `Hello`, compressed as RFC 7692, section 7.2.3.1, has it. */
const hello = Buffer.from("f248cdc9c90700", "hex");
/** A message of permessage-deflate: without the four bytes that end a flush (RFC 7692, section 7.2.1). */
const deflated = (payload: string): Buffer =>
  deflateRawSync(payload, { finishFlush: 2 /* Z_SYNC_FLUSH */ }).subarray(0, -4);

const offers: readonly (readonly [what: string, lines: readonly string[]])[] = [
  ["permessage-deflate as browsers offer it", ["permessage-deflate; client_max_window_bits"]],
  ["permessage-deflate alone", ["permessage-deflate"]],
  [
    "permessage-deflate without context",
    ["permessage-deflate; server_no_context_takeover; client_no_context_takeover"],
  ],
  [
    "permessage-deflate with the smallest windows",
    ["permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"],
  ],
  [
    "permessage-deflate with the largest windows",
    ['permessage-deflate; server_max_window_bits="15"; client_max_window_bits=15'],
  ],
  [
    "permessage-deflate with a window that there is not",
    ["permessage-deflate; server_max_window_bits=99"],
  ],
  ["permessage-deflate with a parameter that it has not", ["permessage-deflate; level=9"]],
  [
    "permessage-deflate twice, to fall back on",
    ["permessage-deflate; server_max_window_bits=10, permessage-deflate"],
  ],
  ["permessage-deflate on a second line", ["x-unknown", "permessage-deflate"]],
  ["an older extension", ["x-webkit-deflate-frame"]],
  ["extensions called like what every object has", ["constructor, __proto__, toString"]],
  // RFC 6455, section 9.1, would have a server that reads extensions fail here. Who knows none need not read them.
  ["something that is no list of extensions", ["permessage-deflate; ;= ,,"]],
];

const declined = offers.flatMap(([what, lines]): Case[] => {
  const headers = lines.map((line) => `Sec-WebSocket-Extensions: ${line}`);
  return [
    {
      name: `${what}: not agreed on, and messages go both ways as they are`,
      headers,
      writes: [text("plain"), binary(hello)],
      gives: {
        messages: [
          [0x81, "plain"],
          [0x82, hello],
        ],
      },
    },
    {
      name: `${what}: not agreed on, so a compressed message (c1 f248cdc9c90700) closes with 1002`,
      headers,
      writes: [frame(0xc1, hello)],
      gives: { close: "03ea" },
    },
  ];
});

const headers = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];

const compressed: Case[] = [
  {
    name: "compressed bytes (c2) close with 1002",
    headers,
    writes: [frame(0xc2, hello)],
    gives: { close: "03ea" },
  },
  {
    name: "a compressed empty message (c1 00) closes with 1002",
    headers,
    writes: [frame(0xc1, Buffer.of(0))],
    gives: { close: "03ea" },
  },
  {
    name: "a compressed message in fragments closes with 1002 at its first",
    headers,
    writes: [frame(0x41, hello.subarray(0, 3)), ping("never"), last(hello.subarray(3))],
    gives: { close: "03ea" },
  },
  {
    name: "RSV1 on a later fragment closes with 1002",
    headers,
    writes: [textStart("a"), frame(0xc0, hello)],
    gives: { close: "03ea" },
  },
  {
    name: "a compressed ping closes with 1002",
    headers,
    writes: [frame(0xc9, hello)],
    gives: { close: "03ea" },
  },
  {
    name: "64 MiB in one small frame close with 1002, unread",
    headers,
    writes: [frame(0xc1, deflated("*".repeat(64 * 1024 * 1024)).subarray(0, 60_000))],
    gives: { close: "03ea" },
  },
  {
    name: "a compressed message leaves the echo of what came before it, in one read",
    headers,
    writes: [Buffer.concat([text("first"), frame(0xc1, hello), ping("never")])],
    gives: { messages: [[0x81, "first"]], close: "03ea" },
  },
];

/** Text that compresses well, and is not all the same. */
function json(length: number): string {
  let all = "";
  for (let at = 0; all.length < length; at++)
    all += `{"id":${at},"name":"build ${at % 7}","state":"passed"},`;
  return all.slice(0, length);
}

const uncompressed = [16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536].flatMap(
  (size): Case[] => {
    const message = json(size);
    const bytes = deflated(json(size));
    return [
      {
        name: `20 messages of ${size} bytes come back uncompressed after an offer`,
        headers,
        writes: Array<Buffer>(20).fill(text(message)),
        gives: { messages: Array.from({ length: 20 }, () => [0x81, message] as const) },
      },
      {
        name: `what ${size} bytes compress to comes back as the bytes that it is`,
        headers,
        writes: [binary(bytes)],
        gives: { messages: [[0x82, bytes]] },
      },
    ];
  },
);

describeCases("12 compression is declined (RFC 7692, RFC 6455, section 9)", declined);
describeCases("13 without compression", [...compressed, ...uncompressed]);
