import { expect, test } from "vitest";
import { defineService } from "../../src/index.ts";
import type { StoredCommit } from "../../src/log/history-store.ts";
import { MemoryHistory } from "../../src/log/memory-history.ts";
import { HistoryGate, type Recording } from "../../src/service/history-gate.ts";
import { BrittleHistory, HostRig } from "../host-rig.ts";

// While a gate let out what a transaction had held back, nothing counted as waiting. What one of
// these caused (a slow client's close, say) left at once, ahead of commits that came before it.
test("what leaves behind a transaction leaves in order, with what it causes at the end", () => {
  const gate = new HistoryGate(new MemoryHistory());
  const recording: Recording = { address: "a", take: () => undefined, failed() {} };
  const left: string[] = [];
  gate.touch(recording);
  gate.after(recording, () => {
    left.push("first");
    gate.after(recording, () => left.push("caused"));
  });
  gate.after(recording, () => left.push("second"));
  expect(left).toEqual([]);
  gate.flush();
  expect(left).toEqual(["first", "second", "caused"]);
  gate.after(recording, () => left.push("later"));
  expect(left.at(-1)).toBe("later");
});

/** A store that cannot take what some addresses commit. */
class PickyHistory extends BrittleHistory {
  readonly refused = new Set<string>();
  tries = 0;

  override write(commits: readonly StoredCommit[]): void {
    this.tries += 1;
    if (commits.some(({ address }) => this.refused.has(address))) throw new Error("cannot store");
    super.write(commits);
  }
}

function recordingOf(address: string, failures: string[], take?: () => never): Recording {
  return {
    address,
    take: take ?? (() => ({ address, epoch: "e", seq: 1 })),
    failed: () => void failures.push(address),
  };
}

// One actor that could not be stored took with it all that had committed in the same round
// of the event loop: their clients were closed, and what they had done was undone.
test("a commit that cannot be stored fails alone; the others are stored, and leave in order", () => {
  const history = new PickyHistory();
  history.refused.add("bad");
  const gate = new HistoryGate(history);
  const failures: string[] = [];
  const left: string[] = [];
  const recordings = [
    recordingOf("a", failures),
    recordingOf("bad", failures),
    recordingOf("worse", failures, () => {
      throw new Error("cannot be copied");
    }),
    recordingOf("b", failures),
  ];
  const idle = recordingOf("idle", failures);
  for (const one of recordings) gate.touch(one);
  for (const one of [...recordings, idle])
    gate.after(
      one,
      () => left.push(one.address),
      () => left.push(`not ${one.address}`),
    );
  gate.flush();
  expect(left).toEqual(["a", "not bad", "not worse", "b", "idle"]);
  expect(failures.toSorted()).toEqual(["bad", "worse"]);
  expect(history.load("a")?.seq).toBe(1);
  expect(history.load("b")?.seq).toBe(1);
  expect(history.load("bad")).toBeUndefined();
});

test("a store that takes nothing is not asked for each of a thousand actors", () => {
  const history = new PickyHistory();
  const gate = new HistoryGate(history);
  const failures: string[] = [];
  for (let index = 0; index < 1000; index++) {
    history.refused.add(`a${index}`);
    gate.touch(recordingOf(`a${index}`, failures));
  }
  gate.flush();
  expect(failures).toHaveLength(1000);
  expect(history.tries).toBeLessThanOrEqual(4);
});

test("clients of a service that can be stored hear nothing of one that cannot", async () => {
  const history = new PickyHistory();
  const service = () =>
    defineService({
      history: { durable: true },
      handleBroadcast: (text: string, _state, self) => self.publish(text),
    });
  const rig = new HostRig({ good: service(), bad: service() }, history);
  rig.join("a", "good", { dialect: "v1" });
  rig.join("b", "bad", { dialect: "v1" });
  await rig.settle();
  history.refused.add("bad");
  rig.host.broadcast("bad", "lost");
  rig.host.broadcast("good", "kept");
  await rig.settle();
  const published = rig.messages.flatMap((one) =>
    one.type === "commit" ? one.out.filter(({ type }) => type === "publish") : [],
  );
  expect(published).toHaveLength(1);
  expect(rig.outFor("a").map(({ type }) => type)).not.toContain("close");
  expect(rig.outFor("b").at(-1)).toMatchObject({ type: "close", code: 1011, comeBack: "retry" });
  expect(history.load("good")?.seq).toBe(1);
  expect(rig.reports.filter(({ type }) => type === "failure")).toHaveLength(1);
});
