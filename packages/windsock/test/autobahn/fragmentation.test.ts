import { describeCases, type Answer, type Case } from "./conversation.ts";
import {
  binary,
  binaryStart,
  chopped,
  fragmented,
  frame,
  last,
  middle,
  ping,
  text,
  textStart,
} from "./raw-client.ts";

/** The same frames in each way that TCP may hand them over. */
function allWays(what: string, frames: readonly Buffer[], gives: Answer): Case[] {
  return [
    { name: `${what}, frame by frame`, writes: frames, gives },
    { name: `${what}, in one read`, writes: [Buffer.concat(frames)], gives },
    { name: `${what}, byte by byte`, writes: chopped(frames, 1), gives },
  ];
}

const whole: Answer = { messages: [[0x81, "fragment1fragment2"]] };

const cases: Case[] = [
  ...allWays("a ping in fragments closes with 1002", [frame(0x09, "frag"), last("ment")], {
    close: "03ea",
  }),
  ...allWays("a pong in fragments closes with 1002", [frame(0x0a, "frag"), last("ment")], {
    close: "03ea",
  }),
  ...allWays("a close frame in fragments closes with 1002", [frame(0x08, "\x03"), last("\xe8")], {
    close: "03ea",
  }),
  ...allWays(
    "text in two fragments comes back as one message",
    [textStart("fragment1"), last("fragment2")],
    whole,
  ),
  ...allWays("bytes in two fragments come back as one message", [binaryStart("ab"), last("cd")], {
    messages: [[0x82, "abcd"]],
  }),
  ...allWays(
    "text in two fragments with a ping between comes back as one message, after the pong",
    [textStart("fragment1"), ping("ping"), last("fragment2")],
    { ...whole, pongs: ["ping"] },
  ),
  ...allWays(
    "a message of five fragments and two pings comes back once",
    [
      textStart("fragment1"),
      middle("fragment2"),
      ping("ping 1"),
      middle("fragment3"),
      middle("fragment4"),
      ping("ping 2"),
      last("fragment5"),
    ],
    {
      messages: [[0x81, "fragment1fragment2fragment3fragment4fragment5"]],
      pongs: ["ping 1", "ping 2"],
    },
  ),
  ...allWays("empty fragments are an empty message", [textStart(), middle(), last()], {
    messages: [[0x81, ""]],
  }),
  ...allWays(
    "empty fragments take nothing from those between",
    [textStart(), middle("a"), last()],
    {
      messages: [[0x81, "a"]],
    },
  ),
  ...allWays(
    "a last fragment without a first closes with 1002",
    [last("non-continuation"), text("never")],
    { close: "03ea" },
  ),
  ...allWays(
    "a middle fragment without a first closes with 1002",
    [middle("non-continuation"), text("never")],
    { close: "03ea" },
  ),
  ...allWays("an empty last fragment without a first closes with 1002", [last(), text("never")], {
    close: "03ea",
  }),
  ...allWays(
    "a last fragment behind a whole message closes with 1002, after its echo",
    [text("whole"), last("too much"), text("never")],
    { messages: [[0x81, "whole"]], close: "03ea" },
  ),
  ...allWays(
    "a last fragment behind a message of fragments closes with 1002, after its echo",
    [textStart("fragment1"), last("fragment2"), last("fragment3"), text("never")],
    { ...whole, close: "03ea" },
  ),
  ...allWays(
    "a middle fragment behind a message of fragments closes with 1002, after its echo",
    [textStart("fragment1"), last("fragment2"), middle("fragment3"), text("never")],
    { ...whole, close: "03ea" },
  ),
  ...allWays(
    "middle fragments without a first, with text between, close with 1002",
    [middle("1"), text("a"), middle("2"), text("b")],
    { close: "03ea" },
  ),
  ...allWays(
    "whole text inside a text in fragments closes with 1002",
    [textStart("fragment1"), text("second"), last("fragment2")],
    { close: "03ea" },
  ),
  ...allWays(
    "whole bytes inside a text in fragments close with 1002",
    [textStart("fragment1"), binary("second"), last("fragment2")],
    { close: "03ea" },
  ),
  ...allWays(
    "a second first fragment inside a message closes with 1002",
    [textStart("fragment1"), textStart("fragment2"), last("fragment3")],
    { close: "03ea" },
  ),
  ...allWays(
    "a message in fragments does not end with a first fragment of the other kind",
    [binaryStart("fragment1"), textStart("fragment2"), last("fragment3")],
    { close: "03ea" },
  ),
  ...allWays(
    "a message in fragments, then a whole one, then one in fragments: three echoes",
    [
      textStart("a"),
      last("b"),
      binary("c"),
      binaryStart("d"),
      ping("between"),
      middle("e"),
      last("f"),
    ],
    {
      messages: [
        [0x81, "ab"],
        [0x82, "c"],
        [0x82, "def"],
      ],
      pongs: ["between"],
    },
  ),
];

describeCases("5 fragmentation (RFC 6455, section 5.4)", cases);

const long = "*".repeat(65_536);
const bytes = Buffer.from(long);

describeCases("10 messages cut into frames by their sender", [
  {
    name: "text of 65536 bytes in frames of 1300 comes back as one message",
    writes: fragmented(0x01, long, Array<number>(50).fill(1300)),
    gives: { messages: [[0x81, long]] },
  },
  {
    name: "65536 bytes in frames of 1300 come back as one message",
    writes: fragmented(0x02, bytes, Array<number>(50).fill(1300)),
    gives: { messages: [[0x82, bytes]] },
  },
  {
    name: "text of 65536 bytes in frames of 1300, in reads that end anywhere, comes back as one message",
    writes: chopped(fragmented(0x01, long, Array<number>(50).fill(1300)), 977),
    gives: { messages: [[0x81, long]] },
  },
  {
    name: "two messages in frames of different sizes keep their bounds",
    writes: [
      ...fragmented(0x01, long, [1, 125, 126, 127, 65_000]),
      ...fragmented(0x02, bytes, [65_535]),
    ],
    gives: {
      messages: [
        [0x81, long],
        [0x82, bytes],
      ],
    },
  },
]);
