import { describe, expect, test } from "vitest";
import { parseDuration } from "../src/duration.ts";

describe("a duration", () => {
  test.each([
    ["250ms", 250],
    ["90s", 90_000],
    ["10m", 600_000],
    ["10min", 600_000],
    ["12h", 43_200_000],
    ["90d", 90 * 86_400_000],
    ["2w", 14 * 86_400_000],
    ["1h30m", 5_400_000],
    ["1h 30m 5s", 5_405_000],
    ["36600d", 36_600 * 86_400_000],
  ])("%s is read", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(["", "10", "1.5h", "-5m", "5 minutes", "1h  30m", "1y", "36601d", "999999999w"])(
    "%j is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});
