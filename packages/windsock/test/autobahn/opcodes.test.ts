import { describeCases, type Case } from "./conversation.ts";
import { chopped, frame, ping, text } from "./raw-client.ts";

const reserved = [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf];

const cases = reserved.flatMap((opcode): Case[] => {
  const head = 0x80 | opcode;
  const what = `the reserved opcode ${opcode.toString(16)} (${head.toString(16)})`;
  const frames = [text("first"), frame(head, "reserved"), ping("never")];
  const gives: Case["gives"] = { messages: [[0x81, "first"]], close: "03ea" };
  return [
    {
      name: `${what} closes with 1002, empty`,
      writes: [frame(head)],
      gives: { close: "03ea" },
    },
    {
      name: `${what} closes with 1002, with a payload`,
      writes: [frame(head, "reserved payload")],
      gives: { close: "03ea" },
    },
    {
      name: `${what} closes with 1002 as a fragment`,
      writes: [frame(opcode, "reserved payload")],
      gives: { close: "03ea" },
    },
    {
      name: `${what} closes with 1002 inside a message`,
      writes: [frame(0x01, "begun"), frame(head, "reserved")],
      gives: { close: "03ea" },
    },
    {
      name: `${what} leaves the echo of what came before it, frame by frame`,
      writes: frames,
      gives,
    },
    {
      name: `${what} leaves the echo of what came before it, in one read`,
      writes: [Buffer.concat(frames)],
      gives,
    },
    {
      name: `${what} leaves the echo of what came before it, byte by byte`,
      writes: chopped(frames, 1),
      gives,
    },
  ];
});

describeCases("4 reserved opcodes (RFC 6455, section 5.2)", cases);
