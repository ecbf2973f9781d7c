import { expect, test } from "vitest";
import { MemoryHistory } from "../../src/log/memory-history.ts";
import { HistoryGate, type Recording } from "../../src/service/history-gate.ts";

// While a gate let out what a transaction had held back, nothing counted as waiting. What one of
// these caused (a slow client's close, say) left at once, ahead of commits that came before it.
test("what leaves behind a transaction leaves in order, with what it causes at the end", () => {
  const gate = new HistoryGate(new MemoryHistory());
  const recording: Recording = { address: "a", take: () => undefined, failed() {} };
  const left: string[] = [];
  gate.touch(recording);
  gate.after(recording, () => {
    left.push("first");
    gate.after(recording, () => left.push("caused"));
  });
  gate.after(recording, () => left.push("second"));
  expect(left).toEqual([]);
  gate.flush();
  expect(left).toEqual(["first", "second", "caused"]);
  gate.after(recording, () => left.push("later"));
  expect(left.at(-1)).toBe("later");
});
