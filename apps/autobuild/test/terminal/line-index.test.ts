import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isErrorLine } from "../../src/terminal/error-line.ts";
import {
  beginning,
  everyLines,
  LineIndex,
  rowsFrom,
  type IndexData,
} from "../../src/terminal/line-index.ts";
import type { Row } from "../../src/terminal/row.ts";
import { Terminal } from "../../src/terminal/terminal.ts";
import { bytesOf, cutInto, terminalBytes } from "./support.ts";

function allRows(bytes: Uint8Array): Row[] {
  const rows: Row[] = [];
  const terminal = new Terminal({ handleFinal: (row) => void rows.push(row) });
  terminal.write(bytes);
  return [...rows, ...terminal.rows];
}

function indexOf(...pieces: Uint8Array[]): LineIndex {
  const index = new LineIndex();
  for (const piece of pieces) index.write(piece);
  return index;
}

const maxLongBytes = 256 * 1024;

/** Long logs of repeated hostile pieces, so that there are checkpoints in them. */
const longBytes = fc
  .tuple(fc.array(terminalBytes, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 30 }))
  .map(([parts, times]) => {
    const filler = bytesOf("filling line\n".repeat(120));
    const round = Buffer.concat([...parts, filler]);
    const count = Math.min(times, Math.ceil(maxLongBytes / round.length));
    return Uint8Array.from(Buffer.concat(Array.from({ length: count }, () => round)));
  });

describe("an index", () => {
  test("has a place to begin at every 1,000 lines", () => {
    const index = indexOf(bytesOf("x\n".repeat(3 * everyLines + 200)));
    expect(index.checkpoints.map(({ byte, line }) => [byte, line])).toEqual([
      [0, 0],
      [2000, 1000],
      [4000, 2000],
      [6000, 3000],
    ]);
    expect(index.lineCount).toBe(3200);
  });

  test("has one every 64 KiB of long lines", () => {
    const index = indexOf(bytesOf(`${"x".repeat(1023)}\n`.repeat(400)));
    expect(index.checkpoints.map(({ line }) => line)).toEqual([0, 64, 163, 262]);
  });

  test("keeps the style, so that what follows has its colour", () => {
    const bytes = bytesOf(`\u001b[31m${"red\n".repeat(1500)}`);
    const [, checkpoint] = indexOf(bytes).checkpoints;
    const [row] = rowsFrom(checkpoint!, bytes.subarray(checkpoint!.byte));
    expect(row!.runs[0]!.style.foreground).toBe(1);
  });

  test("has no place that output goes back over", () => {
    const bars = "a\nb\nc\n\u001b[3A";
    const index = indexOf(bytesOf(`${"x\n".repeat(999)}${bars.repeat(100)}${"y\n".repeat(300)}`));
    expect(index.checkpoints.slice(1).every(({ line }) => line < 999 || line >= 1002)).toBe(true);
  });

  test("keeps the rows with a place where one row is drawn again for megabytes", () => {
    const bar = "\r\u001b[32m=====>\u001b[m 45 %";
    const bytes = bytesOf(`${"x\n".repeat(everyLines + 10)}${bar.repeat(80_000)}`);
    const last = indexOf(bytes).checkpoints.at(-1)!;
    expect(bytes.length - last.byte).toBeLessThan(1.1 * 1024 * 1024);
    expect(rowsFrom(last, bytes.subarray(last.byte)).map((row) => row.toData())).toEqual(
      allRows(bytes)
        .slice(last.line)
        .map((row) => row.toData()),
    );
  });

  test("keeps the rows with a place where output moves about for a megabyte", () => {
    const frame = "\u001b[3A1 \u001b[32mok\u001b[m\n2\n3\n";
    const bytes = bytesOf(`head\n1\n2\n3\n${frame.repeat(150_000)}tail\n`);
    const index = indexOf(bytes);
    expect(index.checkpoints.length).toBeLessThanOrEqual(2);
    const last = index.checkpoints.at(-1)!;
    expect(bytes.length - last.byte).toBeLessThan(1.1 * 1024 * 1024);
    expect(rowsFrom(last, bytes.subarray(last.byte)).map(({ text }) => text)).toEqual([
      "head",
      "1 ok",
      "2",
      "3",
      "tail",
      "",
    ]);
  });

  test("renders any window as reading from the beginning does", () => {
    fc.assert(
      fc.property(longBytes, (bytes) => {
        const whole = allRows(bytes).map((row) => row.toData());
        const { checkpoints } = indexOf(bytes);
        for (const [at, checkpoint] of checkpoints.entries()) {
          const next = checkpoints[at + 1];
          const part = bytes.subarray(checkpoint.byte, next?.byte);
          const count = next === undefined ? Infinity : next.line - checkpoint.line;
          const rows = rowsFrom(JSON.parse(JSON.stringify(checkpoint)), part, count);
          expect(rows.map((row) => row.toData())).toEqual(whole.slice(checkpoint.line, next?.line));
        }
      }),
      { numRuns: 15 },
    );
  });

  test("goes on from what was saved of it, to the same lines, groups and errors", () => {
    fc.assert(
      fc.property(longBytes, fc.array(fc.nat(100_000), { maxLength: 4 }), (bytes, cuts) => {
        const whole = indexOf(bytes);
        let saved: IndexData | undefined;
        for (const piece of cutInto(bytes, cuts)) {
          const index: LineIndex = new LineIndex(saved);
          const from = index.byte;
          index.write(bytes.subarray(from, Math.max(from, from + piece.length)));
          saved = JSON.parse(JSON.stringify(index.data)) as IndexData;
        }
        const index = new LineIndex(saved);
        index.write(bytes.subarray(index.byte));
        expect(index.lineCount).toBe(whole.lineCount);
        expect(index.groups).toEqual(whole.groups);
        expect(index.errors).toEqual(whole.errors);
        expect(index.terminal.rows.map((row) => row.toData())).toEqual(
          whole.terminal.rows.map((row) => row.toData()),
        );
      }),
      { numRuns: 15 },
    );
  });
});

describe("groups", () => {
  function groupsOf(text: string): [string, number, number | undefined][] {
    return indexOf(bytesOf(text)).groups.map(({ title, start, end }) => [title, start, end]);
  }

  test("of GitHub Actions end with their mark, or with the next one", () => {
    expect(
      groupsOf("::group::Install\na\n::endgroup::\nb\n::group::Build\nc\n::group::Test\nd\n"),
    ).toEqual([
      ["Install", 0, 3],
      ["Build", 4, 6],
      ["Test", 6, undefined],
    ]);
  });

  test("of GitLab are nested, by name, and may want to be closed", () => {
    const start = (name: string, title: string): string =>
      `\u001b[0Ksection_start:1560896352:${name}\r\u001b[0K${title}\n`;
    const end = (name: string): string => `section_end:1560896353:${name}\r\u001b[0K\n`;
    const index = indexOf(
      bytesOf(
        `${start("a[collapsed=true]", "Outer")}x\n${start("b", "Inner")}y\n${end("b")}${end("a")}z\n`,
      ),
    );
    expect(index.groups).toMatchObject([
      { title: "Outer", start: 0, end: 6, depth: 0, wish: "closed", hasEndRow: true },
      { title: "Inner", start: 2, end: 5, depth: 1, hasEndRow: true },
    ]);
    expect(index.terminal.rows[0]!.text).toBe("Outer");
  });

  test("of Buildkite go up to the next one, and open on demand", () => {
    const index = indexOf(bytesOf("--- Install\na\n+++ Test\nb\n~~~ Upload\nc\n^^^ +++\n"));
    expect(index.groups).toMatchObject([
      { title: "Install", start: 0, end: 2 },
      { title: "Test", start: 2, end: 4, wish: "open" },
      { title: "Upload", start: 4, wish: "open" },
    ]);
  });

  test("are no diffs and no results of Go's tests", () => {
    expect(
      groupsOf("--- a/x.ts\n+++ b/x.ts\n@@ -1 +1 @@\n-a\n+b\n--- FAIL: TestX (0.00s)\n---\n"),
    ).toEqual([]);
  });

  // "Build......" was the title where a longer progress bar had stood in the row.
  test("are called what was printed last in their rows, and not what these had before", () => {
    expect(groupsOf("loading.............\r::group::Build\r\n::endgroup::\r\n")).toEqual([
      ["Build", 0, 2],
    ]);
    expect(groupsOf("読み込み中・・・・・\r--- 試験\r\nx\n")).toEqual([["試験", 0, undefined]]);
    expect(
      groupsOf(
        "loading......................\rsection_start:1:a\r\u001b[0KOne\nloading.......\r\u001b[32mx\n",
      ),
    ).toEqual([["One", 0, undefined]]);
    // Where nothing was printed over there is nothing to leave out.
    expect(groupsOf("::group::\u001b[32mBuild\u001b[0m all\u001b[3D\n")).toEqual([
      ["Build all", 0, undefined],
    ]);
  });

  // Each frame of a display that clears what is below it listed its groups and errors anew.
  test("and errors of rows that are erased and printed anew are there once", () => {
    const frame = "::group::A\nerror: no\n::endgroup::\n::group::B\nb\n";
    const up = "\u001b[5A\u001b[J";
    const index = indexOf(bytesOf(`head\n${frame}${up}${frame}${up}${frame}`));
    expect(index.groups.map(({ title, start, end }) => [title, start, end])).toEqual([
      ["A", 1, 4],
      ["B", 4, undefined],
    ]);
    expect(index.errors).toEqual([2]);
    // What an erased row had ended is open again, and what it had begun is gone.
    expect(groupsOf("::group::A\na\n::endgroup::\n\u001b[A\u001b[Jb\n")).toEqual([
      ["A", 0, undefined],
    ]);
    expect(groupsOf("::group::A\n--- B\nb\n\u001b[2A\u001b[Jb\n::endgroup::\n")).toEqual([
      ["A", 0, 3],
    ]);
  });

  test("stay bounded, whatever a build prints", () => {
    const index = indexOf(
      bytesOf(`${"::group::x\n".repeat(20_000)}${"section_start:1:a\r\n".repeat(20_000)}`),
    );
    expect(index.groups).toHaveLength(5000);
  });
});

describe("a line that looks like an error", () => {
  test.each([
    "error: cannot find module",
    "src/a.ts(1,2): error TS2322: no",
    "TypeError: x is not a function",
    "Caused by: java.lang.IllegalStateException: closed",
    "make: *** [Makefile:2: test] Error 01",
    "  FAIL  test/a.test.ts",
    "thread 'main' panicked at src/main.rs",
    "--- FAIL: TestX (0.00s)",
    "Traceback (most recent call last):",
    "::error file=a::b",
  ])("is %s", (line) => {
    expect(isErrorLine(line)).toBe(true);
  });

  test.each([
    "Found 0 errors.",
    "tests 12, failed: 0",
    "ℹ fail 0",
    "<img src=x onerror=alert(1)>",
    "gcc -Werror -o main main.c",
    "compiling error-line.ts",
    "curl --fail https://example.org",
    "no errors found",
  ])("is not %s", (line) => {
    expect(isErrorLine(line)).toBe(false);
  });
});

test("an empty log has no line", () => {
  expect(new LineIndex().lineCount).toBe(0);
  expect(new LineIndex().checkpoints).toEqual([beginning]);
});
