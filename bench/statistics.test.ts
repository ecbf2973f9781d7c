import { expect, test } from "vitest";
import { interval, median } from "./statistics.ts";

test("the median is the middle value, or the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test("fewer than five values have no interval", () => {
  expect(interval([1, 2, 3, 4])).toBeUndefined();
  expect(interval([1, 1, 1, 1, 1])).toEqual({ low: 1, high: 1 });
});

test("the interval holds the median, lies within the values, and is the same each time", () => {
  const values = [0.9, 1.1, 1, 1.05, 0.95, 1.2, 0.8, 1, 1.02, 0.99];
  const found = interval(values);
  expect(found?.low).toBeGreaterThanOrEqual(0.8);
  expect(found?.low).toBeLessThanOrEqual(median(values));
  expect(found?.high).toBeGreaterThanOrEqual(median(values));
  expect(found?.high).toBeLessThanOrEqual(1.2);
  expect(interval(values)).toEqual(found);
});
