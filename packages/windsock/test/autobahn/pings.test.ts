import { describeCases, type Case } from "./conversation.ts";
import { chopped, frame, last, middle, ping, pong, text, textStart } from "./raw-client.ts";

const bytes = Buffer.from("00fffefdfcfb00ff", "hex");
const letters = "*".repeat(125);
const numbered = Array.from({ length: 10 }, (_, index) => `payload ${index}`);
const many = Array.from({ length: 2000 }, (_, index) => `${index}`);

const cases: Case[] = [
  {
    name: "a ping without a payload is answered with an empty pong (8a00)",
    writes: [ping()],
    gives: { pongs: [""] },
  },
  {
    name: "a ping's text comes back in the pong",
    writes: [ping("Hello, world!")],
    gives: { pongs: ["Hello, world!"] },
  },
  {
    name: "a ping's bytes come back in the pong, UTF-8 or not",
    writes: [ping(bytes)],
    gives: { pongs: [bytes] },
  },
  {
    name: "a ping of 125 bytes is answered",
    writes: [ping(letters)],
    gives: { pongs: [letters] },
  },
  {
    name: "a ping of 126 bytes closes with 1002",
    writes: [ping(`${letters}*`)],
    gives: { close: "03ea" },
  },
  {
    name: "a ping whose length is written in 64 bits closes with 1002",
    writes: [frame(0x89, "hi", { lengthBits: 64 })],
    gives: { close: "03ea" },
  },
  {
    name: "a ping of 125 bytes may arrive byte by byte",
    writes: chopped([ping(letters)], 1),
    gives: { pongs: [letters] },
  },
  {
    name: "a pong that nobody asked for is ignored",
    writes: [pong()],
    gives: {},
  },
  {
    name: "a pong with a payload that nobody asked for is ignored",
    writes: [pong("unsolicited")],
    gives: {},
  },
  {
    name: "a pong of 126 bytes closes with 1002",
    writes: [pong(`${letters}*`)],
    gives: { close: "03ea" },
  },
  {
    name: "an unsolicited pong does not stand for an answer to the ping behind it",
    writes: [pong("unsolicited"), ping("ping")],
    gives: { pongs: ["ping"] },
  },
  {
    name: "ten pings are answered in their order",
    writes: numbered.map((each) => ping(each)),
    gives: { pongs: numbered },
  },
  {
    name: "ten pings in one read are answered in their order",
    writes: [Buffer.concat(numbered.map((each) => ping(each)))],
    gives: { pongs: numbered },
  },
  {
    name: "ten pings that arrive byte by byte are answered in their order",
    writes: chopped(
      numbered.map((each) => ping(each)),
      1,
    ),
    gives: { pongs: numbered },
  },
  {
    name: "2000 pings in one read are answered in their order",
    writes: [Buffer.concat(many.map((each) => ping(each)))],
    gives: { pongs: many },
  },
  {
    name: "a ping between fragments is answered, and the message comes back whole",
    writes: [textStart("frag"), ping("between"), last("ment")],
    gives: { messages: [[0x81, "fragment"]], pongs: ["between"] },
  },
  {
    name: "a ping behind each of many fragments is answered",
    writes: [
      Buffer.concat([
        textStart("a"),
        ping("1"),
        middle("b"),
        ping("2"),
        middle("c"),
        ping("3"),
        last("d"),
        ping("4"),
      ]),
    ],
    gives: { messages: [[0x81, "abcd"]], pongs: ["1", "2", "3", "4"] },
  },
  {
    name: "pings between messages take nothing from them",
    writes: [Buffer.concat([ping("1"), text("a"), ping("2"), text("b"), ping("3")])],
    gives: {
      messages: [
        [0x81, "a"],
        [0x81, "b"],
      ],
      pongs: ["1", "2", "3"],
    },
  },
];

describeCases("2 pings and pongs (RFC 6455, sections 5.5.2 and 5.5.3)", cases);
