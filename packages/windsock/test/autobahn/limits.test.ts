import { describeCases, type Answer, type Case } from "./conversation.ts";
import {
  binary,
  chopped,
  fragmented,
  frame,
  last,
  middle,
  ping,
  text,
  textStart,
  binaryStart,
} from "./raw-client.ts";

const tooBig: Answer = { close: "03f1" };
const limit = 65_536;
const full = "*".repeat(limit);

const atTheLimit: Case[] = [
  {
    name: "text of 65536 bytes comes back",
    writes: [text(full)],
    gives: { messages: [[0x81, full]] },
  },
  { name: "text of 65537 bytes closes with 1009", writes: [text(`${full}*`)], gives: tooBig },
  {
    name: "65536 bytes come back",
    writes: [binary(full)],
    gives: { messages: [[0x82, full]] },
  },
  { name: "65537 bytes close with 1009", writes: [binary(`${full}*`)], gives: tooBig },
  {
    name: "65536 bytes in 16 fragments come back",
    writes: fragmented(0x01, full, Array<number>(15).fill(4096)),
    gives: { messages: [[0x81, full]] },
  },
  {
    name: "65537 bytes in fragments close with 1009, at the header of the one that goes beyond",
    writes: [textStart(full), frame(0x80, "", { length: 1n })],
    gives: tooBig,
  },
  {
    name: "an empty fragment behind 65536 bytes is still within",
    writes: [textStart(full), middle(), ping("still open"), last()],
    gives: { messages: [[0x81, full]], pongs: ["still open"] },
  },
  {
    name: "each message has the whole limit to itself",
    writes: [text(full), text(full), binary(full)],
    gives: {
      messages: [
        [0x81, full],
        [0x81, full],
        [0x82, full],
      ],
    },
  },
  {
    name: "65537 bytes behind a message leave its echo, in one read",
    writes: [Buffer.concat([text("first"), frame(0x82, "", { length: 65_537n })])],
    gives: { messages: [[0x81, "first"]], close: "03f1" },
  },
];

/** A header alone is enough: nothing of the payload need arrive. */
const announced = [
  65_537n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 32n + 1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
].flatMap((length): Case[] => {
  const header = frame(0x82, "", { length });
  const digits = header.subarray(2, 10).toString("hex");
  return [
    {
      name: `a frame that says it has ${length} bytes (${digits}) closes with 1009`,
      writes: [header],
      gives: tooBig,
    },
    {
      name: `a fragment that says it has ${length} bytes (${digits}) closes with 1009`,
      writes: [binaryStart("begun"), frame(0x80, "", { length })],
      gives: tooBig,
    },
  ];
});

const ones = (count: number): Buffer =>
  Buffer.concat([textStart("x"), ...Array<Buffer>(count - 2).fill(middle("x")), last("x")]);
const empties = (count: number): Buffer =>
  Buffer.concat([textStart(), ...Array<Buffer>(count - 2).fill(middle()), last()]);
/** A fragment for each 64 bytes of the limit. */
const most = 1024;

const fragments: Case[] = [
  {
    name: "a message of 1024 fragments comes back",
    writes: [ones(most)],
    gives: { messages: [[0x81, "x".repeat(most)]] },
  },
  {
    name: "a message of 1025 fragments closes with 1008",
    writes: [ones(most + 1)],
    gives: { close: "03f0" },
  },
  {
    name: "1024 empty fragments are an empty message",
    writes: [empties(most)],
    gives: { messages: [[0x81, ""]] },
  },
  {
    name: "1025 empty fragments close with 1008",
    writes: [empties(most + 1)],
    gives: { close: "03f0" },
  },
  {
    name: "pings between fragments do not count as any",
    writes: [
      ...Array.from({ length: 50 }, (_, at) =>
        Buffer.concat([at === 0 ? textStart("x") : middle("x"), ping(`${at}`)]),
      ),
      last("x"),
    ],
    gives: {
      messages: [[0x81, "x".repeat(51)]],
      pongs: Array.from({ length: 50 }, (_, at) => `${at}`),
    },
  },
];

const many: Case[] = [
  [0, 1000],
  [1, 1000],
  [125, 1000],
  [1000, 1000],
].map(([size = 0, count = 0]) => {
  const message = "*".repeat(size);
  return {
    name: `${count} messages of ${size} bytes come back, in order`,
    writes: chopped(Array<Buffer>(count).fill(text(message)), 32 * 1024),
    gives: { messages: Array.from({ length: count }, () => [0x81, message] as const) },
  };
});

describeCases("9 limits: a message of 65536 bytes", [
  ...atTheLimit,
  ...announced,
  ...fragments,
  ...many,
]);

const mebibytes = [1, 4, 16].flatMap((size): Case[] => {
  const bytes = size * 1024 * 1024;
  const letters = "*".repeat(bytes);
  return [
    {
      name: `text of ${size} MiB comes back`,
      writes: [text(letters)],
      gives: { messages: [[0x81, letters]] },
    },
    {
      name: `${size} MiB of bytes come back`,
      writes: [binary(letters)],
      gives: { messages: [[0x82, letters]] },
    },
    {
      name: `${size} MiB of bytes in fragments of 64 KiB come back`,
      writes: [Buffer.concat(fragmented(0x02, letters, Array<number>(size * 16).fill(65_536)))],
      gives: { messages: [[0x82, letters]] },
    },
  ];
});

describeCases(
  "9 limits: messages up to 16 MiB, where the server says so",
  [
    ...mebibytes,
    {
      name: "one byte more than 16 MiB closes with 1009",
      writes: [frame(0x82, "", { length: 2n ** 24n + 1n })],
      gives: tooBig,
    },
    {
      name: "1 MiB in writes of 4099 bytes comes back",
      writes: chopped([text("*".repeat(2 ** 20))], 4099),
      gives: { messages: [[0x81, "*".repeat(2 ** 20)]] },
    },
    {
      name: "4 MiB in fragments of 64 bytes come back: 65536 of them",
      writes: [
        Buffer.concat(fragmented(0x02, "*".repeat(2 ** 22), Array<number>(65_535).fill(64))),
      ],
      gives: { messages: [[0x82, "*".repeat(2 ** 22)]] },
    },
    {
      name: "4 MiB in fragments of 64 KiB come back, as text",
      writes: fragmented(0x01, "*".repeat(2 ** 22), Array<number>(63).fill(65_536)),
      gives: { messages: [[0x81, "*".repeat(2 ** 22)]] },
    },
  ],
  { maxPayloadBytes: 16 * 1024 * 1024 },
);
