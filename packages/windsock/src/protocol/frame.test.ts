import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concatFrames, Frame, opcode } from "./frame.ts";

describe("RFC 6455, section 5.2: a frame of the server's", () => {
  for (const [length, header] of [
    [0, "8100"],
    [125, "817d"],
    [126, "817e007e"],
    [65_535, "817effff"],
    [65_536, "817f0000000000010000"],
  ] as const) {
    test(`of ${length} bytes begins with ${header}`, () => {
      const frame = new Frame(opcode.text, Buffer.alloc(length, "x"));
      const bytes = frame.single();
      expect(bytes.subarray(0, bytes.length - length).toString("hex")).toBe(header);
      expect(bytes.length).toBe(frame.byteLength);
      expect(bytes.subarray(bytes.length - length).equals(frame.payload)).toBe(true);
    });
  }

  test("with bytes has the opcode 2", () => {
    expect(new Frame(opcode.binary, Buffer.of(1, 2)).single().toString("hex")).toBe("82020102");
  });
});

test("a frame is built once; alone, it is not copied", () => {
  const frame = new Frame(opcode.text, Buffer.from("x"));
  expect(frame.single()).toBe(frame.single());
  expect(concatFrames([frame])).toBe(frame.single());
});

test("a frame whose message has a front and a back is the frame of all three together", () => {
  const ascii = fc.string({ unit: "grapheme-ascii", maxLength: 40 });
  fc.assert(
    fc.property(ascii, fc.uint8Array({ maxLength: 200 }), ascii, (front, payload, back) => {
      const whole = Buffer.concat([Buffer.from(front), payload, Buffer.from(back)]);
      const frame = new Frame(opcode.text, payload, front, back);
      expect(frame.single()).toEqual(new Frame(opcode.text, whole).single());
      expect(frame.byteLength).toBe(frame.single().length);
    }),
  );
});

test("frames put together are the frames one after the other", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1 }), (payloads) => {
      const frames = payloads.map((payload) => new Frame(opcode.binary, payload));
      expect(concatFrames(frames)).toEqual(Buffer.concat(frames.map((frame) => frame.single())));
    }),
  );
});
