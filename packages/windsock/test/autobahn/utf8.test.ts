import { describe, expect, test } from "vitest";
import {
  describeCases,
  expected,
  nothingWrong,
  useEchoServers,
  type Answer,
} from "./conversation.ts";
import { binary, chopped, fragmented, last, middle, ping, text, textStart } from "./raw-client.ts";

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex");

/** RFC 3629, section 4, and the Unicode standard, table 3-7. */
const valid: readonly (readonly [what: string, bytes: string])[] = [
  ["the word kosme in Greek", "ceba e1bdb9 cf83 cebc ceb5"],
  ["text of all four lengths: \u0024\u00a3\u20ac\u{10348}", "24 c2a3 e282ac f0908d88"],
  ["NUL, the first of one byte", "00"],
  ["U+007F, the last of one byte", "7f"],
  ["U+0080, the first of two", "c280"],
  ["U+07FF, the last of two", "dfbf"],
  ["U+0800, the first of three", "e0a080"],
  ["U+FFFF, the last of three", "efbfbf"],
  ["U+10000, the first of four", "f0908080"],
  ["U+10FFFF, the last of all", "f48fbfbf"],
  ["U+D7FF, the last before the surrogates", "ed9fbf"],
  ["U+E000, the first behind the surrogates", "ee8080"],
  ["U+FFFD, the replacement character", "efbfbd"],
  ["U+FFFE, which is no character", "efbfbe"],
  ["U+FDD0, which is no character", "efb790"],
  ["U+1FFFE and U+1FFFF, which are no characters", "f09fbfbe f09fbfbf"],
  ["a byte order mark before text", "efbbbf 61"],
  ["nothing but a byte order mark", "efbbbf"],
  ["a letter with a combining accent", "65 cc81"],
  ["a family in one emoji", "f09f91a8 e2808d f09f91a9 e2808d f09f91a7"],
];

const invalid: readonly (readonly [what: string, bytes: string])[] = [
  ["a surrogate between text", "ceba e1bdb9 cf83 cebc ceb5 eda080 656469746564"],
  ["a lonely continuation 80", "80"],
  ["a lonely continuation bf", "bf"],
  ["two continuations", "80bf"],
  ["seven continuations", "80bf80bf80bf80"],
  ["all continuations", Array.from({ length: 64 }, (_, at) => (0x80 + at).toString(16)).join("")],
  ["a start of two bytes and a space", "c320"],
  ["a start of three bytes and a space", "e120"],
  ["a start of four bytes and a space", "f120"],
  ["two bytes cut to one", "c3"],
  ["three bytes cut to one", "e2"],
  ["three bytes cut to two", "e282"],
  ["four bytes cut to one", "f0"],
  ["four bytes cut to two", "f090"],
  ["four bytes cut to three", "f09080"],
  ["incomplete sequences in a row", "c3 e282 f09080"],
  ["three bytes cut to two, then a letter", "e282 61"],
  ["fe, which never is", "fe"],
  ["ff, which never is", "ff"],
  ["fe fe ff ff", "fefeffff"],
  ["U+110000, beyond the last", "f4908080"],
  ["f5, a start beyond the last", "f5808080"],
  ["a sequence of five bytes", "f888808080"],
  ["a sequence of six bytes", "fc8480808080"],
  ["the last of five bytes", "fbbfbfbfbf"],
  ["the last of six bytes", "fdbfbfbfbfbf"],
  ["a slash in two bytes", "c0af"],
  ["a slash in three bytes", "e080af"],
  ["a slash in four bytes", "f08080af"],
  ["U+007F in two bytes", "c1bf"],
  ["U+07FF in three bytes", "e09fbf"],
  ["U+FFFF in four bytes", "f08fbfbf"],
  ["NUL in two bytes", "c080"],
  ["NUL in three bytes", "e08080"],
  ["NUL in four bytes", "f0808080"],
  ["U+D800, the first surrogate", "eda080"],
  ["U+DB7F, a surrogate", "edadbf"],
  ["U+DB80, a surrogate", "edae80"],
  ["U+DBFF, the last high surrogate", "edafbf"],
  ["U+DC00, the first low surrogate", "edb080"],
  ["U+DFFF, the last surrogate", "edbfbf"],
  ["a pair of surrogates", "eda080 edb080"],
  ["another pair of surrogates", "edafbf edbfbf"],
];

/** The same text whole, byte by byte, a byte a fragment, and in two fragments cut at each place. */
function allWays(bytes: Buffer): readonly (readonly Buffer[])[] {
  return [
    [text(bytes)],
    chopped([text(bytes)], 1),
    fragmented(0x01, bytes, Array<number>(bytes.length).fill(1)),
    ...Array.from({ length: bytes.length }, (_, at) => fragmented(0x01, bytes, [at])),
  ];
}

for (const [group, rows, close] of [
  ["6 valid UTF-8", valid, undefined],
  ["6 invalid UTF-8", invalid, "03ef"],
] as const) {
  describe(`${group}, whole and cut at every byte`, () => {
    const pair = useEchoServers();
    for (const [what, digits] of rows) {
      const bytes = hex(digits);
      const answer: Answer = close === undefined ? { messages: [[0x81, bytes]] } : { close };
      const ends = close === undefined ? "comes back as it was" : "closes with 1007";
      test(`${what} (${digits}) ${ends}`, async () => {
        const ways = allWays(bytes);
        const got = ways.map((writes) => pair.answers({ writes, gives: answer }));
        expect(await Promise.all(got)).toEqual(ways.map(() => expected(answer)));
      });
    }
    test("all the while nobody else noticed, and nobody is left behind", async () => {
      expect(await pair.aftermath()).toEqual(nothingWrong);
    });
  });
}

const broken = hex("ceba e1bdb9 cf83 cebc ceb5 f4908080");

// Both look at a message when it is whole: allowed (RFC 6455, section 8.1, asks for no more), though not
// fail-fast, as some servers are. The ping shows that the connection is still open in between.
describeCases("6 when invalid UTF-8 is found", [
  {
    name: "it is found at the end of the message, not with the fragment that has it",
    writes: [textStart(broken), ping("still open"), last("edited")],
    gives: { pongs: ["still open"], close: "03ef" },
  },
  {
    name: "it is found at the end of the message, though the fragment that has it is not the first",
    writes: [textStart("fine"), middle(broken), ping("still open"), last("edited")],
    gives: { pongs: ["still open"], close: "03ef" },
  },
  {
    name: "it is found at the end of a frame, not with the byte that makes it so",
    writes: chopped([text(Buffer.concat([broken, Buffer.from("edited")]))], 1),
    gives: { close: "03ef" },
  },
  {
    name: "the text before it is echoed, in the same read or not",
    writes: [Buffer.concat([text("first"), text(broken), text("never")])],
    gives: { messages: [[0x81, "first"]], close: "03ef" },
  },
  {
    name: "a character may begin in one message and must not end in the next",
    writes: [text(hex("ce")), text(hex("ba"))],
    gives: { close: "03ef" },
  },
  {
    name: "a binary message may hold anything",
    writes: [binary(broken)],
    gives: { messages: [[0x82, broken]] },
  },
  {
    name: "a ping may hold anything",
    writes: [ping(broken)],
    gives: { pongs: [broken] },
  },
]);
