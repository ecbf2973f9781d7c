import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defineService, HistoryError, OptionError, stop } from "../src/index.ts";
import { BrittleHistory, HostRig } from "./host-rig.ts";

// What is stored of an actor that has ended was there for ever: `forget` had no caller, and
// a service with a key for each visitor grew its file without a bound.

const minute = 60_000;

// What is stored has times of the wall clock.
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

async function pass(rig: HostRig, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await rig.clock.advance(ms);
  await rig.settle();
}

function visits(options: { keepMs?: number; state?: boolean } = {}) {
  return defineService({
    history: {
      durable: true,
      ageMs: 10 * minute,
      ...(options.keepMs === undefined ? {} : { keepMs: options.keepMs }),
    },
    state: { durable: options.state ?? false },
    limits: { graceMs: 1000 },
    init: () => 0,
    handleJoin(_client, count, service) {
      service.publish(count + 1);
      return count + 1;
    },
    handleIncoming: () => stop("the end"),
  });
}

/** Somebody comes, and ends it. */
async function visit(rig: HostRig, mid: string): Promise<void> {
  rig.join(mid, "visits", { dialect: "v1" });
  await rig.settle();
  const payload = { kind: "json", bytes: Buffer.from("1") } as const;
  rig.post({ type: "in", address: "visits", mid, n: 1, wireBytes: 1, payload });
  await rig.settle();
}

function seqOf(rig: HostRig): number | undefined {
  return rig.history.load("visits")?.seq;
}

test("a log that has ended is forgotten when nothing in it is young enough, as one in memory", async () => {
  const rig = new HostRig({ visits: visits() });
  await visit(rig, "a");
  expect(seqOf(rig)).toBe(1);
  await pass(rig, 9 * minute);
  expect(seqOf(rig)).toBe(1);
  await pass(rig, minute + 5000);
  expect(seqOf(rig)).toBeUndefined();
});

test("somebody who comes takes it back, and its time begins anew with its next end", async () => {
  const rig = new HostRig({ visits: visits() });
  await visit(rig, "a");
  await pass(rig, 9 * minute);
  await visit(rig, "b");
  expect(seqOf(rig)).toBeGreaterThan(1);
  await pass(rig, 9 * minute);
  expect(seqOf(rig)).toBeDefined();
  await pass(rig, minute + 5000);
  expect(seqOf(rig)).toBeUndefined();
});

test("an actor that runs keeps what it has, whether or not anybody does anything", async () => {
  const rig = new HostRig({ visits: visits() });
  rig.join("a", "visits", { dialect: "v1" });
  await rig.settle();
  await pass(rig, 60 * minute);
  expect(seqOf(rig)).toBe(1);
});

test("a state that is durable stays for ever, unless the service says for how long", async () => {
  const rig = new HostRig({ visits: visits({ state: true }) });
  await visit(rig, "a");
  await pass(rig, 10_000 * minute);
  expect(seqOf(rig)).toBe(1);
  const bounded = new HostRig({ visits: visits({ state: true, keepMs: 20 * minute }) });
  await visit(bounded, "a");
  await pass(bounded, 19 * minute);
  expect(seqOf(bounded)).toBe(1);
  await pass(bounded, 2 * minute);
  expect(seqOf(bounded)).toBeUndefined();
  // Whoever comes then begins anew.
  await visit(bounded, "b");
  expect(seqOf(bounded)).toBe(1);
});

test("what a process left behind when it died is found by the next one", async () => {
  const history = new BrittleHistory();
  history.write([{ address: "visits", epoch: "e", seq: 7 }]);
  const room = defineService({ history: { durable: true, ageMs: minute }, params: ["id"] });
  history.write([{ address: "room/1", epoch: "e", seq: 7 }]);
  const rig = new HostRig({ "room/[id]": room }, history, {
    addresses: {
      parse: (address) =>
        address.startsWith("room/")
          ? { name: "room/[id]", params: { id: address.slice(5) } }
          : undefined,
      format: () => "",
    },
  });
  await pass(rig, minute + 5000);
  expect(history.load("room/1")).toBeUndefined();
  // Of a service that is not there any more everything stays.
  expect(history.load("visits")?.seq).toBe(7);
});

test("a disk that is full is no fault of the sweep: it tries again", async () => {
  const rig = new HostRig({ visits: visits() });
  await visit(rig, "a");
  const forget = vi.spyOn(rig.history, "forget").mockImplementationOnce(() => {
    throw new HistoryError("disk full");
  });
  await pass(rig, 10 * minute + 5000);
  expect(forget).toHaveBeenCalledTimes(2);
  expect(seqOf(rig)).toBeUndefined();
});

test("keepMs is a whole number, and for what is durable", () => {
  for (const keepMs of [0, 1.5, -1])
    expect(() => defineService({ history: { durable: true, keepMs } })).toThrow(OptionError);
  expect(() => defineService({ history: { keepMs: 1 } })).toThrow(/history\.durable/);
});
