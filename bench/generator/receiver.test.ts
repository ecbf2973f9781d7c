import { describe, expect, test } from "vitest";
import type { Dialect } from "../commands.ts";
import { frameOf } from "../server-frame.ts";
import { messageText, ringSize } from "../workload.ts";
import { Receiver } from "./receiver.ts";
import { Stream } from "./stream.ts";

const plain: Dialect = { path: "/", prefix: "", suffix: "", isEngineIo: false };
const stream = new Stream(128, plain);
const frame = (index: number): Buffer => frameOf(Buffer.from(messageText(index, 128)));
const frames = (...indexes: readonly number[]): Buffer => Buffer.concat(indexes.map(frame));

function receive(sent: number, ...chunks: readonly Buffer[]) {
  const controls: string[] = [];
  const receiver = new Receiver(stream, (opcode, payload) =>
    controls.push(`${opcode} ${payload.toString("latin1")}`),
  );
  for (const chunk of chunks) receiver.take(chunk, chunk.length, sent);
  return { ...receiver.tally, missing: receiver.missing(sent), next: receiver.next, controls };
}

const fine = { repeated: 0, reordered: 0, damaged: 0, missing: 0, controls: [] };

describe("a receiver", () => {
  test("finds nothing wrong with a whole stream, however it is cut", () => {
    const all = frames(0, 1, 2, 3, 4);
    for (let cut = 0; cut <= all.length; cut += 7) {
      expect(receive(5, all.subarray(0, cut), all.subarray(cut))).toEqual({ ...fine, next: 5 });
    }
    expect(receive(5, ...Array.from(all, (byte) => Buffer.of(byte)))).toEqual({ ...fine, next: 5 });
  });

  test("goes on where the ring begins again", () => {
    const indexes = Array.from({ length: ringSize + 3 }, (_, index) => index % ringSize);
    expect(receive(ringSize + 3, frames(...indexes))).toEqual({ ...fine, next: ringSize + 3 });
  });

  test("counts each message that did not come, in the middle and at the end", () => {
    expect(receive(6, frames(0, 3), frames(4))).toEqual({ ...fine, missing: 3, next: 5 });
  });

  test("counts a message that comes twice", () => {
    expect(receive(3, frames(0, 1, 1, 2))).toEqual({ ...fine, repeated: 1, next: 3 });
    expect(receive(3, frames(0, 1, 2), frames(0))).toEqual({ ...fine, repeated: 1, next: 3 });
  });

  test("counts a message that nobody has sent", () => {
    expect(receive(2, frames(0, 1, 2))).toEqual({ ...fine, repeated: 1, next: 2 });
  });

  test("counts a message that comes late as reordered, not as missing or repeated", () => {
    expect(receive(4, frames(0, 2, 1), frames(3))).toEqual({ ...fine, reordered: 1, next: 4 });
  });

  test("counts a message with one wrong byte as damaged, and reads on behind it", () => {
    const broken = frames(0, 1, 2);
    broken[stream.frameLength + 50] = 0x3f;
    expect(receive(4, broken.subarray(0, 200), broken.subarray(200), frames(3))).toEqual({
      ...fine,
      damaged: 1,
      next: 4,
    });
  });

  test("hands on control frames in between, also in the middle of a cut message", () => {
    const ping = Buffer.from("8902706f", "hex");
    const all = Buffer.concat([frame(0), ping, frame(1)]);
    for (let cut = 120; cut <= 150; cut++) {
      expect(receive(2, all.subarray(0, cut), all.subarray(cut))).toEqual({
        ...fine,
        next: 2,
        controls: ["9 po"],
      });
    }
  });
});
