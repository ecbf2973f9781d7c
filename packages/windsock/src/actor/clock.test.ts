import { expect, test } from "vitest";
import { settle, VirtualClock } from "../testing/virtual-clock.ts";
import { settleWithin } from "./clock.ts";

const timedOut = () => new Error("timed out");

test("gives what the promise gives, and leaves no timer behind", async () => {
  const clock = new VirtualClock();
  await expect(settleWithin(Promise.resolve(1), 10, clock, timedOut)).resolves.toBe(1);
  await expect(settleWithin(Promise.reject(new Error("no")), 10, clock, timedOut)).rejects.toThrow(
    "no",
  );
  expect(clock.pending).toBe(0);
});

test("rejects at the limit, and ignores what comes later", async () => {
  const clock = new VirtualClock();
  const { promise, reject } = Promise.withResolvers<number>();
  const settled = settleWithin(promise, 10, clock, timedOut).catch(String);
  await clock.advance(9);
  expect(clock.pending).toBe(1);
  await clock.advance(1);
  expect(await settled).toBe("Error: timed out");
  reject(new Error("late"));
  await settle();
});

function thenable(then: (resolve: (value: unknown) => void) => void): PromiseLike<unknown> {
  // oxlint-disable-next-line unicorn/no-thenable -- a thenable is what is tested
  return { then } as unknown as PromiseLike<unknown>;
}

// A foreign thenable may throw from `then`, or give another thenable: the first left the
// timer running, the second stopped it although nothing had settled yet.
test("takes thenables of any kind", async () => {
  const clock = new VirtualClock();
  const thrower = thenable(() => {
    throw new Error("from then");
  });
  await expect(settleWithin(thrower, 10, clock, timedOut)).rejects.toThrow("from then");
  expect(clock.pending).toBe(0);

  const nested = thenable((resolve) => resolve(thenable(() => {})));
  const settled = settleWithin(nested, 10, clock, timedOut).catch(String);
  await clock.advance(10);
  expect(await settled).toBe("Error: timed out");
});
