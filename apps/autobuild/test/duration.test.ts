import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "../src/duration.ts";

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

  // `status --url` tells how long a build has run, by the clock of another machine than the build's.
  test.each([
    [-5000, "0.0 s"],
    [3449, "3.4 s"],
    [59_949, "59.9 s"],
    [59_950, "1 min 0 s"],
    [125_000, "2 min 5 s"],
    [3_720_000, "1 h 2 min"],
  ])("%d ms is shown as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test.each(["", "10", "1.5h", "-5m", "5 minutes", "1h  30m", "1y", "36601d", "999999999w"])(
    "%j is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});
