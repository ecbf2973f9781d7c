import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { type StopReport, stopOnSignals } from "./signals.ts";

function arrange(stop: () => Promise<StopReport | void>) {
  const source = new EventEmitter();
  const exits: number[] = [];
  const reports: unknown[] = [];
  const clock = { ms: 0 };
  let exited = (): void => {};
  const exit = new Promise<void>((resolve) => (exited = resolve));
  const release = stopOnSignals(stop, {
    source,
    now: () => clock.ms,
    report: (error) => reports.push(error),
    exit(code) {
      exits.push(code);
      exited();
    },
  });
  const send = (signal: NodeJS.Signals) => source.emit(signal, signal);
  return { source, exits, reports, clock, exit, release, send };
}

const never = () => new Promise<void>(() => {});

test.each(["SIGTERM", "SIGINT"] as const)("%s stops, then exits with 0", async (signal) => {
  let finish = (): void => {};
  const { send, exits, exit } = arrange(() => new Promise<void>((resolve) => (finish = resolve)));
  send(signal);
  await Promise.resolve();
  expect(exits).toEqual([]);
  finish();
  await exit;
  expect(exits).toEqual([0]);
});

test("a stop that ran out of time exits with 1, one that did not with 0", async () => {
  for (const timedOut of [true, false]) {
    const { send, exits, exit } = arrange(() => Promise.resolve({ timedOut }));
    send("SIGTERM");
    await exit;
    expect(exits).toEqual([timedOut ? 1 : 0]);
  }
});

test("a stop that rejects or throws is reported and exits with 1", async () => {
  const boom = new Error("boom");
  const stops = [
    () => Promise.reject(boom),
    () => {
      throw boom;
    },
  ];
  for (const stop of stops) {
    const { send, exits, exit, reports } = arrange(stop);
    send("SIGTERM");
    await exit;
    expect(exits).toEqual([1]);
    expect(reports).toEqual([boom]);
  }
});

test.each([
  ["SIGTERM", "SIGTERM", 143],
  ["SIGTERM", "SIGINT", 130],
  ["SIGINT", "SIGTERM", 143],
] as const)("%s, then %s at once, exits with %i without waiting", (first, second, code) => {
  const { send, exits } = arrange(never);
  send(first);
  send(second);
  expect(exits).toEqual([code]);
});

test("a second Ctrl-C exits at once, unless it is the same press handed on by npm", () => {
  const { send, exits, clock } = arrange(never);
  send("SIGINT");
  clock.ms = 99;
  send("SIGINT");
  expect(exits).toEqual([]);
  clock.ms = 100;
  send("SIGINT");
  expect(exits).toEqual([130]);
});

test("the stop runs once", () => {
  let runs = 0;
  const { send } = arrange(() => {
    runs++;
    return never();
  });
  send("SIGTERM");
  send("SIGTERM");
  expect(runs).toBe(1);
});

test("the listeners can be taken off", () => {
  const { release, source, send, exits } = arrange(never);
  release();
  send("SIGTERM");
  expect(source.eventNames()).toEqual([]);
  expect(exits).toEqual([]);
});
