import { describeCases, type Case } from "./conversation.ts";
import { chopped, frame, ping, text } from "./raw-client.ts";

/** RSV1, RSV2, RSV3 as the bits 4, 2, 1: no extension is agreed on, so none may be set (RFC 6455, section 5.2). */
const bits = [1, 2, 3, 4, 5, 6, 7];
const headOf = (rsv: number, opcode: number): number => 0x80 | (rsv << 4) | opcode;

const alone = bits.flatMap((rsv) =>
  [
    [0x1, "text"],
    [0x2, "binary"],
    [0x8, "a close frame"],
    [0x9, "a ping"],
    [0xa, "a pong"],
  ].map(([opcode, what]): Case => {
    const head = headOf(rsv, Number(opcode));
    return {
      name: `RSV ${rsv} on ${what} (${head.toString(16)}) closes with 1002`,
      writes: [frame(head, opcode === 0x8 ? Buffer.from("03e8", "hex") : "hi")],
      gives: { close: "03ea" },
    };
  }),
);

const between = bits.flatMap((rsv): Case[] => {
  const frames = [text("first"), frame(headOf(rsv, 0x1), "reserved"), ping("never")];
  const gives: Case["gives"] = { messages: [[0x81, "first"]], close: "03ea" };
  return [
    {
      name: `what came before RSV ${rsv} is echoed and the ping behind it is not answered, frame by frame`,
      writes: frames,
      gives,
    },
    {
      name: `what came before RSV ${rsv} is echoed and the ping behind it is not answered, in one read`,
      writes: [Buffer.concat(frames)],
      gives,
    },
    {
      name: `what came before RSV ${rsv} is echoed and the ping behind it is not answered, byte by byte`,
      writes: chopped(frames, 1),
      gives,
    },
  ];
});

describeCases("3 reserved bits", [
  ...alone,
  ...between,
  {
    name: "a reserved bit on a continuation closes with 1002",
    writes: [frame(0x01, "a"), frame(0xc0, "b")],
    gives: { close: "03ea" },
  },
]);
