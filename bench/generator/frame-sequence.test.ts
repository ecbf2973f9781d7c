import { expect, test } from "vitest";
import { FrameSequence } from "./frame-sequence.ts";

/** A frame of 1 to 7 bytes, as its number says. */
const make = (frame: number): Buffer => Buffer.alloc((frame % 7) + 1, frame);

test("a slice is the frames in a row, also over the end of a chunk", () => {
  const frames = new FrameSequence(make);
  const expected = Buffer.concat(Array.from({ length: 1500 }, (_, index) => make(900 + index)));
  expect(frames.slice(900, 1500)).toEqual(expected);
});

test("bytes are found to be what comes, and where they end", () => {
  const frames = new FrameSequence(make);
  const bytes = frames.slice(1020, 10);
  let place = { frame: 1020, partial: 0 };
  for (const byte of bytes) {
    const next = frames.match(place.frame, place.partial, Buffer.of(byte), 1);
    expect(next).toBeDefined();
    place = next ?? place;
  }
  expect(place).toEqual({ frame: 1030, partial: 0 });
  expect(frames.match(1020, 0, bytes, bytes.length)).toEqual(place);
  expect(frames.match(1021, 0, bytes, bytes.length)).toBeUndefined();
});

test("frames come again after a period, and old ones are made again", () => {
  const repeated = new FrameSequence(make, 1024);
  expect(repeated.frame(1024 * 3 + 5)).toEqual(make(5));
  const long = new FrameSequence(make);
  for (let chunk = 0; chunk < 100; chunk++) long.frame(chunk * 1024);
  expect(long.frame(3)).toEqual(make(3));
});
