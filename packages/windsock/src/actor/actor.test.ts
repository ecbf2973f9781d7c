import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import { expect, test } from "vitest";
import { settle, VirtualClock } from "../testing/virtual-clock.ts";
import { Actor, type Behaviour } from "./actor.ts";
import type { MailItem } from "./mailbox.ts";

interface Item extends MailItem {
  readonly id: number;
  readonly does: "nothing" | "await" | "throw" | "reject";
}

const item = (id: number, does: Item["does"] = "nothing"): Item => ({ id, does, bytes: 0 });

/** Does what the items say, and writes down what it was asked. */
class Recorder implements Behaviour<Item> {
  readonly seen: string[] = [];
  readonly handled: number[] = [];
  failStarts = 0;
  idles = 0;
  onHandle: (item: Item) => void = () => {};

  start(generation: number): void {
    this.seen.push(`start ${generation}`);
    if (this.failStarts > 0) {
      this.failStarts -= 1;
      throw new Error("start");
    }
  }
  handle(one: Item): void | Promise<void> {
    this.handled.push(one.id);
    this.onHandle(one);
    switch (one.does) {
      case "nothing":
        return undefined;
      case "await":
        return Promise.resolve();
      case "throw":
        throw new Error(`crash ${one.id}`);
      case "reject":
        return Promise.reject(new Error(`crash ${one.id}`));
    }
  }
  async crashed(error: unknown): Promise<void> {
    this.seen.push(`crashed: ${(error as Error).message}`);
  }
  down(retryAfterMs: number, items: readonly Item[]): void {
    this.seen.push(`down ${retryAfterMs} with ${items.length}`);
  }
  stopped(items: readonly Item[]): void {
    this.seen.push(`stopped with ${items.length}`);
  }
  idle(): void {
    this.idles += 1;
  }
  full(): void {
    this.seen.push("full");
  }
  ready(): void {
    this.seen.push("ready");
  }
}

const defaults = {
  maxMailboxMessages: 1000,
  maxMailboxBytes: 1000,
  maxRestarts: 10,
  restartWindowMs: 10_000,
};

function actorOf(limits: Partial<typeof defaults> = {}) {
  const clock = new VirtualClock();
  const recorder = new Recorder();
  const actor = new Actor<Item>(recorder, { ...defaults, ...limits }, clock);
  return { clock, recorder, actor };
}

test("handles what came before its start after it, in order", async () => {
  const { actor, recorder } = actorOf();
  actor.offer(item(1));
  actor.offer(item(2, "await"));
  actor.offer(item(3));
  expect(recorder.handled).toEqual([]);
  actor.start();
  await actor.idle();
  expect(recorder.seen).toEqual(["start 1"]);
  expect(recorder.handled).toEqual([1, 2, 3]);
});

test("one item at a time: the next waits until the promise of the one before has settled", async () => {
  const clock = new VirtualClock();
  const { promise, resolve } = Promise.withResolvers<void>();
  const handled: number[] = [];
  const recorder = new Recorder();
  const behaviour = Object.assign(recorder, {
    handle: (one: Item) => {
      handled.push(one.id);
      return one.id === 1 ? promise : undefined;
    },
  });
  const actor = new Actor<Item>(behaviour, defaults, clock);
  actor.start();
  actor.offer(item(1));
  actor.offer(item(2));
  await settle();
  expect(handled).toEqual([1]);
  expect(actor.isIdle).toBe(false);
  resolve();
  await actor.idle();
  expect(handled).toEqual([1, 2]);
});

test("each item is handled exactly once and in order, whatever crashes on the way", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("nothing", "await", "throw", "reject"), { maxLength: 60 }),
      fc.array(fc.nat(5), { maxLength: 60 }),
      async (kinds, pauses) => {
        const { actor, recorder } = actorOf({ maxRestarts: 1000 });
        actor.start();
        for (const [id, does] of kinds.entries()) {
          expect(actor.offer(item(id, does))).toBe(true);
          // So that items arrive during turns, crashes and restarts alike.
          for (let tick = 0; tick < (pauses[id] ?? 0); tick++) await Promise.resolve();
        }
        await actor.idle();
        expect(recorder.handled).toEqual(kinds.map((_, id) => id));
        const crashes = kinds.filter((kind) => kind === "throw" || kind === "reject").length;
        expect(recorder.seen.filter((line) => line.startsWith("crashed"))).toHaveLength(crashes);
        expect(actor.generation).toBe(1 + crashes);
      },
    ),
    { numRuns: 100 },
  );
});

test("says that it is idle whenever there is nothing left to do, and only then", async () => {
  const { actor, recorder } = actorOf();
  actor.start();
  await settle();
  expect(recorder.idles).toBe(1);
  recorder.onHandle = () => expect(recorder.idles).toBe(1);
  for (const id of [1, 2, 3]) actor.offer(item(id, "await"));
  await settle();
  expect(recorder.idles).toBe(2);
  recorder.onHandle = () => {};
  actor.offer(item(4, "throw"));
  await settle();
  expect(recorder.idles).toBe(3);
  actor.stop();
  expect(recorder.idles).toBe(3);
});

test("a crash keeps the mailbox, and its item is not handled again", async () => {
  const { actor, recorder } = actorOf();
  actor.start();
  actor.offer(item(1, "throw"));
  actor.offer(item(2));
  await actor.idle();
  expect(recorder.seen).toEqual(["start 1", "crashed: crash 1", "start 2"]);
  expect(recorder.handled).toEqual([1, 2]);
});

test("more crashes than the budget allows end it for the back-off, and give its mailbox back", async () => {
  const { actor, recorder, clock } = actorOf({ maxRestarts: 2 });
  actor.start();
  for (const id of [1, 2, 3]) actor.offer(item(id, "throw"));
  actor.offer(item(4));
  await settle();
  expect(actor.state).toBe("down");
  expect(recorder.seen.at(-1)).toBe("down 1000 with 1");
  expect(actor.offer(item(5))).toBe(false);
  expect(actor.force(item(6))).toBe(false);
  await clock.advance(999);
  expect(actor.retryAfterMs).toBe(1);
  await clock.advance(1);
  expect(actor.state).toBe("running");
  actor.offer(item(7));
  await actor.idle();
  expect(recorder.handled).toEqual([1, 2, 3, 7]);
});

test("a start that always fails goes down, with a back-off that doubles", async () => {
  const { actor, recorder, clock } = actorOf({ maxRestarts: 1 });
  recorder.failStarts = Infinity;
  actor.start();
  await clock.advance(1000 + 2000 + 4000);
  expect(recorder.seen.filter((line) => line.startsWith("down"))).toEqual([
    "down 1000 with 0",
    "down 2000 with 0",
    "down 4000 with 0",
    "down 8000 with 0",
  ]);
});

test("stop waits for the running turn, and gives back what was not handled", async () => {
  const { actor, recorder } = actorOf();
  actor.start();
  recorder.onHandle = (one) => one.id === 1 && actor.stop();
  actor.offer(item(1, "await"));
  actor.offer(item(2));
  await actor.idle();
  await settle();
  expect(recorder.handled).toEqual([1]);
  expect(recorder.seen).toEqual(["start 1", "stopped with 1"]);
  expect(actor.offer(item(3))).toBe(false);
  actor.stop();
  expect(recorder.seen).toHaveLength(2);
});

test("a stop during a crash ends it without a restart", async () => {
  const { actor, recorder } = actorOf();
  actor.start();
  recorder.onHandle = () => actor.stop();
  actor.offer(item(1, "throw"));
  await settle();
  expect(recorder.seen).toEqual(["start 1", "crashed: crash 1", "stopped with 0"]);
});

test("a stop while it is down ends the back-off", async () => {
  const { actor, recorder, clock } = actorOf({ maxRestarts: 1 });
  actor.start();
  actor.offer(item(1, "throw"));
  actor.offer(item(2, "throw"));
  await settle();
  expect(actor.state).toBe("down");
  actor.stop();
  await clock.advance(10_000);
  expect(recorder.seen.at(-1)).toBe("stopped with 0");
  expect(clock.pending).toBe(0);
});

test("says once that it is full, and once, at half, that it is not", async () => {
  const { actor, recorder } = actorOf({ maxMailboxMessages: 4 });
  for (let id = 0; id < 6; id++) actor.force(item(id));
  expect(recorder.seen).toEqual(["full"]);
  let wokenAt: number | undefined;
  void actor.room().then(() => (wokenAt = recorder.handled.length));
  actor.start();
  await actor.idle();
  await settle();
  expect(recorder.seen).toEqual(["full", "start 1", "ready"]);
  expect(wokenAt).toBeDefined();
});

// The mailbox of an actor that goes down or stops is given back at once, without the turn
// that would have found it half empty: whoever was told "full" waited for ever.
test.each(["down", "stop"] as const)("a full mailbox is ready again at a %s", async (how) => {
  const { actor, recorder } = actorOf({ maxMailboxMessages: 2, maxRestarts: 1 });
  recorder.failStarts = Infinity;
  for (const id of [1, 2]) actor.force(item(id));
  const room = actor.room();
  if (how === "down") actor.start();
  else actor.stop();
  await room;
  await settle();
  expect(recorder.seen.filter((line) => line === "full" || line === "ready")).toEqual([
    "full",
    "ready",
  ]);
  expect(actor.wasFull).toBe(false);
  actor.stop();
});

// The count of turns since the last pause began anew with each run of the loop, and a turn
// that awaits ends a run: such an actor never let the event loop go round.
test.each(["nothing", "await"] as const)(
  "an actor that always has work (%s) lets the event loop go round",
  async (does) => {
    const { actor, recorder } = actorOf();
    let isOver = false;
    recorder.onHandle = (one) => {
      if (!isOver && one.id < 100_000) actor.offer(item(one.id + 1, does));
    };
    actor.start();
    actor.offer(item(0, does));
    await new Promise<void>((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => setImmediate(resolve));
    isOver = true;
    expect(recorder.handled.length).toBeLessThan(1000);
    await actor.idle();
  },
);

// Turns were counted from pause to pause, over any number of rounds of the event loop: every
// second burst was cut in two, and the edge wrote the first part by itself.
test("turns of earlier rounds of the event loop do not cut a burst in two", async () => {
  const { actor, recorder } = actorOf();
  actor.start();
  for (let burst = 1; burst <= 5; burst++) {
    // As the flush of the edge, which the first turn of a burst asks for.
    const flush = new Promise<void>((resolve) => {
      recorder.onHandle = ({ id }) => {
        if (id === 0) setImmediate(resolve);
      };
    });
    for (let id = 0; id < 150; id++) actor.offer(item(id, "nothing"));
    await flush;
    expect(recorder.handled).toHaveLength(burst * 150);
  }
});

// The microtask that runs an actor inherited the context of whoever posted first: what
// the actor did on its own behalf (reports, restarts, timers) counted as done by the poster.
test("runs in no context of whoever posts to it, starts it or stops it", async () => {
  const storage = new AsyncLocalStorage<string>();
  const contexts = new Set<string | undefined>();
  const clock = new VirtualClock();
  const note = () => void contexts.add(storage.getStore());
  const actor = new Actor<Item>(
    {
      start: note,
      handle: (one) => {
        note();
        if (one.does === "throw") throw new Error("crash");
      },
      crashed: note,
      down: note,
      stopped: note,
      idle: note,
      full: note,
      ready: note,
    },
    defaults,
    clock,
  );
  storage.run("the poster", () => {
    actor.start();
    actor.offer(item(1));
    actor.offer(item(2, "throw"));
    actor.offer(item(3));
  });
  await actor.idle();
  storage.run("the poster", () => actor.stop());
  expect([...contexts]).toEqual([undefined]);
});
