import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entryOverheadBytes, Log, maxLatestKeys } from "./log.ts";

function payloadOf(text: string) {
  return { kind: "text", bytes: Buffer.from(text) } as const;
}

const roomy = { messages: 1000, bytes: 1e9, ageMs: 600_000 };

/** A log with these texts, all of one topic and age. */
function logOf(texts: readonly string[], limits: Partial<typeof roomy> = {}): Log {
  const log = new Log("epoch", { ...roomy, ...limits });
  for (const text of texts) log.append("", payloadOf(text), 0);
  return log;
}

function texts(log: Log, topics: readonly string[] = [""], from = 1, now = 0): string[] {
  return log
    .read(topics, from, log.seq + 1, Infinity, now)
    .entries.flatMap((entry) =>
      entry.type === "message" ? [Buffer.from(entry.payload.bytes).toString()] : [],
    );
}

/** The memory that the entries of a log keep alive. */
function pinnedBy(log: Log): number {
  const { entries } = log.read([""], 1, log.seq + 1, Infinity, 0);
  const buffers = new Set(
    entries.flatMap((entry) => (entry.type === "message" ? [entry.payload.bytes.buffer] : [])),
  );
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** As in a server: between two messages of a log much else is allocated, and soon gone. */
function amongOthers(text: string) {
  const payload = payloadOf(text);
  for (let index = 0; index < 50; index++) Buffer.allocUnsafe(1000);
  return payload;
}

// Small buffers are cut from slabs of 64 KiB that the whole process shares: an entry of
// 100 bytes kept one of them, and a log of 8 KiB messages was two to five times as large.
describe("memory", () => {
  test.each([100, 1000, 8192, 40_000])(
    "of entries of %i bytes is hardly more than they take",
    (size) => {
      const log = new Log("epoch", { ...roomy, messages: 1e6 });
      const count = Math.ceil(1_000_000 / size);
      for (let index = 0; index < count; index++)
        log.append("", amongOthers(`${index}`.padEnd(size, ".")), 0);
      expect(texts(log).map((text) => Number.parseInt(text, 10))).toEqual(
        Array.from({ length: count }, (_, index) => index),
      );
      expect(pinnedBy(log)).toBeLessThan(count * size * 1.3);
    },
  );

  test("of a log with one small entry is small, also once it had many", () => {
    const log = new Log("epoch", { ...roomy, messages: 1000 });
    log.append("", amongOthers("only one"), 0);
    expect(pinnedBy(log)).toBeLessThanOrEqual(512);
    for (let index = 0; index < 1000; index++) log.append("", amongOthers("x".repeat(1000)), 0);
    log.expire(700_000);
    log.append("", amongOthers("one again"), 700_000);
    expect(texts(log, [""], 1, 700_000)).toEqual(["one again"]);
    expect(pinnedBy(log)).toBeLessThanOrEqual(512);
  });

  test("of the newest entries of their keys, which stay alone, is what they take", () => {
    const log = new Log("epoch", { ...roomy, messages: 10 });
    for (let key = 0; key < 50; key++) {
      log.append("", amongOthers("v".repeat(100)), 0, `${key}`);
      for (let other = 0; other < 100; other++)
        log.append("", amongOthers("x".repeat(500)), 0, "x");
    }
    expect(pinnedBy(log)).toBeLessThan(50 * 100 + 10 * 500 + 3 * 512);
  });
});

describe("bounds", () => {
  test("keeps as many messages as it may, and drops the oldest for one more", () => {
    const log = logOf(["a", "b", "c"], { messages: 3 });
    expect(texts(log)).toEqual(["a", "b", "c"]);
    log.append("", payloadOf("d"), 0);
    expect(texts(log)).toEqual(["b", "c", "d"]);
    expect(log.size).toBe(3);
  });

  test("keeps as many bytes as it may, and drops the oldest for one more", () => {
    const bytes = 3 * (10 + entryOverheadBytes);
    const log = logOf(
      ["a", "b", "c"].map((text) => text.repeat(10)),
      { bytes },
    );
    expect(log.size).toBe(3);
    expect(log.bytes).toBe(bytes);
    log.append("", payloadOf("d".repeat(11)), 0);
    expect(texts(log).map((text) => text[0])).toEqual(["c", "d"]);
  });

  test("keeps one message that is larger than all its bytes", () => {
    const log = logOf(["a", "b".repeat(500)], { bytes: 100 });
    expect(texts(log)).toEqual(["b".repeat(500)]);
  });

  test("keeps a message until it is too old, and not longer", () => {
    const log = logOf(["a"], { ageMs: 1000 });
    expect(texts(log, [""], 1, 1000)).toEqual(["a"]);
    expect(texts(log, [""], 1, 1001)).toEqual([]);
    expect(log.bytes).toBe(0);
  });

  // Only appends and reads looked at the age: what a quiet service had published stayed in memory.
  test("lets go of what is too old without being read", () => {
    const log = logOf(["a"], { ageMs: 1000 });
    log.expire(1001);
    expect(log.bytes).toBe(0);
    expect(log.seq).toBe(1);
  });
});

describe("reading", () => {
  test("gives the entries of some topics, at their numbers", () => {
    const log = new Log("epoch", roomy);
    for (const topic of ["a", "b", "a", "c"]) log.append(topic, payloadOf(topic), 0);
    const { entries, next, gone } = log.read(["a", "c"], 1, 5, Infinity, 0);
    expect(entries.map(({ seq }) => seq)).toEqual([1, 3, 4]);
    expect({ next, gone }).toEqual({ next: 5, gone: false });
  });

  test("gives at least one message, and about as many bytes as asked for", () => {
    const log = logOf(["aaaa", "bbbb", "cccc"]);
    const first = log.read([""], 1, 4, 1, 0);
    expect([first.entries.length, first.next]).toEqual([1, 2]);
    const two = log.read([""], 1, 4, 8, 0);
    expect([two.entries.length, two.next]).toEqual([2, 3]);
  });

  test("begins with the first entry when asked for 0, and gives nothing beyond the head", () => {
    const log = logOf(["a", "b"]);
    expect(texts(log, [""], 0)).toEqual(["a", "b"]);
    expect(log.read([""], 3, 9, Infinity, 0)).toEqual({ entries: [], next: 3, gone: false });
  });

  test("a restart takes a number and is not a message", () => {
    const log = logOf(["a"]);
    log.appendRestarted(0);
    expect(log.append("", payloadOf("b"), 0).seq).toBe(3);
    expect(texts(log)).toEqual(["a", "b"]);
  });
});

describe("what is gone", () => {
  test("is said only to readers of a topic that lost something behind their position", () => {
    const log = new Log("epoch", { ...roomy, messages: 2 });
    for (const topic of ["rare", "often", "often", "often"]) log.append(topic, payloadOf("x"), 0);
    expect(log.read(["rare"], 2, 5, Infinity, 0).gone).toBe(false);
    expect(log.read(["rare"], 1, 5, Infinity, 0).gone).toBe(true);
    expect(log.read(["often"], 2, 5, Infinity, 0).gone).toBe(true);
    expect(log.read(["often"], 3, 5, Infinity, 0).gone).toBe(false);
    expect(log.read(["never"], 1, 5, Infinity, 0).gone).toBe(false);
  });

  test("is remembered for 1,000 topics; beyond, a reader may be told of a gap that was none, never the reverse", () => {
    const log = new Log("epoch", { ...roomy, messages: 1 });
    for (let index = 0; index <= 1001; index++) log.append(`t${index}`, payloadOf("x"), 0);
    // t0 is number 1 and was forgotten together with others; t1 has its own place.
    expect(log.read(["t0"], 1, 3, Infinity, 0).gone).toBe(true);
    expect(log.read(["t500"], 502, 600, Infinity, 0).gone).toBe(false);
    expect(log.read(["unheard of"], 1, 3, Infinity, 0).gone).toBe(true);
  });

  test("a reader never has a hole that it is not told of", () => {
    const append = fc.record({ topic: fc.constantFrom("a", "b", "c"), age: fc.nat({ max: 30 }) });
    fc.assert(
      fc.property(
        fc.array(append, { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat({ max: 60 }),
        fc.subarray(["a", "b", "c"], { minLength: 1 }),
        (appends, messages, from, topics) => {
          const log = new Log("epoch", { messages, bytes: 1e9, ageMs: 100 });
          const all: { seq: number; topic: string }[] = [];
          let now = 0;
          for (const { topic, age } of appends) {
            now += age;
            all.push({ seq: log.append(topic, payloadOf("x"), now).seq, topic });
          }
          const range = log.read(topics, from, log.seq + 1, Infinity, now);
          const got = range.entries.map(({ seq }) => seq);
          const due = all
            .filter(({ seq, topic }) => seq >= from && topics.includes(topic))
            .map(({ seq }) => seq);
          expect(range.gone).toBe(got.length < due.length);
          expect(got).toEqual(due.slice(due.length - got.length));
        },
      ),
    );
  });
});

describe("the newest of a key", () => {
  const texts = (log: Log, from = 1): string[] =>
    log
      .read([""], from, log.seq + 1, Infinity, 0)
      .entries.flatMap((entry) =>
        entry.type === "message" ? [Buffer.from(entry.payload.bytes).toString()] : [],
      );
  const write = (log: Log, ...entries: readonly string[]): void => {
    // "a1" is a value of key a, "-1" has no key.
    for (const text of entries)
      log.append("", payloadOf(text), 0, text.startsWith("-") ? undefined : text[0]);
  };

  test("takes the place of those before it, for who reads late", () => {
    const log = new Log("epoch", roomy);
    write(log, "a1", "b1", "-1", "a2", "b2", "a3");
    expect(texts(log)).toEqual(["-1", "b2", "a3"]);
    expect(texts(log, 6)).toEqual(["a3"]);
  });

  test("outlives the bounds, and what it replaced is no gap", () => {
    const log = new Log("epoch", { ...roomy, messages: 2 });
    write(log, "a1", "b1", "a2", "c1", "c2", "c3");
    expect(log.firstOf("")).toBe(1);
    expect(texts(log)).toEqual(["b1", "a2", "c3"]);
    write(log, "-1", "-2", "-3");
    expect(log.firstOf("")).toBe(8);
    write(log, "a3");
    expect(texts(log)).toEqual(["b1", "c3", "-3", "a3"]);
  });

  test("is kept for 1,000 keys; the one that was not written for longest is a gap then", () => {
    const log = new Log("epoch", { ...roomy, messages: 1 });
    for (let key = 0; key < maxLatestKeys; key++) log.append("", payloadOf(`${key}`), 0, `${key}`);
    expect(log.firstOf("")).toBe(1);
    log.append("", payloadOf("again"), 0, "0");
    log.append("", payloadOf("one more"), 0, "new");
    // Key 1 was the oldest.
    expect(log.firstOf("")).toBe(3);
    expect(texts(log)).toHaveLength(maxLatestKeys);
    expect(texts(log)[0]).toBe("2");
  });

  // Which entry of a topic went last was taken from the one that went just now: a key that was not
  // written for long goes with an old number, and hid that newer entries had gone before.
  test("that goes after newer entries of its topic hides none of their gaps", () => {
    const log = new Log("epoch", { ...roomy, messages: 1 });
    log.append("", payloadOf("old"), 0, "old");
    write(log, "-1", "-2");
    expect(log.firstOf("")).toBe(3);
    for (let key = 0; key < maxLatestKeys; key++) log.append("", payloadOf(`${key}`), 0, `${key}`);
    expect(log.firstOf("")).toBe(4);
  });

  test("that goes before older entries of its topic stays a gap when those go", () => {
    const messages = maxLatestKeys + 2;
    const log = new Log("epoch", { ...roomy, messages });
    write(log, "-1");
    for (let key = 0; key <= maxLatestKeys; key++) log.append("", payloadOf(`${key}`), 0, `${key}`);
    expect(log.firstOf("")).toBe(3);
    log.append("other", payloadOf("x"), 0);
    expect(log.size).toBe(messages);
    expect(log.firstOf("")).toBe(3);
  });

  test("always arrives, in rising order, wherever a reader stands", () => {
    const action = fc.record({
      key: fc.constantFrom("a", "b", "c", "-"),
      value: fc.nat({ max: 9 }),
    });
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 40 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat({ max: 40 }),
        (actions, messages, from) => {
          const log = new Log("epoch", { ...roomy, messages });
          const newest = new Map<string, number>();
          for (const { key, value } of actions) {
            write(log, `${key}${value}`);
            if (key !== "-") newest.set(key, log.seq);
          }
          const { entries } = log.read([""], from, log.seq + 1, Infinity, 0);
          const seqs = entries.map(({ seq }) => seq);
          expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
          const due = [...newest.values()].filter((seq) => seq >= from);
          expect(due.filter((seq) => !seqs.includes(seq))).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
