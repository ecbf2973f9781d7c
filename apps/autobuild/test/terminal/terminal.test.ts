import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Row } from "../../src/terminal/row.ts";
import { styleFlag } from "../../src/terminal/style.ts";
import { maxColumns, Terminal, windowRows } from "../../src/terminal/terminal.ts";
import { bytesOf, cutInto, terminalBytes } from "./support.ts";

function rowsOf(...chunks: (string | Uint8Array)[]): Row[] {
  const rows: Row[] = [];
  const terminal = new Terminal({ handleFinal: (row) => void rows.push(row) });
  for (const chunk of chunks) terminal.write(bytesOf(chunk));
  terminal.end();
  return [...rows, ...terminal.rows];
}

function textOf(...chunks: (string | Uint8Array)[]): string {
  return rowsOf(...chunks)
    .map(({ text }) => text)
    .join("\n");
}

describe("lines", () => {
  test("end with LF and with CR LF alike", () => {
    expect(textOf("one\ntwo\r\nthree")).toBe("one\ntwo\nthree");
  });

  test("have tab stops every eight cells", () => {
    expect(textOf("a\tb\n\t\tc\n12345678\td")).toBe(
      "a       b\n                c\n12345678        d",
    );
  });

  test("show what is not UTF-8 as U+FFFD, also where a chunk ends within a character", () => {
    expect(textOf(Uint8Array.of(0x61, 0xff, 0x62, 0xc3), "\nc")).toBe("a\ufffdb\ufffd\nc");
    expect(textOf(Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x98, 0x80))).toBe("😀");
    expect(textOf(Uint8Array.of(0xe2, 0x82))).toBe("\ufffd");
  });

  test("pass over NUL, BEL and other controls without a meaning", () => {
    expect(textOf("a\0b\u0007c\u007fd\u009be")).toBe("abcd\ufffde");
  });

  test("that are longer than a row go on in the next one, which says so", () => {
    const rows = rowsOf("x".repeat(2 * maxColumns + 1) + "\ny");
    expect(rows.map(({ width, isContinued }) => [width, isContinued])).toEqual([
      [maxColumns, false],
      [maxColumns, true],
      [1, true],
      [1, false],
    ]);
    expect(rowsOf("x".repeat(maxColumns))).toHaveLength(1);
  });

  test("of marks upon marks stay bounded", () => {
    const [row] = rowsOf(`a${"\u0301".repeat(100_000)}`);
    expect(row!.text.length).toBeLessThanOrEqual(4 * maxColumns);
  });
});

describe("a line that is drawn over", () => {
  test("shows what was drawn last, and what that did not reach", () => {
    expect(textOf("10 %\r50 %\r100 %")).toBe("100 %");
    expect(textOf("building...\rdone")).toBe("doneding...");
    expect(textOf("building...\r\u001b[Kdone")).toBe("done");
    expect(textOf("abc\b\bX")).toBe("aXc");
  });

  test("keeps the cells of wide characters apart", () => {
    expect(textOf("日本\r\u001b[2CX")).toBe("日X ");
    expect(textOf("日本\r\u001b[1CXY")).toBe(" XY ");
    expect(textOf("日本\rX")).toBe("X 本");
  });

  test("has the styles of what is seen", () => {
    const [row] = rowsOf("\u001b[31mred\u001b[0m plain\r\u001b[32mRE");
    expect(row!.text).toBe("REd plain");
    expect(row!.runs.map(({ end, style }) => [end, style.foreground])).toEqual([
      [2, 2],
      [3, 1],
      [9, -1],
    ]);
  });
});

describe("the cursor", () => {
  test("moves up to redraw lines that are not final", () => {
    expect(textOf("a 0 %\nb 0 %\n\u001b[2Aa 100 %\u001b[K\nb 50 %\u001b[K\nend")).toBe(
      "a 100 %\nb 50 %\nend",
    );
    expect(textOf("a\nb\nc\u001b[2F\u001b[Jd")).toBe("d");
    expect(textOf("a\u001b7bc\u001b8X")).toBe("aXc");
  });

  test("goes no further up than the window", () => {
    const lines = Array.from({ length: 2 * windowRows }, (_, index) => `${index}`).join("\n");
    const rows = rowsOf(`${lines}\u001b[999999999AX`);
    expect(rows[windowRows]!.text).toBe("100X");
    expect(rows[0]!.text).toBe("0");
  });

  test("goes no further right or left than the row", () => {
    expect(rowsOf("\u001b[999999999CX")[0]!.width).toBe(maxColumns);
    expect(textOf("ab\u001b[999999999DX")).toBe("Xb");
    expect(textOf("ab\u001b[5GX\u001b[99999999999999999999CY")).toBe("ab  XY");
  });

  test("makes no line of what it does not know: titles, other screens, scrolling regions", () => {
    expect(
      textOf(
        "\u001b]0;title\u0007a\u001b[?1049hb\u001b[2J\u001b[Hc\u001b[1;5r\u001bPq#0\u001b\\d\u001b_bk;t=1\u0007e\u001b(Bf\u001b[?25l",
      ),
    ).toBe("abcdef");
  });
});

describe("a sequence that never ends", () => {
  test("takes no output with it", () => {
    expect(textOf("a\u001b]0;title\nb")).toBe("a\nb");
    expect(textOf(`a\u001b]8;;http://${"x".repeat(5000)}\nb`)).toContain("\nb");
    expect(textOf(`a\u001b[${"1;".repeat(200)}mb`)).toBe("amb");
    expect(textOf("a\u001b[31\nb")).toBe("a\nb");
    expect(textOf("a\u001b")).toBe("a");
  });
});

describe("a style", () => {
  test("is one of 16, of 256, or any colour, with semicolons and with colons", () => {
    const colours = (text: string): number[] =>
      rowsOf(`${text}x`)[0]!.runs.flatMap(({ style }) => [style.foreground, style.background]);
    expect(colours("\u001b[31;102m")).toEqual([1, 10]);
    expect(colours("\u001b[38;5;208;48;5;17m")).toEqual([208, 17]);
    expect(colours("\u001b[38;2;1;2;3m")).toEqual([0x1010203, -1]);
    expect(colours("\u001b[38:2::1:2:3;48:5:9m")).toEqual([0x1010203, 9]);
    expect(colours("\u001b[38;5;999;1m")).toEqual([-1, -1]);
  });

  test("goes on from line to line until it is reset", () => {
    const rows = rowsOf("\u001b[1;4;31ma\nb\u001b[22;24mc\u001b[md");
    expect(rows[1]!.runs.map(({ style }) => [style.foreground, style.flags])).toEqual([
      [1, styleFlag.bold | styleFlag.underline],
      [1, 0],
      [-1, 0],
    ]);
  });

  test("leads to web pages and nowhere else", () => {
    const links = (address: string): string[] =>
      rowsOf(`\u001b]8;;${address}\u001b\\x\u001b]8;;\u0007y`)[0]!.runs.map(
        ({ style }) => style.link,
      );
    expect(links("https://example.org/a?b=c#d")).toEqual(["https://example.org/a?b=c#d", ""]);
    expect(links("javascript:alert(1)")).toEqual([]);
    expect(links("data:text/html,x")).toEqual([]);
    expect(links('https://x/"onclick')).toEqual([]);
  });
});

describe("a terminal", () => {
  test("gives the same rows however its bytes are cut", () => {
    fc.assert(
      fc.property(terminalBytes, fc.array(fc.nat(2000), { maxLength: 12 }), (bytes, cuts) => {
        const whole = rowsOf(bytes).map((row) => row.toData());
        expect(rowsOf(...cutInto(bytes, cuts)).map((row) => row.toData())).toEqual(whole);
      }),
      { numRuns: 400 },
    );
  });

  test("gives the same rows byte by byte", () => {
    fc.assert(
      fc.property(terminalBytes, (bytes) => {
        const whole = rowsOf(bytes).map((row) => row.toData());
        const single = [...bytes].map((byte) => Uint8Array.of(byte));
        expect(rowsOf(...single).map((row) => row.toData())).toEqual(whole);
      }),
      { numRuns: 200 },
    );
  });

  test("goes on from the state of another", () => {
    fc.assert(
      fc.property(terminalBytes, terminalBytes, (first, second) => {
        const rows: Row[] = [];
        const terminal = new Terminal({ handleFinal: (row) => void rows.push(row) });
        terminal.write(first);
        const state = terminal.stateWithScreen();
        if (state === undefined) return;
        const { firstRow, offset } = terminal;
        const copied = JSON.parse(JSON.stringify(state)) as typeof state;
        const other = new Terminal({}, { firstRow, offset, state: copied });
        terminal.write(second);
        other.write(second);
        expect(other.rowCount).toBe(terminal.rowCount);
        expect(other.rows.map((row) => row.toData())).toEqual(
          terminal.rows.map((row) => row.toData()),
        );
      }),
      { numRuns: 200 },
    );
  });

  test("keeps the runs of a row whole: each further, the last at its end", () => {
    fc.assert(
      fc.property(terminalBytes, (bytes) => {
        for (const { text, runs } of rowsOf(bytes)) {
          let end = 0;
          for (const run of runs) {
            expect(run.end).toBeGreaterThan(end);
            end = run.end;
          }
          expect(end).toBe(runs.length === 0 ? 0 : text.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
