import { expect, test } from "vitest";
import { defineService } from "../index.ts";
import { nearest } from "./nearest.ts";

const names = ["handleJoin", "handleIncoming", "handleInfo", "init", "terminate"];

test.each([
  ["handleJion", "handleJoin"],
  ["handle_join", "handleJoin"],
  ["HandleIncomming", "handleIncoming"],
  ["handleinfo", "handleInfo"],
  ["terminated", "terminate"],
  ["inti", "init"],
])("%s was meant as %s", (written, meant) => {
  expect(nearest(written, names)).toBe(meant);
});

test.each(["onMessage", "x", "", "constructor", "z".repeat(100_000)])(
  "%.20s is near none",
  (written) => {
    expect(nearest(written, names)).toBeUndefined();
  },
);

/** As a program without types may write it. */
const define = defineService as (definition: object) => unknown;

test("a misspelt callback is answered with the one that was meant", () => {
  expect(() => define({ handleIncomming() {} })).toThrow(
    "Expected the keys of a service to be those of `defineService`, got `handleIncomming`. Did you mean `handleIncoming`?",
  );
  expect(() => define({ onMessage() {} })).toThrow(
    /^Expected the keys of a service to be among .*handleIncoming.*, got `onMessage`\.$/,
  );
});

test("so is a misspelt limit", () => {
  expect(() => define({ limits: { maxMailboxMesages: 1 } })).toThrow(
    /got `maxMailboxMesages`\. Did you mean `maxMailboxMessages`\?$/,
  );
});
