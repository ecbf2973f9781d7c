import { expect, test } from "vitest";
import { LogStore, logOverheadBytes } from "./log-store.ts";
import { entryOverheadBytes, type Log } from "./log.ts";

const limits = { messages: 1000, bytes: 1e9, ageMs: 600_000 };
const size = 1000;
const cost = size + entryOverheadBytes;

function append(log: Log, now: number): void {
  log.append("", { kind: "text", bytes: Buffer.alloc(size) }, now);
}

test("a log is the same when its actor comes back, and a new one when nothing was ever published", () => {
  const store = new LogStore();
  const used = store.open("a", limits);
  const unused = store.open("b", limits);
  append(used, 0);
  store.release("a", 0);
  store.release("b", 0);
  expect(store.open("a", limits)).toBe(used);
  expect(store.open("b", limits)).not.toBe(unused);
});

test("a log without an actor is kept for its age, and then forgotten", () => {
  const store = new LogStore();
  append(store.open("a", limits), 0);
  store.release("a", 0);
  store.sweep(600_000);
  expect(store.find("a")).toBeDefined();
  store.sweep(600_001);
  expect(store.find("a")).toBeUndefined();
});

test("all logs together keep their budget to the byte; beyond it, the oldest entries go", () => {
  const store = new LogStore(4 * cost + 2 * logOverheadBytes);
  const [a, b] = [store.open("a", limits), store.open("b", limits)];
  for (const log of [a, b, a, b]) append(log, 0);
  store.sweep(1);
  expect([a.size, b.size]).toEqual([2, 2]);
  append(b, 1);
  store.sweep(1);
  expect([a.size, b.size]).toEqual([1, 3]);
});

// The order of use was that of the actors' starts: the log that a service had opened first
// lost its entries though it was the one in use.
test("beyond the budget the log that was used least recently goes first", () => {
  const store = new LogStore(3 * cost + 2 * logOverheadBytes);
  const [busy, quiet] = [store.open("busy", limits), store.open("quiet", limits)];
  for (let index = 0; index < 2; index++) append(quiet, 10);
  for (let index = 0; index < 2; index++) append(busy, 20);
  store.sweep(20);
  expect([busy.size, quiet.size]).toEqual([2, 1]);
  quiet.read([""], 1, 3, Infinity, 30);
  append(quiet, 30);
  store.sweep(30);
  expect([busy.size, quiet.size]).toEqual([1, 2]);
});

// A quiet service's log was looked at only when it was read.
test("a sweep lets go of entries that are too old", () => {
  const store = new LogStore();
  const log = store.open("a", limits);
  append(log, 0);
  store.sweep(600_001);
  expect(log.bytes).toBe(0);
});

// A released log that had lost its entries cost nothing in the sum: any number of them stayed for their age.
test("beyond the budget, logs without an actor are forgotten whole", () => {
  const store = new LogStore(10 * logOverheadBytes);
  for (let index = 0; index < 20; index++) {
    append(store.open(`k${index}`, { ...limits, messages: 1 }), index);
    store.release(`k${index}`, index);
  }
  store.sweep(20);
  const kept = Array.from({ length: 20 }, (_, index) => `k${index}`).filter(
    (key) => store.find(key) !== undefined,
  );
  expect(kept.length).toBeLessThanOrEqual(10);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => `k${20 - kept.length + i}`));
});
