import { expect, test } from "vitest";
import { Delivery, KeptMessage } from "./delivery.ts";
import { PrivateBudget } from "./private-budget.ts";

const limits = { maxPrivateBytes: 64 * 1024, creditBytes: 1000, maxMessageBytes: 1000 };

/** As in a server: between two replies to one client much else is allocated, and soon gone. */
function reply(index: number): KeptMessage {
  const bytes = Buffer.from(`${index}`.padEnd(100, "."));
  for (let other = 0; other < 70; other++) Buffer.allocUnsafe(1000);
  return new KeptMessage({ type: "msg", payload: { kind: "text", bytes } });
}

function keptBy(delivery: Delivery) {
  return (delivery.since(delivery.acked) ?? []).flatMap(({ message }) =>
    "payload" in message.item ? [message.item.payload.bytes] : [],
  );
}

function pinnedBy(delivery: Delivery): number {
  const buffers = new Set(keptBy(delivery).map(({ buffer }) => buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

// Each reply of 100 bytes kept the slab of 64 KiB that it was cut from: a client that
// acknowledged nothing held 36 MB where its bound says 64 KiB.
test("what is not acknowledged from one sweep to the next holds no more memory than it takes", () => {
  const budget = new PrivateBudget(1e9);
  const silent = new Delivery(limits, budget);
  const reader = new Delivery(limits, budget);
  for (let index = 0; index < 500; index++) {
    silent.keep(reply(index), 0);
    reader.keep(reply(index), 0);
  }
  budget.settle();
  reader.ack(499);
  budget.settle();
  expect(pinnedBy(silent)).toBeLessThan(500 * 100 * 1.3);
  expect(keptBy(silent).map((bytes) => Number.parseInt(Buffer.from(bytes).toString(), 10))).toEqual(
    Array.from({ length: 500 }, (_, index) => index),
  );
  // It acknowledges, so nothing is copied for it.
  expect(pinnedBy(reader)).toBeGreaterThanOrEqual(Buffer.poolSize);
  for (let index = 500; index < 540; index++) silent.keep(reply(index), 0);
  silent.ack(200);
  budget.settle();
  budget.settle();
  expect(keptBy(silent)).toHaveLength(340);
  expect(pinnedBy(silent)).toBeLessThan(540 * 100 * 1.3);
});

test("a sweep copies so much at most, and the next one goes on", () => {
  const budget = new PrivateBudget(1e9);
  const deliveries = Array.from({ length: 30 }, () => new Delivery(limits, budget));
  for (const delivery of deliveries)
    for (let index = 0; index < 400; index++) delivery.keep(reply(index), 0);
  const small = (): number => deliveries.filter((one) => pinnedBy(one) < 400 * 100 * 1.3).length;
  budget.settle();
  expect(small()).toBe(0);
  budget.settle();
  expect(small()).toBe(25);
  budget.settle();
  expect(small()).toBe(30);
});
