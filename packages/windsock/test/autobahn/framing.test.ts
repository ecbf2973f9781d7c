import { describeCases, type Case } from "./conversation.ts";
import { binary, chopped, frame, text } from "./raw-client.ts";

/** Both sides of each way to write a length (RFC 6455, section 5.2): 7 bits up to 125, 16 up to 65535, then 64. */
const lengths = [0, 1, 125, 126, 127, 128, 65_535, 65_536];

const whole = lengths.flatMap((length): Case[] => {
  const letters = "*".repeat(length);
  const bytes = Buffer.alloc(length, 0xfe);
  return [
    {
      name: `text of ${length} bytes comes back in one frame`,
      writes: [text(letters)],
      gives: { messages: [[0x81, letters]] },
    },
    {
      name: `${length} binary bytes come back in one frame`,
      writes: [binary(bytes)],
      gives: { messages: [[0x82, bytes]] },
    },
  ];
});

/** Small ones byte by byte; large ones in pieces that end anywhere. */
const inPieces = lengths.flatMap((length): Case[] => {
  const size = length <= 128 ? 1 : 997;
  const letters = "*".repeat(length);
  const bytes = Buffer.alloc(length, 0xfe);
  return [
    {
      name: `text of ${length} bytes may arrive in pieces of ${size}`,
      writes: chopped([text(letters)], size),
      gives: { messages: [[0x81, letters]] },
    },
    {
      name: `${length} binary bytes may arrive in pieces of ${size}`,
      writes: chopped([binary(bytes)], size),
      gives: { messages: [[0x82, bytes]] },
    },
  ];
});

const odd: Case[] = [
  {
    name: "several messages in one read come back one by one, in order",
    writes: [
      Buffer.concat([text("one"), binary(Buffer.from("00ff", "hex")), text(""), text("two")]),
    ],
    gives: {
      messages: [
        [0x81, "one"],
        [0x82, Buffer.from("00ff", "hex")],
        [0x81, ""],
        [0x81, "two"],
      ],
    },
  },
  {
    name: "bytes that look like a close frame are only bytes inside a message",
    writes: [binary(Buffer.from("8882 03e8 8900".replaceAll(" ", ""), "hex"))],
    gives: { messages: [[0x82, Buffer.from("888203e88900", "hex")]] },
  },
  {
    name: "binary bytes that are no UTF-8 come back as they are",
    writes: [binary(Buffer.from("c080eda080f8ff", "hex"))],
    gives: { messages: [[0x82, Buffer.from("c080eda080f8ff", "hex")]] },
  },
  {
    name: "a mask of zeros is a mask",
    writes: [frame(0x81, "plain", { mask: Buffer.alloc(4) })],
    gives: { messages: [[0x81, "plain"]] },
  },
  {
    name: "each frame has a mask of its own",
    writes: [
      Buffer.concat([
        frame(0x01, "a", { mask: Buffer.from("ffffffff", "hex") }),
        frame(0x80, "b", { mask: Buffer.from("01020304", "hex") }),
      ]),
    ],
    gives: { messages: [[0x81, "ab"]] },
  },
  {
    name: "an unmasked message closes with 1002",
    writes: [frame(0x81, "hi", { mask: undefined })],
    gives: { close: "03ea" },
  },
  {
    name: "an unmasked empty message closes with 1002",
    writes: [Buffer.from("8100", "hex")],
    gives: { close: "03ea" },
  },
  {
    name: "an unmasked continuation closes with 1002",
    writes: [frame(0x01, "a"), frame(0x80, "b", { mask: undefined })],
    gives: { close: "03ea" },
  },
  {
    name: "an unmasked ping closes with 1002",
    writes: [frame(0x89, "hi", { mask: undefined })],
    gives: { close: "03ea" },
  },
  {
    name: "an unmasked close frame closes with 1002",
    writes: [Buffer.from("880203e8", "hex")],
    gives: { close: "03ea" },
  },
  // RFC 6455, section 5.2: "the minimal number of bytes MUST be used". `ws` does not mind, nor do we.
  {
    name: "a length in more bytes than it needs is taken: 5 in 16 bits (fe0005)",
    writes: [frame(0x81, "hello", { lengthBits: 16 })],
    gives: { messages: [[0x81, "hello"]] },
  },
  {
    name: "a length in more bytes than it needs is taken: 5 in 64 bits (ff0000000000000005)",
    writes: [frame(0x81, "hello", { lengthBits: 64 })],
    gives: { messages: [[0x81, "hello"]] },
  },
];

describeCases("1 framing (RFC 6455, section 5.2)", [...whole, ...inPieces, ...odd]);
