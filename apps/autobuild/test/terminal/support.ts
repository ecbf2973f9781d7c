import fc from "fast-check";

export function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

/** That no input takes long, whatever pieces it is made of. */
const maxBytes = 16 * 1024;

/** What programs print: text, lines, and everything that steers a terminal, whole, broken and hostile. */
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12, unit: "grapheme" }).map(bytesOf) },
  { weight: 6, arbitrary: fc.constantFrom("a", "line of text", "\n", "\n", "\r\n").map(bytesOf) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(
        "\r",
        "\b",
        "\t",
        "日本語",
        "e\u0301",
        "👩‍👩‍👧",
        "\u001b[31m",
        "\u001b[0m",
        "\u001b[1;38;5;208m",
        "\u001b[38:2::1:2:3m",
        "\u001b[A",
        "\u001b[3A",
        "\u001b[2B",
        "\u001b[5C",
        "\u001b[3D",
        "\u001b[E",
        "\u001b[2F",
        "\u001b[7G",
        "\u001b[K",
        "\u001b[1K",
        "\u001b[2K",
        "\u001b[J",
        "\u001b[3X",
        "\u001b7",
        "\u001b8",
        "\u001b[s",
        "\u001b[u",
        "\u001b[999999A",
        "\u001b[99999C",
        "\u001b]0;title\u0007",
        "\u001b]8;;https://example.org\u001b\\",
        "\u001b]8;;\u0007",
        "\u001b",
        "\u001b[",
        "\u001b[3",
        "\u001b]",
        "\u001bP",
        "\u001b_x",
        "::group::g\n",
        "::endgroup::\n",
        "--- a\n",
        "+++ b\n",
        "^^^ +++\n",
        "error: x\n",
        "section_start:1:a\r\u001b[0K",
        "section_end:1:a\r\u001b[0K",
        "@@ -1 +1 @@\n",
      )
      .map(bytesOf),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 130 }).map((count) => bytesOf("row\n".repeat(count))),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 4090, max: 4100 }).map((count) => bytesOf("x".repeat(count))),
  },
);

export const terminalBytes: fc.Arbitrary<Uint8Array> = fc
  .array(piece, { maxLength: 60 })
  .map((pieces) => Uint8Array.from(Buffer.concat(pieces).subarray(0, maxBytes)));

/** The same bytes in pieces. */
export function cutInto(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [
    0,
    ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return places.slice(1).map((place, index) => bytes.slice(places[index], place));
}
