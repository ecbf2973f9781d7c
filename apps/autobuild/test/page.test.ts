import { describe, expect, test } from "vitest";
import type { ChannelState } from "windsock/client";
import type { BranchRow } from "../src/build/overview.ts";
import { bytesText, span, standing, ticks } from "../src/page/format.ts";
import { indicatorOf } from "../src/page/indicator.ts";
import { changeOf } from "../src/page/notifier.ts";
import { countText } from "../src/page/results.ts";
import { pathOf, routeOf, type Route } from "../src/page/router.ts";
import { scaleOf } from "../src/page/sparkline.ts";
import { tabOf } from "../src/page/tab.ts";
import { buildWith } from "./support/builds.ts";

describe("an address", () => {
  test.each<[string, Route]>([
    ["/", { type: "console" }],
    ["/wall", { type: "wall" }],
    ["/builds/12", { type: "build", id: 12 }],
    ["/builds/12#tests", { type: "build", id: 12, tab: "tests" }],
    ["/builds/12#setup", { type: "build", id: 12, step: null }],
    ["/builds/12#2", { type: "build", id: 12, step: 2 }],
    ["/builds/12#2.3", { type: "build", id: 12, step: 2, attempt: 3 }],
    [
      "/builds/12#2.3:L7-L9",
      { type: "build", id: 12, step: 2, attempt: 3, range: { from: 7, to: 9 } },
    ],
    ["/other", { type: "unknown", path: "/other" }],
  ])("%s leads there and back", (path, route) => {
    expect(routeOf(new URL(path, "http://localhost"))).toEqual(route);
    expect(pathOf(route)).toBe(path);
  });

  test.each<[string, Route]>([
    ["/?wall", { type: "wall" }],
    ["/#build-12", { type: "build", id: 12 }],
    ["/builds/12/", { type: "build", id: 12 }],
    ["/builds/12#2:L7", { type: "build", id: 12, step: 2, range: { from: 7, to: 7 } }],
    ["/builds/12#<script>", { type: "build", id: 12 }],
    ["/builds/1e3", { type: "unknown", path: "/builds/1e3" }],
  ])("%s is understood", (path, route) => {
    expect(routeOf(new URL(path, "http://localhost"))).toEqual(route);
  });
});

describe("the connection", () => {
  const error = { message: "gone" } as never;
  test.each<[string, ChannelState, { lostMs?: number; isRestart?: boolean }, string]>([
    ["waiting", { type: "connecting", attempt: 0, retryInMs: 0 }, {}, "connecting"],
    ["lost", { type: "connecting", attempt: 2, retryInMs: 4000 }, {}, "no answer, trying in 3 s"],
    ["live", { type: "open", id: "", params: {}, version: "" }, {}, "live"],
    ["live", { type: "draining", id: "", withinMs: 1 }, {}, "live, the server is about to restart"],
    ["lost", { type: "resuming", attempt: 1, retryInMs: 900 }, {}, "reconnecting, trying"],
    [
      "lost",
      { type: "resuming", attempt: 1, retryInMs: 5000 },
      { isRestart: true },
      "server restarts, trying in 4 s",
    ],
    [
      "lost",
      { type: "suspended", attempt: 9, retryInMs: 0, error },
      { lostMs: new Date(2026, 0, 1, 14, 5, 9).getTime() },
      "server gone since 14:05:09, trying",
    ],
    ["lost", { type: "closed", code: 4401, reason: "", error }, {}, "ended: gone"],
  ])("is %s in state %o", (state, channel, { lostMs, isRestart = false }, text) => {
    expect(indicatorOf(channel, { sinceMs: 1000, nowMs: 2000, lostMs, isRestart })).toEqual({
      state,
      text,
    });
  });
});

describe("a branch", () => {
  test("that fails says for how long, also while it is tried again", () => {
    const failingSince = { buildId: 1, finishedMs: 0 };
    const failing = row({ verdict: "failed", streak: 7, failingSince });
    expect(standing({ ...failing, build: buildWith({ state: "failed" }) }, 3 * 86_400_000)).toBe(
      "failing for 3 d, 7 in a row",
    );
    expect(standing({ ...failing, build: buildWith({ state: "running" }) }, 90_000)).toBe(
      "was failing for 1 min",
    );
    expect(standing({ ...failing, streak: 1, build: buildWith({ state: "failed" }) }, 90_000)).toBe(
      "",
    );
    const recent = Array.from({ length: 20 }, (_, id) => ({
      id,
      state: "failed" as const,
      durationMs: 1,
    }));
    expect(
      standing({ ...failing, recent, streak: 20, build: buildWith({ state: "failed" }) }, 90_000),
    ).toBe("failing for 1 min, 20 or more in a row");
    expect(standing(row({ verdict: "passed" }), 0)).toBe("");
  });

  test("is told of when it breaks and when it is mended, and at nothing else", () => {
    const [passed, failed, lost, none] = (["passed", "failed", "lost", null] as const).map(
      (verdict) => row({ verdict }),
    ) as [BranchRow, BranchRow, BranchRow, BranchRow];
    expect(changeOf(failed, passed)).toBe("is broken");
    expect(changeOf(passed, failed)).toBe("is mended");
    for (const [now, before] of [
      [failed, failed],
      [failed, none],
      [failed, undefined],
      [lost, passed],
      [passed, lost],
      [passed, passed],
    ] as const)
      expect(changeOf(now, before)).toBeUndefined();
  });

  test("among several decides on the tab by how bad it is", () => {
    const rows = [
      row({ verdict: "passed" }),
      row({ verdict: "failed", build: buildWith({ state: "running" }) }),
      row({ verdict: "passed" }),
    ];
    expect(tabOf({ type: "all", rows, live: undefined })).toEqual({
      state: "failed",
      title: "✗ 1 of 3 failing · AutoBuild",
    });
    expect(tabOf({ type: "all", rows: [rows[0]!, rows[2]!], live: undefined }).title).toBe(
      "✓ all 2 passed · AutoBuild",
    );
    expect(tabOf({ type: "build", build: buildWith({ state: "running" }) }).title).toBe(
      "▶ #1 running · project · AutoBuild",
    );
    expect(tabOf({ type: "build", build: undefined }).title).toBe("AutoBuild");
  });
});

describe("figures", () => {
  test("of an axis are round, and at most five", () => {
    expect(ticks(500)).toEqual([0]);
    expect(ticks(4000)).toEqual([0, 1000, 2000, 3000, 4000]);
    expect(ticks(4001)).toEqual([0, 2000, 4000]);
    expect(ticks(90_000)).toEqual([0, 30_000, 60_000, 90_000]);
    expect(ticks(100 * 86_400_000)).toHaveLength(5);
  });

  test("of sizes and spans are short", () => {
    expect([0, 1023, 1024, 10_200, 3_500_000, 2 ** 50].map(bytesText)).toEqual([
      "0 B",
      "1023 B",
      "1.0 KiB",
      "10 KiB",
      "3.3 MiB",
      "1024 TiB",
    ]);
    expect([0, 59_000, 3_599_000, 3_600_000, 48 * 3_600_000].map(span)).toEqual([
      "1 min",
      "1 min",
      "59 min",
      "1 h",
      "2 d",
    ]);
  });

  test("of tests say first what failed", () => {
    const none = { passed: 0, failed: 0, skipped: 0, flaky: 0 };
    expect(countText(none)).toBe("");
    expect(countText({ ...none, passed: 3 })).toBe("3 passed");
    expect(countText({ ...none, passed: 3, skipped: 1 })).toBe("3 passed, 1 skipped");
    expect(countText({ ...none, passed: 3, failed: 2 })).toBe("2 of 5 failed");
  });

  test("of one build that hung do not flatten all others", () => {
    expect(scaleOf([10, 11, 12, 13, 3600])).toBe(24);
    expect(scaleOf([10, 11])).toBe(11);
    expect(scaleOf([])).toBe(1);
  });
});

function row(some: Partial<BranchRow>): BranchRow {
  return {
    repositoryId: 1,
    repository: "project",
    branch: "main",
    build: buildWith({ state: "passed" }),
    verdict: null,
    streak: 1,
    failingSince: null,
    recent: [],
    forecast: null,
    ...some,
  };
}
