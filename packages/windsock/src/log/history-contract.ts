import { describe, expect, test } from "vitest";
import type { HistoryStore, StoredCommit, StoredEntry } from "./history-store.ts";

/** How a suite gets a store, and the same one again as after a restart. */
export interface HistoryHarness {
  open(): HistoryStore;
  /** Closes and opens the same history. */
  reopen(store: HistoryStore): HistoryStore;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function entry(seq: number, text: string, topic = ""): StoredEntry {
  return { seq, type: "message", topic, kind: "text", bytes: bytes(text), atMs: seq * 1000 };
}

function commit(seq: number, more: Partial<StoredCommit> = {}): StoredCommit {
  return { address: "status", epoch: "one", seq, ...more };
}

/** What every `HistoryStore` must do. */
export function historyContract(name: string, harness: HistoryHarness): void {
  describe(`${name} keeps a history`, () => {
    test("it knows nothing of an address that was never written", () => {
      const store = harness.open();
      expect(store.load("status")).toBeUndefined();
      expect(store.addressesWithMembers()).toEqual([]);
      store.close();
    });

    test("entries come back in order, with topic, kind and bytes", () => {
      let store = harness.open();
      store.write([commit(2, { entries: [entry(1, "a"), entry(2, "b", "news")] })]);
      store.write([
        commit(3, {
          entries: [
            {
              seq: 3,
              type: "restarted",
              topic: "",
              kind: "binary",
              bytes: new Uint8Array(),
              atMs: 3000,
            },
          ],
        }),
      ]);
      store = harness.reopen(store);
      const loaded = store.load("status");
      expect(loaded?.seq).toBe(3);
      expect(loaded?.epoch).toBe("one");
      expect(loaded?.entries.map(({ seq, type, topic, atMs }) => [seq, type, topic, atMs])).toEqual(
        [
          [1, "message", "", 1000],
          [2, "message", "news", 2000],
          [3, "restarted", "", 3000],
        ],
      );
      expect(loaded?.entries.map((one) => new TextDecoder().decode(one.bytes))).toEqual([
        "a",
        "b",
        "",
      ]);
      store.close();
    });

    test("an entry may be evicted by the commit that wrote it, and its topic remembers it", () => {
      let store = harness.open();
      store.write([
        commit(3, {
          entries: [entry(1, "a"), entry(2, "b"), entry(3, "c", "x")],
          evictedThrough: 2,
          evicted: new Map([["", 2]]),
        }),
      ]);
      store.write([
        commit(4, { entries: [entry(4, "d")], evictedThrough: 3, evicted: new Map([["x", 3]]) }),
      ]);
      store = harness.reopen(store);
      const loaded = store.load("status");
      expect(loaded?.entries.map(({ seq }) => seq)).toEqual([4]);
      expect(Object.fromEntries(loaded?.evicted ?? [])).toEqual({ "": 2, x: 3 });
      store.close();
    });

    test("members come back in the order of their joins, changed ones as they are now", () => {
      let store = harness.open();
      const member = (id: string, order: number, data: string) => ({
        id,
        order,
        data: bytes(data),
      });
      store.write([
        commit(0, { members: [member("zoe", 1, "first"), member("amy", 2, "second")] }),
      ]);
      store.write([commit(0, { members: [member("zoe", 1, "changed")] })]);
      store = harness.reopen(store);
      expect(
        store.load("status")?.members.map((one) => [one.id, new TextDecoder().decode(one.data)]),
      ).toEqual([
        ["zoe", "changed"],
        ["amy", "second"],
      ]);
      expect(store.addressesWithMembers()).toEqual(["status"]);
      store.close();
    });

    test("private messages stay until they are acknowledged or their member is gone", () => {
      let store = harness.open();
      const members = [
        { id: "a", order: 1, data: bytes("") },
        { id: "b", order: 2, data: bytes("") },
      ];
      const one = (member: string, count: number) => ({
        member,
        count,
        data: bytes(`${member}${count}`),
      });
      store.write([
        commit(0, { members, privates: [one("a", 1), one("a", 2), one("b", 1), one("a", 3)] }),
      ]);
      store.write([commit(0, { acked: new Map([["a", 2]]) })]);
      store = harness.reopen(store);
      expect(store.load("status")?.privates.map(({ member, count }) => [member, count])).toEqual([
        ["a", 3],
        ["b", 1],
      ]);
      store.write([commit(0, { gone: ["a"] })]);
      store = harness.reopen(store);
      expect(store.load("status")?.privates.map(({ member, count }) => [member, count])).toEqual([
        ["b", 1],
      ]);
      expect(store.load("status")?.members.map(({ id }) => id)).toEqual(["b"]);
      store.close();
    });

    test("the newest state is kept", () => {
      let store = harness.open();
      store.write([commit(0, { state: bytes("one") })]);
      store.write([commit(0), commit(0, { state: bytes("two") })]);
      store = harness.reopen(store);
      expect(new TextDecoder().decode(store.load("status")?.state)).toBe("two");
      store.close();
    });

    test("a new epoch ends everything of the one before", () => {
      let store = harness.open();
      store.write([
        commit(1, {
          entries: [entry(1, "old")],
          state: bytes("old"),
          members: [{ id: "a", order: 1, data: bytes("") }],
        }),
      ]);
      store.write([{ address: "status", epoch: "two", seq: 1, entries: [entry(1, "new")] }]);
      store = harness.reopen(store);
      const loaded = store.load("status");
      expect(loaded?.epoch).toBe("two");
      expect(loaded?.entries).toHaveLength(1);
      expect(loaded?.members).toEqual([]);
      expect(loaded?.state).toBeUndefined();
      store.close();
    });

    test("addresses are apart, also where one name begins like another", () => {
      const store = harness.open();
      store.write([
        commit(1, { entries: [entry(1, "a")] }),
        { address: "status/1", epoch: "x", seq: 1, entries: [entry(1, "b")] },
      ]);
      store.forget("status");
      expect(store.load("status")).toBeUndefined();
      expect(store.load("status/1")?.entries).toHaveLength(1);
      store.close();
    });

    test("who has ended may be forgotten from its time on, oldest first, unless it has members or commits", () => {
      let store = harness.open();
      const addresses = ["late", "early", "member", "busy", "kept", "runs"];
      for (const address of addresses) store.write([{ address, epoch: "e", seq: 1 }]);
      store.write([
        {
          address: "member",
          epoch: "e",
          seq: 1,
          members: [{ id: "a", order: 1, data: bytes("") }],
        },
      ]);
      store.retire("late", 2000);
      store.retire("early", 1000);
      for (const address of ["member", "busy"]) store.retire(address, 500);
      store.retire("kept", Infinity);
      store.retire("unknown", 0);
      store.write([{ address: "busy", epoch: "e", seq: 2 }]);
      store = harness.reopen(store);
      expect(store.retired(999, 10)).toEqual([]);
      expect(store.retired(1000, 10)).toEqual(["early"]);
      expect(store.retired(9000, 10)).toEqual(["early", "late"]);
      expect(store.retired(9000, 1)).toEqual(["early"]);
      expect([...store.unretired()].sort()).toEqual(["busy", "runs"]);
      store.forget("early");
      expect(store.retired(9000, 10)).toEqual(["late"]);
      store.close();
    });
  });
}
