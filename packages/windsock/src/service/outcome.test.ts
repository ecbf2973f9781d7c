import { expect, test } from "vitest";
import { noreply, OutcomeValue, reply, stop } from "./outcome.ts";

const broken = new Error("broken");

test.each([
  ["noreply()", noreply(), { kind: "noreply", hasState: false }],
  ["noreply(state)", noreply(1), { kind: "noreply", hasState: true, state: 1 }],
  ["noreply(undefined)", noreply(undefined), { kind: "noreply", hasState: true }],
  [
    "noreply(state, { timeoutMs })",
    noreply(1, { timeoutMs: 5 }),
    { kind: "noreply", hasState: true, state: 1, timeoutMs: 5 },
  ],
  ["stop(reason)", stop("done"), { kind: "stop", hasState: false, reason: "done" }],
  [
    "stop(reason, state)",
    stop(broken, 1),
    { kind: "stop", hasState: true, state: 1, reason: broken },
  ],
  ["reply()", reply(), { kind: "reply", hasState: false }],
  ["reply(value)", reply("ok"), { kind: "reply", hasState: false, value: "ok" }],
  ["reply(value, state)", reply("ok", 1), { kind: "reply", hasState: true, state: 1, value: "ok" }],
  [
    "reply(undefined, undefined, { timeoutMs })",
    reply(undefined, undefined, { timeoutMs: 5 }),
    { kind: "reply", hasState: true, timeoutMs: 5 },
  ],
])("%s keeps what it was given, and whether there was a state", (_call, outcome, fields) => {
  const nothing = { state: undefined, timeoutMs: undefined, reason: undefined, value: undefined };
  expect(outcome).toBeInstanceOf(OutcomeValue);
  expect({ ...outcome }).toEqual({ ...nothing, ...fields });
});
