import { expect, test } from "vitest";
import { opcode, Frame } from "../protocol/frame.ts";
import { Outbox, PrivateItem, QueuedBytes, type FrameItem } from "./outbox.ts";
import { plainSpeech } from "./speech.ts";

/** As in a server: between two messages for one client much else is allocated, and soon gone. */
function bytesAmongOthers(text: string): Buffer {
  const bytes = Buffer.from(text);
  for (let index = 0; index < 70; index++) Buffer.allocUnsafe(1000);
  return bytes;
}

function textOf(index: number): string {
  return `${index}`.padEnd(100, ".");
}

function message(index: number): PrivateItem {
  const payload = { kind: "text", bytes: bytesAmongOthers(textOf(index)) } as const;
  return new PrivateItem(0, { type: "msg", payload });
}

function frameOf(item: FrameItem): Frame {
  return item.type === "private" ? item.frame(plainSpeech) : item.frame;
}

function pinnedBy(items: readonly FrameItem[]): number {
  const buffers = new Set(items.map((item) => frameOf(item).payload.buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

// Each message of 100 bytes kept the slab of 64 KiB that it was cut from: a client that read
// nothing held 400 times what its bound says.
test("what waits from one look to the next holds no more memory than it takes", () => {
  const queued = new QueuedBytes();
  const outbox = new Outbox(queued);
  const count = 500;
  for (let index = 0; index < count; index++) {
    outbox.push(message(index));
    const payload = bytesAmongOthers(textOf(index));
    outbox.push({ type: "control", after: 0, frame: new Frame(opcode.text, payload) });
  }
  const bytes = queued.bytes;
  outbox.settle();
  outbox.settle();
  expect(queued.bytes).toBe(bytes);
  const items = outbox.takeFrames(1);
  expect(pinnedBy(items)).toBeLessThan(2 * count * 100 * 1.3);
  expect(items.map((item) => Buffer.from(frameOf(item).payload).toString())).toEqual(
    Array.from({ length: 2 * count }, (_, index) => textOf(Math.floor(index / 2))),
  );
  expect(queued.bytes).toBe(0);
});

// Only the payload was kept of what waited for a client that reads nothing for two seconds: presence
// came without its envelope, `done` as an empty message, and the client went away with a fault.
test("what has waited is the message that it was", () => {
  const queued = new QueuedBytes();
  const outbox = new Outbox(queued);
  const [joined, left] = ['["presence",3,17,', '{"join":[{"id":"ada"}]}'];
  const frames = [
    new Frame(opcode.text, Buffer.from(left), joined, "]"),
    new Frame(opcode.text, new Uint8Array(), '["done",3,7]'),
    new Frame(opcode.binary, Buffer.from("deflated"), "", "", true),
  ];
  const bytes = Buffer.concat(frames.map((frame) => frame.single()));
  for (const frame of frames) outbox.push({ type: "control", after: 0, frame });
  outbox.settle();
  outbox.settle();
  expect(Buffer.concat(outbox.takeFrames(1).map((item) => frameOf(item).single()))).toEqual(bytes);
  expect([queued.bytes, outbox.bytes]).toEqual([0, 0]);
});

test("so does what comes later, and a message that waits for several", () => {
  const queued = new QueuedBytes();
  const [one, two] = [new Outbox(queued), new Outbox(queued)];
  for (let index = 0; index < 1500; index++) {
    const shared = message(index);
    one.push(shared);
    two.push(shared);
    if (index % 500 === 0) one.settle();
    if (index === 700) one.takeFrames(1);
  }
  for (let round = 0; round < 4; round++) for (const outbox of [one, two]) outbox.settle();
  const items = two.takeFrames(1);
  expect(items).toHaveLength(1500);
  expect(pinnedBy(items)).toBeLessThan(1500 * 100 * 1.3);
  expect(one.takeFrames(1)).toHaveLength(1500 - 701);
  expect(queued.bytes).toBe(0);
});
