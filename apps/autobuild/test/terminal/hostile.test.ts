import { expect, test } from "vitest";
import { LineIndex } from "../../src/terminal/line-index.ts";
import { maxColumns, windowRows } from "../../src/terminal/terminal.ts";
import { bytesOf } from "./support.ts";

const narrow = "é".repeat(maxColumns - 1);
const wide = "日".repeat(maxColumns / 2 - 1);
const marked = "e\u0301".repeat(maxColumns - 8);

/** Another colour for each count. */
function colour(count: number): string {
  const value = (count * 7919) % 0xffffff;
  return `\u001b[38;2;${value >> 16};${(value >> 8) & 255};${value & 255}m`;
}

// A row is as long as may be, and each few bytes change it. Were a change as dear as the row is long, each
// of these would take far longer than a test may.
test.each<[string, string, string | ((count: number) => string)]>([
  ["a backspace and a letter", narrow, "\bé"],
  ["a narrow letter over a wide one", wide, "\bx"],
  ["a wide letter over narrow ones", narrow, "\b\b日"],
  ["a letter at the start and one at the end", wide, "\rx\u001b[9999C日"],
  ["a letter in another colour each", narrow, (count) => `\b${colour(count)}é`],
  ["a mark in another colour each", "", (count) => `${colour(count)}\u0301`],
  ["marks on the first letter", "é\r", "\u0301"],
  ["a letter with a mark at the end", marked, "\be\u0301"],
  ["a letter with a mark in the middle", `${narrow}\r`, "\u001b[500Ge\u0301"],
  ["erasing the last of many marks", marked, "e\u0301\b\u001b[K"],
  ["erasing to the end", wide, "x\b\u001b[K"],
  ["erasing to the start", wide, "日\b\u001b[1Kx"],
  ["erasing in the middle", `${wide}\r`, "\u001b[9C\u001b[3Xé"],
  ["a saved cursor", `${wide}\u001b7`, "\u001b8\b日"],
  ["a cursor in the rows above", `${narrow}\n`.repeat(windowRows - 1), "\u001b[Aé\b"],
  ["a row that is drawn again", "", (count) => `${count % 500 === 0 ? "\r" : ""}${colour(count)}é`],
  ["lines while groups are open", "::group::x\n".repeat(6000), "\u001b[A\n\n"],
])("%s, for a megabyte, takes no longer than other output", (_name, start, change) => {
  const changes: string[] = [];
  for (let length = 0; length < 1_000_000;) {
    const next = typeof change === "string" ? change.repeat(500) : change(changes.length);
    changes.push(next);
    length += Buffer.byteLength(next);
  }
  const index = new LineIndex();
  index.write(bytesOf(start + changes.join("")));
  expect(index.terminal.rows.every(({ width }) => width <= maxColumns)).toBe(true);
});

test("a line of dashes that might tell of a failure is looked at once", () => {
  const index = new LineIndex();
  index.write(bytesOf(`error ${"-".repeat(4000)} --fail\n`.repeat(500)));
  expect(index.errors).toEqual([]);
});
