import { deflateRawSync } from "node:zlib";
import { describeCases, type Answer, type Case } from "./conversation.ts";
import { binary, chopped, frame, last, middle, ping, text, textStart } from "./raw-client.ts";

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

// ---------- agreed on ----------

const offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
const agreed = [
  "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
];
const compressing = (name: string, writes: Buffer[], gives: Answer): Case => ({
  name,
  headers: offer,
  writes,
  gives: { agreed, ...gives },
});
const textDeflated = (payload: string): Buffer => frame(0xc1, deflated(payload));

const roundTrips = [
  0, 1, 16, 64, 256, 1023, 1024, 1025, 4096, 8192, 16_384, 32_768, 65_536,
].flatMap((size): Case[] => {
  const message = json(size);
  const whole = deflated(message);
  const third = Math.ceil(whole.length / 3);
  const echo = { messages: [[0x81, message]] as const };
  return [
    compressing(
      `20 compressed messages of ${size} bytes`,
      Array<Buffer>(20).fill(textDeflated(message)),
      {
        messages: Array.from({ length: 20 }, () => [0x81, message] as const),
      },
    ),
    compressing(
      `a compressed message of ${size} bytes in fragments, with a ping between`,
      [
        frame(0x41, whole.subarray(0, third)),
        ping("between"),
        middle(whole.subarray(third, 2 * third)),
        last(whole.subarray(2 * third)),
      ],
      { ...echo, pongs: ["between"] },
    ),
    compressing(`a message of ${size} bytes that is not compressed`, [text(message)], echo),
    compressing(
      `compressed bytes, ${size} of them, that arrive in small writes`,
      chopped([frame(0xc2, whole)], 997),
      {
        messages: [[0x82, message]],
      },
    ),
  ];
});

const one = "RFC 7692, section 7.2.3";
const examples: Case[] = [
  compressing(`${one}.1: Hello in one block`, [frame(0xc1, hello)], {
    messages: [[0x81, "Hello"]],
  }),
  compressing(
    `${one}.1: Hello in two fragments`,
    [frame(0x41, hello.subarray(0, 3)), last(hello.subarray(3))],
    {
      messages: [[0x81, "Hello"]],
    },
  ),
  compressing(
    `${one}.3: Hello without compression`,
    [frame(0xc1, Buffer.from("000500faff48656c6c6f00", "hex"))],
    {
      messages: [[0x81, "Hello"]],
    },
  ),
  compressing(
    `${one}.4: Hello in a block that is marked as the last`,
    [frame(0xc1, Buffer.from("f348cdc9c9070000", "hex"))],
    {
      messages: [[0x81, "Hello"]],
    },
  ),
  compressing(
    `${one}.5: Hello in two blocks`,
    [frame(0xc1, Buffer.from("f24805000000ffffcac9c90700", "hex"))],
    {
      messages: [[0x81, "Hello"]],
    },
  ),
  compressing(`${one}.6: nothing, in one byte`, [frame(0xc1, Buffer.of(0))], {
    messages: [[0x81, ""]],
  }),
];

const bomb = deflated("*".repeat(64 * 1024 * 1024));
const faults: Case[] = [
  compressing(
    "a message that is too big when it is taken out of its compression closes with 1009",
    [textDeflated("*".repeat(65_537))],
    { close: "03f1" },
  ),
  compressing("64 MiB in 65,244 bytes close with 1009", [frame(0xc1, bomb.subarray(0, 65_244))], {
    close: "03f1",
  }),
  compressing(
    "bytes that no compression gives close with 1007",
    [frame(0xc1, Buffer.from("ffffffff", "hex"))],
    { close: "03ef" },
  ),
  compressing(
    "text that is not UTF-8 behind its compression closes with 1007",
    [frame(0xc1, deflateRawSync(Buffer.from("c328", "hex"), { finishFlush: 2 }).subarray(0, -4))],
    { close: "03ef" },
  ),
  compressing(
    "RSV1 on a later fragment closes with 1002",
    [frame(0x41, hello.subarray(0, 3)), frame(0xc0, hello.subarray(3))],
    { close: "03ea" },
  ),
  compressing("RSV1 on a ping closes with 1002", [frame(0xc9, "x")], { close: "03ea" }),
  compressing("RSV1 on a close frame closes with 1002", [frame(0xc8)], { close: "03ea" }),
  compressing("RSV2 closes with 1002", [frame(0xa1, "x")], { close: "03ea" }),
  compressing("RSV1 and RSV3 close with 1002", [frame(0xd1, "x")], { close: "03ea" }),
  compressing(
    "a fault leaves the echo of what came before it, in one read",
    [Buffer.concat([textDeflated("first"), frame(0xc9, "x")])],
    {
      messages: [[0x81, "first"]],
      close: "03ea",
    },
  ),
];

const otherwise: Case[] = [
  {
    name: "nobody who does not offer it is given it",
    writes: [text(json(4096))],
    gives: { messages: [[0x81, json(4096)]] },
  },
  {
    name: "who does not offer it may not use it",
    writes: [textDeflated("x")],
    gives: { close: "03ea" },
  },
  {
    name: "an offer that names another extension is declined",
    headers: ["Sec-WebSocket-Extensions: x-webkit-deflate-frame"],
    writes: [text("x")],
    gives: { messages: [[0x81, "x"]] },
  },
];

describeCases(
  "12 compression is agreed on (RFC 7692)",
  [...examples, ...roundTrips, ...otherwise],
  { isCompressing: true },
);
describeCases("13 faults of compression", faults, { isCompressing: true });
