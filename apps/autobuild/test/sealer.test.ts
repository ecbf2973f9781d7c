import { describe, expect, onTestFinished, test } from "vitest";
import type { AutobuildEvents } from "../src/build/builds.ts";
import { Emitter } from "../src/events.ts";
import { Sealer } from "../src/log/sealer.ts";
import { SealingError } from "../src/log/sealing-thread.ts";
import { openDatabase } from "../src/store/database.ts";
import { KeptStore } from "../src/store/kept-store.ts";
import { Store } from "../src/store/store.ts";
import { newBuildOf } from "./support/builds.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { temporaryFolder } from "./support/temporary.ts";
import { until } from "./support/until.ts";

const hourMs = 60 * 60_000;

class Rig {
  readonly clock = new ManualClock();
  readonly problems: string[] = [];
  readonly sealed: number[] = [];
  readonly failing = new Map<number, Error>();
  readonly read = new Set<number>();
  readonly events = new Emitter<AutobuildEvents>(() => {});
  readonly kept: KeptStore;
  readonly sealer: Sealer;
  readonly #store: Store;
  readonly #repository: number;

  constructor(afterMs: number | null = hourMs) {
    const database = openDatabase(temporaryFolder());
    this.#store = new Store(database);
    this.kept = new KeptStore(database);
    this.#repository = this.#store.repository("/p", "project").id;
    this.events.on("problem", ({ message }) => this.problems.push(message));
    this.sealer = new Sealer(
      {
        store: this.kept,
        clock: this.clock,
        events: this.events,
        seal: async (id) => {
          const error = this.failing.get(id);
          if (error !== undefined) throw error;
          this.sealed.push(id);
        },
        bytesOf: async () => 3,
        isRead: (id) => this.read.has(id),
      },
      afterMs,
    );
    onTestFinished(async () => {
      await this.sealer.stop();
      database.close();
    });
  }

  /** Builds that end now. */
  builds(count: number): void {
    for (let built = 0; built < count; built++) {
      const { id } = this.#store.insertBuild(newBuildOf(this.#repository));
      this.#store.startBuild(id, "cookie", 1);
      const finishedMs = this.clock.epochMs();
      const end = { state: "passed", reason: null, finishedMs, durationMs: 1 } as const;
      this.#store.endBuild(id, { ...end, logBytes: 10 });
    }
  }

  /** Lets time pass, and waits for what is due in it. */
  async pass(ms: number): Promise<void> {
    await until("the last sweep is over", () => this.clock.nextDelayMs !== undefined);
    for (let leftMs = ms; leftMs > 0;) {
      const stepMs = Math.min(leftMs, this.clock.nextDelayMs ?? leftMs);
      this.clock.advance(stepMs);
      leftMs -= stepMs;
      await until("the sweep is over", () => this.clock.nextDelayMs !== undefined);
    }
  }
}

describe("logs are sealed", () => {
  test("when their build has ended a while ago, in order, and once", async () => {
    const rig = new Rig();
    rig.builds(2);
    rig.sealer.start();
    await rig.pass(hourMs - 1);
    expect(rig.sealed).toEqual([]);
    rig.builds(1);
    await rig.pass(hourMs - 1);
    expect(rig.sealed).toEqual([1, 2]);
    await rig.pass(hourMs);
    expect(rig.sealed).toEqual([1, 2, 3]);
    expect(rig.kept.bytes("log")).toBe(9);
    expect(rig.problems).toEqual([]);
  });

  test("however many there are", async () => {
    const rig = new Rig(0);
    rig.builds(250);
    rig.sealer.start();
    await rig.pass(1);
    expect(rig.sealed).toHaveLength(250);
  });

  test("never, if nobody wants it", async () => {
    const rig = new Rig(null);
    rig.builds(1);
    rig.sealer.start();
    await rig.sealer.stop();
    expect([rig.sealed, rig.clock.nextDelayMs]).toEqual([[], undefined]);
  });

  test("not while somebody reads them", async () => {
    const rig = new Rig();
    rig.builds(2);
    rig.read.add(1);
    rig.sealer.start();
    await rig.pass(hourMs);
    expect(rig.sealed).toEqual([2]);
    rig.read.clear();
    await rig.pass(hourMs);
    expect(rig.sealed).toEqual([2, 1]);
  });

  test("also behind one that cannot be, which is said once and tried again", async () => {
    const rig = new Rig(0);
    rig.builds(2);
    rig.failing.set(1, new SealingError("EACCES: permission denied", false));
    rig.sealer.start();
    await rig.pass(5000);
    expect(rig.sealed).toEqual([2]);
    expect(rig.problems).toEqual([
      "The logs of build 1 could not be sealed: EACCES: permission denied. They stay as files, and it is tried again.",
    ]);
    rig.failing.clear();
    await rig.pass(1000);
    expect(rig.sealed).toEqual([2, 1]);
  });

  test("later when the disk is full, which is said once", async () => {
    const rig = new Rig(0);
    rig.builds(3);
    rig.failing.set(2, new SealingError("database or disk is full", true));
    rig.sealer.start();
    await rig.pass(5000);
    expect(rig.sealed).toEqual([1]);
    expect(rig.problems).toEqual([
      "Old logs could not be sealed: the disk is full. They stay as files, and it is tried again.",
    ]);
    rig.failing.clear();
    await rig.pass(1000);
    expect(rig.sealed).toEqual([1, 2, 3]);
  });
});
