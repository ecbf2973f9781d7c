import { describeCases, type Case } from "./conversation.ts";
import {
  chopped,
  close,
  closePayload,
  frame,
  last,
  middle,
  ping,
  pong,
  text,
  textStart,
} from "./raw-client.ts";

const long = "*".repeat(65_536);
const empty = frame(0x88);
const hexOf = (code: number, reason = ""): string => closePayload(code, reason).toString("hex");

// `ws` answers a close frame, or a fault, as soon as it reads it; what a service says to the
// messages before it in the same read came later, and was dropped, as no data may follow a close
// frame. Here and in the other groups: "in one read".
const sequences: Case[] = [
  {
    name: "a message and a close frame behind it: the echo, then the answer",
    writes: [text("Hello World!"), close(1000)],
    gives: { messages: [[0x81, "Hello World!"]], close: "03e8" },
  },
  {
    name: "a message and a close frame in one read: the echo, then the answer",
    writes: [Buffer.concat([text("Hello World!"), close(1000)])],
    gives: { messages: [[0x81, "Hello World!"]], close: "03e8" },
  },
  {
    name: "many messages and a close frame in one read: every echo, then the answer",
    writes: [Buffer.concat([...Array.from({ length: 50 }, (_, at) => text(`${at}`)), close(1000)])],
    gives: {
      messages: Array.from({ length: 50 }, (_, at) => [0x81, `${at}`] as const),
      close: "03e8",
    },
  },
  {
    name: "a ping and a close frame in one read: the pong, then the answer",
    writes: [Buffer.concat([ping("ping"), close(1000)])],
    gives: { pongs: ["ping"], close: "03e8" },
  },
  {
    name: "65536 bytes, a close frame and a ping: the echo, the answer, no pong",
    writes: [Buffer.concat([text(long), close(1000), ping("never")])],
    gives: { messages: [[0x81, long]], close: "03e8" },
  },
  {
    name: "a second close frame is not answered",
    writes: [close(1000), close(1001)],
    gives: { close: "03e8" },
  },
  {
    name: "a second close frame in the same read is not answered",
    writes: [Buffer.concat([close(1000), close(1001)])],
    gives: { close: "03e8" },
  },
  {
    name: "a ping behind a close frame is not answered",
    writes: [close(1000), ping("never")],
    gives: { close: "03e8" },
  },
  {
    name: "a pong behind a close frame does nothing",
    writes: [Buffer.concat([close(1000), pong("never")])],
    gives: { close: "03e8" },
  },
  {
    name: "text behind a close frame does not come back",
    writes: [close(1000), text("never")],
    gives: { close: "03e8" },
  },
  {
    name: "text behind a close frame in the same read does not come back",
    writes: [Buffer.concat([close(1000), text("never")])],
    gives: { close: "03e8" },
  },
  {
    name: "bytes that are no frames behind a close frame do nothing",
    writes: [Buffer.concat([close(1000), Buffer.from("ffffffffffff", "hex")])],
    gives: { close: "03e8" },
  },
  {
    name: "a close frame while a message is open is answered, and the message is dropped",
    writes: [textStart("fragment1"), middle("fragment2"), close(1000), last("fragment3")],
    gives: { close: "03e8" },
  },
  {
    name: "a close frame while a message is open is answered, in one read",
    writes: [Buffer.concat([textStart("fragment1"), close(1000), last("fragment2")])],
    gives: { close: "03e8" },
  },
  {
    name: "an end right behind the close frame does not keep the answer away",
    writes: [close(1000)],
    ends: true,
    gives: { close: "03e8" },
  },
  {
    name: "a message, a close frame and the end right behind it: the echo, then the answer",
    writes: [Buffer.concat([text("Hello World!"), close(1000)])],
    ends: true,
    gives: { messages: [[0x81, "Hello World!"]], close: "03e8" },
  },
  {
    name: "an end behind half a header is followed by the server's, without a close frame",
    writes: [text("Hello World!"), text("cut").subarray(0, 1)],
    ends: true,
    gives: { messages: [[0x81, "Hello World!"]], close: "dropped" },
  },
  {
    name: "an end inside a frame is followed by the server's, without a close frame",
    writes: [text("Hello World!").subarray(0, 9)],
    ends: true,
    gives: { close: "dropped" },
  },
];

const payloads: Case[] = [
  {
    name: "an empty close frame is answered with one (8800)",
    writes: [empty],
    gives: { close: "" },
  },
  {
    name: "a close frame of one byte closes with 1002",
    writes: [frame(0x88, "\x03")],
    gives: { close: "03ea" },
  },
  {
    name: "a code without a reason comes back",
    writes: [close(1000)],
    gives: { close: "03e8" },
  },
  {
    name: "a code and a reason come back",
    writes: [close(1000, "Hello World!")],
    gives: { close: hexOf(1000, "Hello World!") },
  },
  {
    name: "a reason that is not ASCII comes back",
    writes: [close(1000, "\u03ba\u1f79\u03c3\u03bc\u03b5 \u{1f600}")],
    gives: { close: hexOf(1000, "\u03ba\u1f79\u03c3\u03bc\u03b5 \u{1f600}") },
  },
  {
    name: "a reason of 123 bytes comes back",
    writes: [close(1000, "*".repeat(123))],
    gives: { close: hexOf(1000, "*".repeat(123)) },
  },
  {
    name: "a reason of 124 bytes closes with 1002",
    writes: [close(1000, "*".repeat(124))],
    gives: { close: "03ea" },
  },
  {
    name: "a close frame that arrives byte by byte is answered",
    writes: chopped([close(1000, "bit by bit")], 1),
    gives: { close: hexOf(1000, "bit by bit") },
  },
  ...["ff", "cebae1bdb9cf83cebcceb5eda080656469746564", "c3", "eda080", "c0af"].map(
    (digits): Case => ({
      name: `a reason that is not UTF-8 (${digits}) closes with 1007`,
      writes: [close(1000, Buffer.from(digits, "hex"))],
      gives: { close: "03ef" },
    }),
  ),
];

/** RFC 6455, section 7.4, and the IANA registry, which has 1012, 1013 and 1014 too. */
const sendable = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const unsendable = [
  0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32_768, 65_535,
];

const codes: Case[] = [
  ...sendable.map((code): Case => ({
    name: `the code ${code} (${hexOf(code)}) comes back`,
    writes: [close(code)],
    gives: { close: hexOf(code) },
  })),
  ...unsendable.flatMap((code): Case[] => [
    {
      name: `the code ${code} (${hexOf(code)}) may not be sent: 1002`,
      writes: [close(code)],
      gives: { close: "03ea" },
    },
    {
      name: `the code ${code} (${hexOf(code)}) may not be sent with a reason either: 1002`,
      writes: [close(code, "reason")],
      gives: { close: "03ea" },
    },
  ]),
];

describeCases("7 closing (RFC 6455, sections 5.5.1 and 7)", [...sequences, ...payloads, ...codes]);
