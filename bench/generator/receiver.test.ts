import { describe, expect, test } from "vitest";
import type { Dialect } from "../commands.ts";
import { frameOf } from "../server-frame.ts";
import { messageText, ringSize } from "../workload.ts";
import { Receiver } from "./receiver.ts";
import { Stream } from "./stream.ts";

const plain: Dialect = { kind: "plain", path: "/", prefix: "", suffix: "" };
const v1: Dialect = { ...plain, kind: "windsock-v1" };
const incoming = new Stream(128, plain).replies;
const frameLength = incoming.frames.frame(0).length;
const frame = (index: number): Buffer => frameOf(Buffer.from(messageText(index, 128)));
const frames = (...indexes: readonly number[]): Buffer => Buffer.concat(indexes.map(frame));

function receive(sent: number, ...chunks: readonly Buffer[]) {
  const controls: string[] = [];
  const receiver = new Receiver(incoming, (opcode, payload) =>
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
    broken[frameLength + 50] = 0x3f;
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

describe("a receiver of windsock.v1", () => {
  const log = new Stream(128, v1).broadcasts(4, 98);
  const pub = (seq: number, index: number): Buffer =>
    frameOf(Buffer.from(`["pub",4,${seq},"${messageText(index, 128)}"]`));
  const done = frameOf(Buffer.from('["done",1,7]'));

  function receivePubs(sent: number, ...chunks: readonly Buffer[]) {
    const asides: string[] = [];
    const receiver = new Receiver(log, (_opcode, payload) =>
      asides.push(payload.toString("latin1")),
    );
    for (const chunk of chunks) receiver.take(chunk, chunk.length, sent);
    return { ...receiver.tally, missing: receiver.missing(sent), next: receiver.next, asides };
  }
  const right = { repeated: 0, reordered: 0, damaged: 0, missing: 0, asides: [] };

  test("follows the numbers of the log as they grow by a digit, however the bytes are cut", () => {
    const all = Buffer.concat([pub(99, 0), pub(100, 1), pub(101, 2)]);
    for (let cut = 0; cut <= all.length; cut += 3)
      expect(receivePubs(3, all.subarray(0, cut), all.subarray(cut))).toEqual({
        ...right,
        next: 3,
      });
  });

  test("hands on what is no message, in between and behind the last", () => {
    expect(receivePubs(2, Buffer.concat([pub(99, 0), done, pub(100, 1), done]))).toEqual({
      ...right,
      next: 2,
      asides: ['["done",1,7]', '["done",1,7]'],
    });
  });

  test("tells a hole, a repetition and a wrong number by `seq`", () => {
    expect(receivePubs(4, pub(99, 0), pub(101, 2))).toEqual({ ...right, missing: 2, next: 3 });
    expect(receivePubs(2, pub(99, 0), pub(99, 0), pub(100, 1))).toEqual({
      ...right,
      repeated: 1,
      next: 2,
    });
    expect(receivePubs(2, pub(99, 0), pub(100, 2))).toEqual({ ...right, damaged: 1, next: 2 });
  });
});
