import { expect, test } from "vitest";
import { guardedClock } from "../src/clock.ts";
import { ManualClock } from "./support/manual-clock.ts";

test("a task of a guarded clock that throws is reported, and others run", () => {
  const manual = new ManualClock();
  const reported: unknown[] = [];
  const clock = guardedClock(manual, (error) => reported.push(error));
  const ran: string[] = [];
  clock.after(10, () => {
    throw new Error("boom");
  });
  clock.after(20, () => ran.push("second"));
  const drop = clock.after(30, () => ran.push("dropped"));
  drop();
  manual.advance(30);
  expect(reported).toEqual([new Error("boom")]);
  expect(ran).toEqual(["second"]);
});
