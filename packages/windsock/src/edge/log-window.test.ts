import fc from "fast-check";
import { expect, test } from "vitest";
import type { Payload } from "../protocol/port.ts";
import { Feed } from "./feed.ts";
import { LogWindow, maxCachedRunBytes, maxSliceBytes, maxWindowEntries } from "./log-window.ts";
import { frameOfPayload, plainVoice } from "./voice.ts";

function payloadOf(size: number, fill = 0): Payload {
  return { kind: "binary", bytes: Buffer.alloc(size, fill) };
}

function windowOf(sizes: readonly number[], first = 1): LogWindow {
  const window = new LogWindow();
  window.advanceTo(first - 1);
  for (const [index, size] of sizes.entries()) window.append(first + index, "", payloadOf(size));
  return window;
}

const all = new Feed("x").topicSet(plainVoice, [""]);

test("holds 1,024 entries, and is overfull with one more; trimming keeps the newest half", () => {
  const window = windowOf(Array.from({ length: maxWindowEntries }, () => 1));
  expect(window.isOverfull).toBe(false);
  window.append(maxWindowEntries + 1, "", payloadOf(1));
  expect(window.isOverfull).toBe(true);
  window.trim();
  expect([window.size, window.first, window.head]).toEqual([512, 514, 1025]);
});

test("has no hole: after entries that it did not see, it begins anew", () => {
  const window = windowOf([1, 1, 1]);
  window.append(9, "", payloadOf(1));
  expect([window.first, window.head, window.size]).toEqual([9, 9, 1]);
});

test("a repeat of an entry changes nothing", () => {
  const window = windowOf([1, 1]);
  window.append(2, "", payloadOf(9));
  expect([window.head, window.size]).toEqual([2, 2]);
});

test("a lone frame is not copied, and one beyond the size of a slice still goes, alone", () => {
  const payload = payloadOf(maxSliceBytes + 1);
  const window = new LogWindow();
  window.append(1, "", payload);
  window.append(2, "", payloadOf(1));
  const slice = window.slice(all, 1, 2);
  expect(slice.buffer).toHaveLength(maxSliceBytes + 1 + 10);
  expect(window.slice(all, 1, 1).buffer).toBe(slice.buffer);
  expect(slice.next).toBe(2);
});

test("at rest it keeps no frames: they are built again, the same, for who comes late", () => {
  const window = windowOf([10, 20]);
  const before = window.slice(all, 1, 2).buffer!;
  const lone = window.slice(all, 2, 2).buffer!;
  window.rest();
  const after = window.slice(all, 1, 2).buffer!;
  expect(after).toEqual(before);
  expect(after.buffer === before.buffer && after.byteOffset === before.byteOffset).toBe(false);
  window.rest();
  expect(window.slice(all, 2, 2).buffer).toEqual(lone);
});

test("members at different places get views of one buffer", () => {
  const window = windowOf([10, 20, 30]);
  const whole = window.slice(all, 1, 3).buffer!;
  const part = window.slice(all, 2, 2).buffer!;
  expect(part.buffer).toBe(whole.buffer);
  expect(part.length).toBe(22);
});

// Every set of topics had its own buffers, and all of them stayed while one member lagged.
test("keeps buffers for a few megabytes only, however many sets of topics there are", () => {
  const window = windowOf(Array.from({ length: 100 }, () => 1000));
  const feed = new Feed("x");
  const sets = Array.from({ length: 200 }, (_, index) =>
    feed.topicSet(plainVoice, ["", `t${index}`]),
  );
  const before = sets.map((set) => window.slice(set, 1, 100).buffer);
  const again = sets.map((set) => window.slice(set, 1, 100).buffer);
  const kept = again.filter((buffer, index) => buffer === before[index]);
  const bytes = kept.reduce((sum, buffer) => sum + buffer!.length, 0);
  expect(kept.length).toBeGreaterThan(5);
  expect(bytes).toBeLessThanOrEqual(maxCachedRunBytes);
  // Not `toEqual`: it takes 20 ms for each of these.
  for (const buffer of again) expect(buffer?.equals(before[0]!)).toBe(true);
});

test("slices put together are the frames of the topics, in order, whatever the cuts", () => {
  const entry = fc.record({ topic: fc.constantFrom("", "a", "b"), size: fc.nat({ max: 300 }) });
  fc.assert(
    fc.property(
      fc.array(entry, { minLength: 1, maxLength: 60 }),
      fc.subarray(["", "a", "b"], { minLength: 1 }),
      fc.array(fc.nat({ max: 20 }), { maxLength: 20 }),
      (entries, topics, steps) => {
        const window = new LogWindow();
        const payloads = entries.map(({ size }, index) => payloadOf(size, index));
        for (const [index, { topic }] of entries.entries())
          window.append(index + 1, topic, payloads[index]);
        const set = new Feed("x").topicSet(plainVoice, topics);
        const got: Buffer[] = [];
        let position = 1;
        for (let turn = 0; position <= window.head; turn++) {
          const to = Math.min(window.head, position + (steps[turn] ?? 60));
          const { buffer, next } = window.slice(set, position, to);
          if (buffer !== undefined) got.push(buffer);
          expect(next).toBeGreaterThan(position);
          position = next;
        }
        const due = payloads.filter((_, index) => topics.includes(entries[index]!.topic));
        const frames = due.map((payload) => frameOfPayload(payload).single());
        expect(Buffer.concat(got)).toEqual(Buffer.concat(frames));
      },
    ),
  );
});
