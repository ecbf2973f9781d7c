import type { Build } from "../build/build.ts";
import { make } from "./dom.ts";
import { duration, elapsedMs, marks } from "./format.ts";

const shownBuilds = 30;

/**
 * Draws the latest builds as bars, oldest first: how they ended, and how long they took.
 *
 * For a mouse each bar leads to its build; for all others one sentence says it, and the list below has the same links.
 */
export function drawTrend(
  bars: HTMLElement,
  sentence: HTMLElement,
  builds: readonly Build[],
  nowMs: number,
): void {
  const ran = builds
    .filter(({ startedMs }) => startedMs !== null)
    .slice(0, shownBuilds)
    .reverse();
  const times = ran.map((build) => elapsedMs(build, nowMs) ?? 0);
  // A single build that hung for an hour must not make all others look alike.
  const usual = times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
  const highest = Math.max(1, Math.min(2 * usual, Math.max(...times)));
  bars.replaceChildren(
    ...ran.map((build, index) => {
      const time = times[index] ?? 0;
      const bar = make("a");
      bar.href = `#build-${build.id}`;
      bar.tabIndex = -1;
      bar.dataset["state"] = build.state;
      bar.title = `Build ${build.id} ${marks[build.state].word}${time === 0 ? "" : `, ${duration(time)}`}`;
      const fill = make("span");
      fill.style.height = `${Math.min(100, Math.max(12, (100 * time) / highest))}%`;
      bar.append(fill);
      return bar;
    }),
  );
  const count = (state: Build["state"]): number =>
    ran.filter((build) => build.state === state).length;
  sentence.textContent =
    ran.length < 2
      ? ""
      : `The last ${ran.length} builds: ${count("passed")} passed, ${count("failed")} failed.`;
  bars.hidden = ran.length < 2;
}
