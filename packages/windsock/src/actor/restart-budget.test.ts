import { expect, test } from "vitest";
import { RestartBudget } from "./restart-budget.ts";

const limits = { maxRestarts: 10, restartWindowMs: 10_000 };

test("allows ten restarts in ten seconds; the eleventh crash is down", () => {
  const budget = new RestartBudget(limits);
  for (let crash = 1; crash <= 10; crash++)
    expect(budget.spend(crash * 100)).toEqual({ type: "restart" });
  expect(budget.spend(1100)).toEqual({ type: "down", retryAfterMs: 1000 });
});

test("a restart leaves the window after exactly its length", () => {
  const budget = new RestartBudget(limits);
  for (let crash = 1; crash <= 10; crash++) budget.spend(0);
  const other = new RestartBudget(limits);
  for (let crash = 1; crash <= 10; crash++) other.spend(0);
  expect(budget.spend(9999).type).toBe("down");
  expect(other.spend(10_000).type).toBe("restart");
});

test("each down in a row doubles the back-off, up to a minute", () => {
  const budget = new RestartBudget({ maxRestarts: 1, restartWindowMs: 10_000 });
  const waits: number[] = [];
  for (let crash = 0; crash < 18; crash++) {
    const decision = budget.spend(0);
    if (decision.type === "down") waits.push(decision.retryAfterMs);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test("a recovery makes the next back-off a small one", () => {
  const budget = new RestartBudget({ maxRestarts: 1, restartWindowMs: 10_000 });
  for (let crash = 0; crash < 6; crash++) budget.spend(0);
  budget.recovered();
  budget.spend(0);
  expect(budget.spend(0)).toEqual({ type: "down", retryAfterMs: 1000 });
});
