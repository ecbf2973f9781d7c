import { expect, onTestFinished, test } from "vitest";
import type { StoredActor, StoredEntry } from "../../src/log/history-store.ts";
import type { JoinInfo } from "../../src/protocol/v1/index.ts";
import { Checker, type ClientRecord } from "./checker.ts";
import { faultRun } from "./fault-run.ts";

test("through cuts, kills and stops, every client sees the durable log once, and all that was acknowledged is in it", async () => {
  const seed = Math.trunc(Math.random() * 2 ** 31);
  onTestFinished(({ task }) => {
    if (task.result?.state === "fail") console.error(`seed ${seed}`);
  });
  const { faults, figures } = await faultRun({ clients: 10, cuts: 15, kills: 2, stops: 1, seed });
  expect(faults).toEqual([]);
  expect(figures.unknown).toBe(0);
  expect(figures.resumes).toBeGreaterThan(10);
}, 120_000);

// ---------- the checker itself ----------

const info = { epoch: "e", answer: "new", seq: 1 } as JoinInfo;

function stored(...texts: readonly (string | undefined)[]): StoredActor {
  const entries = texts.map((text, index): StoredEntry => ({
    seq: index + 1,
    type: text === undefined ? "restarted" : "message",
    topic: "",
    kind: "json",
    bytes: Buffer.from(JSON.stringify(text ?? "")),
    atMs: 0,
  }));
  const nothing = { evicted: new Map(), members: [], privates: [], state: undefined };
  return { epoch: "e", seq: entries.length, entries, ...nothing };
}

function record(
  news: readonly (readonly [number, string?])[],
  more: Partial<ClientRecord> = {},
): ClientRecord {
  return {
    name: "c",
    joins: [info],
    news: news.map(([seq, message]) =>
      message === undefined
        ? { type: "restarted", seq }
        : { type: "published", seq, topic: "", message },
    ),
    counter: [],
    sends: new Map(),
    increments: new Map(),
    ...more,
  };
}

test.each<[string, ClientRecord, string[]]>([
  ["nothing where all is well", record([[2, "c:1"], [3], [4, "c:2"]]), []],
  [
    "a hole",
    record([
      [2, "c:1"],
      [4, "c:2"],
    ]),
    ["c saw 4 c:2 where 3 restarted is due, after 1 that are right"],
  ],
  [
    "a repeat",
    record([[2, "c:1"], [2, "c:1"], [3], [4, "c:2"]]),
    ["c saw 2 c:1 where 3 restarted is due, after 1 that are right"],
  ],
  [
    "an end that is missing",
    record([[2, "c:1"], [3]]),
    ["c saw nothing where 4 c:2 is due, after 2 that are right"],
  ],
  [
    "a damaged message",
    record([[2, "c:1"], [3], [4, "d:2"]]),
    ["c saw 4 d:2 where 4 c:2 is due, after 2 that are right"],
  ],
  [
    "a new join",
    record([[2, "c:1"], [3], [4, "c:2"]], { joins: [info, { ...info, answer: "rejoin" }] }),
    ["c came back as rejoin"],
  ],
])("the checker finds %s", (_what, seen, faults) => {
  const checker = new Checker(stored("before", "c:1", undefined, "c:2"));
  checker.log();
  checker.view(seen);
  expect(checker.faults).toEqual(faults);
});

test("the checker finds what was acknowledged and is not there, what is there twice, and another order", () => {
  const sends = new Map([
    ["c:1", "acknowledged"],
    ["c:2", "acknowledged"],
    ["c:3", "unknown"],
  ] as const);
  const faultsOf = (...texts: string[]): readonly string[] => {
    const checker = new Checker(stored(...texts));
    checker.sends({ name: "c", sends });
    return checker.faults;
  };
  expect(faultsOf("c:1", "c:2")).toEqual([]);
  expect(faultsOf("c:1", "c:2", "c:3")).toEqual([]);
  expect(faultsOf("c:1")).toEqual(["c:2 was acknowledged, and is not in the log"]);
  expect(faultsOf("c:1", "c:2", "c:1")[0]).toBe("a message of c is in the log twice");
  expect(faultsOf("c:2", "c:1")).toEqual([
    "the messages of c are in the log in another order, or others are",
  ]);
});

test("the checker finds an increment that counts twice, not at all, or is told twice", () => {
  const increments = new Map([
    [1, { how: "send", fate: "acknowledged" }],
    [2, { how: "call", fate: "acknowledged" }],
    [3, { how: "send", fate: "unknown" }],
  ] as const);
  const faultsOf = (count: number, told: readonly number[]): readonly string[] => {
    const checker = new Checker(stored());
    const counter = told.map((message) => ({ type: "private", message }) as const);
    checker.counts({ total: count, tallies: { c: { count, last: count, strays: [] } } }, [
      record([], { increments, counter }),
    ]);
    return checker.faults;
  };
  expect(faultsOf(2, [1])).toEqual([]);
  expect(faultsOf(3, [1, 3])).toEqual([]);
  expect(faultsOf(1, [1])).toHaveLength(1);
  expect(faultsOf(4, [1, 3])).toHaveLength(1);
  expect(faultsOf(3, [1, 1])).toEqual(["c was told 1,1 of 1,3"]);
  expect(faultsOf(3, [1])).toEqual(["c was told 1 of 2"]);
});
