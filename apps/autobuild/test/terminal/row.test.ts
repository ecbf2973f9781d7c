import fc from "fast-check";
import { expect, test } from "vitest";
import { Row } from "../../src/terminal/row.ts";
import { plainStyle, restyled, type Style } from "../../src/terminal/style.ts";
import { SlowRow } from "./slow-row.ts";

const style: fc.Arbitrary<Style> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(plainStyle) },
  fc.integer({ min: 0, max: 3 }).map((foreground) => restyled(plainStyle, { foreground })),
);
const text = fc
  .array(fc.constantFrom("a", "b", " ", "é", "日", "한", "😀", "\u0301", "\u200d", "\ufe0f"), {
    minLength: 1,
    maxLength: 6,
  })
  .map((characters) => characters.join(""));
const column = fc.oneof(
  { weight: 6, arbitrary: fc.nat(12) },
  { weight: 1, arbitrary: fc.nat(150) },
);

type Change =
  | { readonly type: "put"; readonly column: number; readonly text: string; readonly style: Style }
  | { readonly type: "erase"; readonly from: number; readonly count: number }
  | { readonly type: "look" }
  | { readonly type: "copy" };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("put" as const), column, text, style }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("erase" as const),
      from: column,
      count: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(4096)),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Change>({ type: "look" }, { type: "copy" }) },
);

test("a row is what is left of all that was put into it", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      let row = new Row(0);
      const slow = new SlowRow();
      for (const one of changes) {
        let seen: unknown[] = [];
        let expected: unknown[] = [];
        switch (one.type) {
          case "put":
            seen = [row.put(one.column, one.text, one.style)];
            expected = [slow.put(one.column, one.text, one.style)];
            break;
          case "erase":
            row.erase(one.from, one.from + one.count);
            slow.erase(one.from, one.from + one.count);
            break;
          case "look":
            seen = [row.text];
            expected = [slow.text];
            break;
          case "copy":
            row = Row.from(row.toData());
        }
        expect([...seen, row.width, row.length]).toEqual([
          ...expected,
          slow.width,
          slow.text.length,
        ]);
      }
      expect([row.text, row.runs]).toEqual([slow.text, slow.runs]);
      row.settle();
      expect([row.text, row.runs, row.width, row.length]).toEqual([
        slow.text,
        slow.runs,
        slow.width,
        slow.text.length,
      ]);
    }),
    { numRuns: 500 },
  );
});

test("a row is drawn over in more colours than it keeps at once", () => {
  const row = new Row(0);
  const slow = new SlowRow();
  for (let count = 0; count < 20_000; count++) {
    const style = restyled(plainStyle, { foreground: 0x1000000 + count });
    row.put(count % 8, "x", style);
    if (count >= 19_990) slow.put(count % 8, "x", style);
  }
  expect(row.text).toBe(slow.text);
  expect(row.runs).toEqual(slow.runs);
});
