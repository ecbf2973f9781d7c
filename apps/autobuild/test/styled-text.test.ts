import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StyledText } from "../src/page/styled-text.ts";

const escape = "\u001B";

function pieces(...lines: string[]): [string, string][] {
  const styled = new StyledText();
  return lines.flatMap((line) =>
    styled.line(line).map(({ text, classes }): [string, string] => [text, classes]),
  );
}

describe("a line with escape sequences", () => {
  test.each<[string, string, [string, string][]]>([
    ["no colour", "plain", [["plain", ""]]],
    ["nothing", "", []],
    [
      "a colour and its end",
      `${escape}[31mred${escape}[0m plain`,
      [
        ["red", "c1"],
        [" plain", ""],
      ],
    ],
    [
      "an end without a number",
      `${escape}[31mred${escape}[mplain`,
      [
        ["red", "c1"],
        ["plain", ""],
      ],
    ],
    ["bold and a bright colour", `${escape}[1;94mx`, [["x", "c12 bold"]]],
    [
      "dim, and neither",
      `${escape}[2mx${escape}[22my`,
      [
        ["x", "dim"],
        ["y", ""],
      ],
    ],
    ["one of 256 that is among the 16", `${escape}[38;5;9mx`, [["x", "c9"]]],
    ["one of 256 that is not", `${escape}[31m${escape}[38;5;200mx`, [["x", ""]]],
    ["any colour, whose numbers are no codes", `${escape}[38;2;1;31;1mx`, [["x", ""]]],
    ["a background, which is not shown", `${escape}[41;32mx${escape}[48;5;1my`, [["xy", "c2"]]],
    [
      "the default colour",
      `${escape}[31mx${escape}[39my`,
      [
        ["x", "c1"],
        ["y", ""],
      ],
    ],
    ["movement and erasure", `a${escape}[2K${escape}[1A${escape}[10;20Hb`, [["ab", ""]]],
    [
      "a title, a link and a string",
      `a${escape}]0;t\u0007b${escape}]8;;u${escape}\\c${escape}Pq${escape}\\d`,
      [["abcd", ""]],
    ],
    ["a title that does not end", `a${escape}]0;title`, [["a", ""]]],
    ["an escape at the end", `a${escape}`, [["a\uFFFD", ""]]],
    ["half a sequence", `a${escape}[3`, [["a3", ""]]],
    ["other controls", "a\0\u0007\u009bb\tc", [["a\uFFFD\uFFFD\uFFFDb\tc", ""]]],
    ["a progress bar", `10%\r${escape}[32m50%\r100%`, [["100%", "c2"]]],
    ["a carriage return at the end", "done\r", [["done", ""]]],
  ])("%s", (_name, line, expected) => {
    expect(pieces(line)).toEqual(expected);
  });

  test("a style goes on in the next line, until it is reset", () => {
    expect(pieces(`${escape}[31mone`, "two", `${escape}[0mthree`)).toEqual([
      ["one", "c1"],
      ["two", "c1"],
      ["three", ""],
    ]);
  });

  test("has at most 64 pieces, and all of its text", () => {
    const line = Array.from({ length: 1000 }, (_, index) => `${escape}[3${index % 8}mx`).join("");
    const styled = new StyledText().line(line);
    expect(styled).toHaveLength(64);
    expect(styled.map(({ text }) => text).join("")).toBe("x".repeat(1000));
  });

  test("never shows a control character or a class that is not ours, whatever it holds", () => {
    const part = fc.oneof(
      // As unit "binary" does, without its tables, which take a second to make.
      fc.string({
        unit: fc.integer({ min: 0, max: 0x10_ff_ff }).map((point) => String.fromCodePoint(point)),
      }),
      fc.constantFrom(escape, `${escape}[`, "m", ";", "38", "5", "\r", "\u0007", "\\", "]", "31"),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        for (const { text, classes } of new StyledText().line(
          parts.join("").replaceAll("\n", ""),
        )) {
          // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
          expect(text).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/);
          expect(classes).toMatch(/^(?:c\d{1,2})?(?: ?bold)?(?: ?dim)?$/);
        }
      }),
    );
  });
});
