import fc from "fast-check";
import { expect, test } from "vitest";
import type { Frame } from "../protocol/frame.ts";
import { decodeServerEnvelope } from "../protocol/v1/index.ts";
import { frontOf, wrap } from "./voice.ts";

/** The message of a frame whose length stands in its first two bytes, or the two behind them. */
function messageOf(frame: Frame): Buffer {
  const bytes = frame.single();
  return bytes.subarray(bytes.length - frame.messageLength);
}

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom('"', "\\", "\u0000", "\u001f", "\u007f", "\u2028", "é", "😀", "a"),
  }),
);

test("a text in an envelope is the JSON string that JSON.stringify gives", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const frame = wrap(frontOf("msg", 7), { kind: "text", bytes: Buffer.from(text) });
      const valid = Buffer.from(text).toString();
      expect(messageOf(frame).toString()).toBe(JSON.stringify(["msg", 7, valid]));
    }),
  );
});

test("JSON in an envelope stays as it came", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const frame = wrap(frontOf("reply", 1, 2), { kind: "json", bytes: Buffer.from(json) });
      expect(messageOf(frame).toString()).toBe(`["reply",1,2,${json}]`);
    }),
  );
});

test("a topic of any characters arrives as it is", () => {
  fc.assert(
    fc.property(anyText, (topic) => {
      const frame = wrap(frontOf("tail", 1, topic, 9), { kind: "text", bytes: Buffer.from("x") });
      const envelope = decodeServerEnvelope(messageOf(frame).toString());
      expect(envelope).toEqual({ type: "tail", channel: 1, topic, offset: 9, payload: "x" });
    }),
  );
});

test("bytes in an envelope stand behind its header", () => {
  const frame = wrap(frontOf("pub", 4, 17), { kind: "binary", bytes: Buffer.of(1, 2) });
  expect(frame.single().toString("hex")).toBe(
    `8210000c${Buffer.from('["pub",4,17]').toString("hex")}0102`,
  );
});
